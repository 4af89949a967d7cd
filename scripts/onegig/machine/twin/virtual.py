"""The virtual machine as onegig holds it: QEMU's container, its console, the agent's port."""

import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from subprocess import PIPE, Popen
from threading import Event, Lock, Thread

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BootError, MeasureError
from onegig.machine.sampler import Pass
from onegig.machine.twin import host, qemu
from onegig.machine.twin.launcher import Config
from onegig.machine.twin.passes import Answer, Passes
from onegig.machine.watch import Watch
from onegig.process import close, kill, tail

POLL_SECONDS = 0.1
COMMAND_SECONDS = 180.0
OUTPUT_BYTES = 1 << 16  # of the end, for messages
OUTPUT_LINES = 25


@dataclass(kw_only=True)
class Port:
    """The agent's port: passes come in by themselves, commands are answered one at a time.

    Commands are numbered, because the answer of one that took too long may come later.
    """

    path: Path
    receive: Callable[[Pass], None]
    passes: Passes = field(default_factory=Passes)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _answers: Queue[Answer] = field(default_factory=Queue)
    _closed: Event = field(default_factory=Event)
    _one_at_a_time: Lock = field(default_factory=Lock)
    _socket: socket.socket | None = None

    def listen(self) -> None:
        """Read lines until the port is closed; QEMU may be restarted meanwhile."""
        while not self._closed.wait(POLL_SECONDS):
            with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
                connection.connect(str(self.path))
                self._socket = connection
                with connection.makefile("rb") as stream:
                    for line in stream:
                        self._take(line)
            self._socket = None

    def close(self) -> None:
        """End listening."""
        self._closed.set()
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def run(self, command: str, seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a shell command in the guest; MeasureError when no answer comes in time."""
        with self._one_at_a_time:
            number, deadline = next(self._numbers), time.monotonic() + seconds
            self._send(number=number, run=command)
            try:
                while True:
                    answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
                    if answer.number == number:
                        return answer
            except Empty:
                raise MeasureError(
                    f"the twin did not answer within {seconds:g} s",
                    command=command,
                    advice="it may be out of memory; its console is above",
                ) from None

    def set_rate(self, hz: float) -> None:
        """Set the number of passes per second, until the next reboot."""
        self._send(hz=hz)

    def _send(self, **message: float | str) -> None:
        with suppress(OSError, AttributeError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")  # type: ignore[union-attr] # None: AttributeError

    def _take(self, line: bytes) -> None:
        item = self.passes.feed(line, time.monotonic())
        if isinstance(item, Answer):
            self._answers.put(item)
        elif item is not None:
            self.receive(item)


@dataclass(kw_only=True)
class VirtualMachine:
    """A running virtual machine."""

    container: str
    child: Popen[bytes]
    port: Port
    engine_address: str
    console: Path
    errors: Path  # that docker and the launcher printed
    watch: Watch
    started: float = field(default_factory=time.monotonic)
    boot_seconds: float = 0.0  # until it was idle
    accelerator: str = ""
    failures: list[str] = field(default_factory=list)  # of accelerators that do not work here
    remarks: list[str] = field(default_factory=list)
    ended: str = ""  # QEMU's reason, once it is gone

    def tail(self) -> str:
        """Return the end of the console's output, and of what docker and the launcher printed."""
        return "\n".join(filter(None, map(_read_end, (self.console, self.errors))))

    def is_sampled(self) -> bool:
        """Return whether a pass has come."""
        return bool(self.watch.passes)

    def wait_for(self, look: Callable[[], bool], seconds: float, purpose: str) -> None:
        """Wait until `look` is true; BootError after that time, or once the machine is gone."""
        deadline = time.monotonic() + seconds
        while not look():
            gone = self.child.poll() is not None
            if gone or time.monotonic() > deadline:
                reason = ": ".join(filter(None, ("the machine is gone", self.ended)))
                raise BootError(
                    f"the twin {purpose}: {reason if gone else f'not within {seconds:g} s'}",
                    command="qemu-system-x86_64",
                    advice="its console is above; `--on box` measures without a virtual machine",
                    detail=self.tail(),
                )
            time.sleep(POLL_SECONDS)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Take what its agent and its launcher send, during the block; it is killed at the end."""
        with ExitStack() as stack:
            for target in (self.port.listen, self._follow):
                thread = Thread(target=target, daemon=True)
                thread.start()
                stack.callback(thread.join, 10)
            stack.callback(kill, self.child)
            stack.callback(self.port.close)
            yield

    def _follow(self) -> None:
        assert self.child.stdout is not None  # noqa: S101 - it was asked for
        for line in self.child.stdout:
            with suppress(ValueError):
                event = json.loads(line)
                self.accelerator = event.get("accelerator", self.accelerator)
                self.ended = event.get("ended", event.get("reason", self.ended))
                if "failed" in event:
                    self.failures.append(event["reason"])
                if "remark" in event:
                    self.remarks.append(event["remark"])


def _read_end(file: Path) -> str:
    """Return the last lines of a file, without control characters; "" if there is none."""
    with suppress(OSError), file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - OUTPUT_BYTES))
        text = stream.read().decode(errors="replace").replace("\r", "")
        return tail("".join(c for c in text if c.isprintable() or c == "\n"), OUTPUT_LINES)
    return ""


def free_port(taken: Sequence[int]) -> int:
    """Return a port of QEMU's network that nothing else there uses."""
    return next(
        port for port in iter(lambda: 20_000 + secrets.randbelow(10_000), None) if port not in taken
    )


@contextmanager
def start(
    outer: Engine,
    run: Run,
    hardware: qemu.Hardware,
    *,
    image: str,
    volume: str,
    folders: Sequence[Path],
    accelerators: Sequence[str] = (qemu.KVM, qemu.TCG),
) -> Iterator[VirtualMachine]:
    """Yield the machine as soon as QEMU is being started; gone after the block.

    `folders` can be written by QEMU; the volume is at `host.scratch(run)`.
    """
    config = _launcher_config(hardware, accelerators)
    options = host.options(
        run,
        image,
        host.python("onegig.machine.twin.launcher", json.dumps(asdict(config))),
        folders=folders,
        volume=volume,
        environment={"TMPDIR": str(host.scratch(run))},
        network="bridge",
    )
    name, log, watch = f"{run.name}-twin", run.directory / "twin.log", Watch()
    with ExitStack() as stack:
        errors = stack.enter_context(log.open("wb"))
        child = outer.run(name, ["--interactive", *options], stdin=PIPE, stdout=PIPE, stderr=errors)
        stack.callback(close, child)
        stack.callback(outer.remove, name)
        machine = VirtualMachine(
            container=name,
            child=child,
            port=Port(path=Path(config.agent_socket), receive=watch.add),
            engine_address=f"unix://{config.engine_socket}",
            console=Path(config.console),
            errors=log,
            watch=watch,
        )
        stack.enter_context(machine.followed())
        yield machine


def _launcher_config(hardware: qemu.Hardware, accelerators: Sequence[str]) -> Config:
    """Return the launcher's work; its console is there and its engine's socket is not."""
    Path(hardware.console).touch()
    engine_socket = Path(hardware.agent_socket).with_name("engine.sock")
    engine_socket.unlink(missing_ok=True)
    return Config(
        commands=[(kind, qemu.arguments(hardware, kind)) for kind in accelerators],
        console=hardware.console,
        agent_socket=hardware.agent_socket,
        engine_socket=str(engine_socket),
        control_port=hardware.control_port,
        owner=(os.getuid(), os.getgid()),
    )
