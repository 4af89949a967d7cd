"""A way from onegig to a port of a container on the machine that is measured, box or twin.

A container may publish no port and have no program but its own. So the machine's engine starts one
more in its network, without capabilities, whose programs are the machine's (an image of no bytes):
it passes bytes between the port and its standard streams. Each connection to a socket here starts
another, which takes about a second. It takes memory of the machine, so nothing is measured then.
"""

import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Thread

from onegig.engine.engine import Engine
from onegig.engine.owned import Run, remove_run
from onegig.errors import EngineError, MeasureError
from onegig.machine.nesting import system_folders
from onegig.process import close, tail

IMAGE = "onegig-forward:empty"
POLL_SECONDS = 0.2
LIST_SECONDS = 180.0  # on an emulated machine a container starts slowly
LISTENING = "0A"  # of /proc/net/tcp, Linux include/net/tcp_states.h
ENGINE_NAMESERVER = "127.0.0.11"
_LIST = "cat /proc/net/tcp; cat /proc/net/tcp6 2>/dev/null || :"
# A shell that is a container's first process ignores signals, so that it is no part of the pair.
_RELAY = r"""
command -v bash >/dev/null || exec nc "$0" "$1"
exec bash -c 'exec 3<>"/dev/tcp/$0/$1" 4<&0 || exit
cat <&3 & reader=$!
{ cat <&4 >&3; kill "$reader"; } &
wait "$reader"' "$0" "$1"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """An address on which a program in a container takes connections, as seen in there."""

    address: str
    port: int


@dataclass(kw_only=True)
class Forwarder:
    """Ways to the ports of one container; see open_forwarder."""

    engine: Engine  # the machine's
    run: Run
    container: str
    log: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def listeners(self) -> tuple[Listener, ...]:
        """Return the ports on which the container takes connections.

        Raises MeasureError when the machine's engine starts no container for that.
        """
        child = self._start(("-c", _LIST), subprocess.DEVNULL, subprocess.PIPE)
        try:
            output, _ = child.communicate(timeout=LIST_SECONDS)
        except subprocess.TimeoutExpired:
            output = b""
        finally:
            close(child)
        if not output:
            raise MeasureError(
                "the container's network could not be joined",
                command="docker run --network container:ID",
                advice="is the engine in the machine short of memory? its own words:",
                detail=tail(self.log.read_text(errors="replace")),
            )
        return parse_listeners(output.decode(errors="replace"))

    @contextmanager
    def open(self, listener: Listener) -> Iterator[Path]:
        """Yield the path of a socket each of whose connections leads to that port."""
        path = self.run.directory / f"forward-{next(self._numbers)}.sock"
        closed = Event()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            server.settimeout(POLL_SECONDS)
            thread = Thread(target=self._serve, args=(server, listener, closed), daemon=True)
            thread.start()
            try:
                yield path
            finally:
                closed.set()
                thread.join()
                path.unlink(missing_ok=True)

    def _serve(self, server: socket.socket, listener: Listener, closed: Event) -> None:
        """Give each connection a container; in this thread, as children end with theirs."""
        words = ("-c", _RELAY, listener.address, str(listener.port))
        with ExitStack() as stack:
            while not closed.is_set():
                with suppress(TimeoutError):
                    connection, _ = server.accept()
                    with connection:
                        end = connection.fileno()
                        stack.callback(close, self._start(words, end, end))

    def _start(self, words: tuple[str, ...], stdin: int, stdout: int) -> "subprocess.Popen[bytes]":
        options = [
            *("--interactive", "--pull", "never", "--network", f"container:{self.container}"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65534:65534"),
            *(*self.run.label_options, *system_folders(), IMAGE, "/bin/sh", *words),
        ]
        name = f"{self.run.name}-forward-{next(self._numbers)}"
        with self.log.open("ab") as log:
            return self.engine.run(name, options, stdin=stdin, stdout=stdout, stderr=log)


@contextmanager
def open_forwarder(engine: Engine, run: Run, container: str) -> Iterator[Forwarder]:
    """Yield ways to a container's ports, on the engine that runs it; nothing is left behind."""
    engine.images.import_empty(IMAGE, run.labels)
    log = run.directory / "forward.log"
    log.touch()
    try:
        yield Forwarder(engine=engine, run=run, container=container, log=log)
    finally:
        with suppress(EngineError):
            remove_run(engine, run)


def parse_listeners(table: str) -> tuple[Listener, ...]:
    """Return the listening sockets in the text of /proc/net/tcp and tcp6.

    An address that means all of them becomes the loopback's. The engine's name server is left out.
    """
    addresses: dict[int, str] = {}
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == LISTENING:
            address, _, port = fields[1].partition(":")
            text = _address(address)
            if text != ENGINE_NAMESERVER:
                addresses.setdefault(int(port, 16), text)
    return tuple(Listener(address=address, port=port) for port, address in addresses.items())


def _address(digits: str) -> str:
    """Return an address of that table: words of 32 bits in the machine's byte order."""
    words = (int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
    packed = b"".join(struct.pack("=I", word) for word in words)
    if not any(packed):
        return "127.0.0.1" if len(packed) == 4 else "::1"
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, packed)
