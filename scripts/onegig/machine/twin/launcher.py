"""Runs QEMU in its container: with the first accelerator that works, for as long as onegig lives.

    python -m onegig.machine.twin.launcher CONFIG

CONFIG is JSON, see `Config`. Standard input is the tether: at its end, everything ends. Each line
printed is a JSON object: `{"accelerator": "tcg"}` when QEMU was started with it, `{"failed": "kvm",
"reason": "…"}` when it did not work, `{"remark": "…"}`, `{"ended": "…"}` when the machine is gone.
The guest's engine is relayed from QEMU's network to a socket that only onegig's user can open. The
load is in that network, too: a rule for the group of the relay's sockets keeps it from the engine.
Standard library only.
"""

import asyncio
import json
import math
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KVM = "kvm"
KVM_DEVICE = Path("/dev/kvm")
KVM_FAILURE = "KVM internal error"
KVM_SECONDS = 60.0  # until the guest prints anything; it takes a second
GUARD_SECONDS = 20.0
POLL_SECONDS = 0.1
MOST_LINES = 20  # of QEMU's own output, for the reason
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The work of a launcher."""

    commands: list[tuple[str, list[str]]]  # accelerator and QEMU's command line, best first
    console: str  # file that QEMU writes; its owner is not changed
    agent_socket: str  # made by QEMU
    engine_socket: str  # made here, leads to `control_port` on the loopback interface
    control_port: int
    owner: tuple[int, int]  # user and group of both sockets


async def launch(config: Config, emit: Callable[..., None]) -> None:
    """Run the machine until it is gone."""
    port = config.control_port
    group = guard(port, emit)
    server = await asyncio.start_unix_server(
        lambda *streams: relay(port, group, *streams), config.engine_socket
    )
    _hand_over(config.engine_socket, config.owner)
    async with server:
        for accelerator, command in config.commands:
            if accelerator == KVM and not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
                emit(failed=accelerator, reason=f"there is no {KVM_DEVICE}")
                continue
            reason, alive = await _run(config, accelerator, command, emit)
            if alive:
                emit(ended=reason)
                return
            emit(failed=accelerator, reason=reason)


async def _run(
    config: Config, accelerator: str, command: list[str], emit: Callable[..., None]
) -> tuple[str, bool]:
    """Run QEMU; return how it ended, and whether the guest had been alive."""
    Path(config.agent_socket).unlink(missing_ok=True)
    os.truncate(config.console, 0)
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    emit(accelerator=accelerator)
    lines: list[str] = []
    reading = asyncio.create_task(_read(child, lines))
    handing = asyncio.create_task(_hand_over_once_there(config))
    try:
        deadline = time.monotonic() + (KVM_SECONDS if accelerator == KVM else math.inf)
        while child.returncode is None and not _failed(lines):
            if time.monotonic() > deadline and not _is_alive(config):
                return "the guest did not respond", False
            await asyncio.sleep(POLL_SECONDS)
        if child.returncode is not None:
            await reading
        works = _is_alive(config) and not _failed(lines)
        return _summary(lines) or f"QEMU ended with code {child.returncode}", works
    finally:
        handing.cancel()
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        await reading


async def _read(child: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert child.stdout is not None  # noqa: S101 - it was asked for
    async for line in child.stdout:
        text = line.decode(errors="replace").strip()
        if len(lines) < MOST_LINES and "warning:" not in text:
            lines.append(text)  # the first ones say what happened; registers follow


async def _hand_over_once_there(config: Config) -> None:
    while not Path(config.agent_socket).exists():
        await asyncio.sleep(POLL_SECONDS)
    _hand_over(config.agent_socket, config.owner)


def _hand_over(path: str, owner: tuple[int, int]) -> None:
    os.chown(path, *owner)


def _is_alive(config: Config) -> bool:
    """Return whether kernel or boot loader printed something."""
    return os.path.getsize(config.console) > 0  # noqa: PTH202 - as the standard library has it


def _failed(lines: list[str]) -> bool:
    return any(KVM_FAILURE in line for line in lines)


def _summary(lines: list[str]) -> str:
    """Return the line of QEMU's output that names the failure."""
    return next((line for line in lines if KVM_FAILURE in line), lines[0] if lines else "")


def guard(port: int, emit: Callable[..., None]) -> int:
    """Refuse connections to the port to all but a group that nobody else has; return that."""
    group = 100_000 + secrets.randbelow(1 << 30)
    rule = ["OUTPUT", "--protocol", "tcp", "--destination-port", str(port)]
    owner = ["--match", "owner", "!", "--gid-owner", str(group), "--jump", "REJECT"]
    command = ["iptables", "--wait", "--insert", *rule, *owner]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=GUARD_SECONDS)
    except (OSError, subprocess.SubprocessError):
        emit(remark="The load can reach the engine inside the twin: iptables does not work here.")
    return group


def _socket_of(group: int) -> socket.socket:
    """Return a socket of that group. QEMU, which the guest speaks through, is not in it."""
    own = os.getegid()
    os.setegid(group)
    try:
        return socket.socket()
    finally:
        os.setegid(own)


async def relay(
    port: int, group: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Connect one caller with the guest's engine."""
    connection = _socket_of(group)
    connection.settimeout(0)  # asyncio waits
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        inner_reader, inner_writer = await asyncio.open_connection(sock=connection)
    except OSError:
        connection.close()
        writer.close()
        return
    await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
    for stream in (inner_writer, writer):
        stream.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    with suppress(OSError, RuntimeError):
        target.write_eof()


async def _end_with_tether() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(_CHUNK):
        pass
    os._exit(1)  # the container's first process: all others end with it


def _emit(**event: str) -> None:
    print(json.dumps(event), flush=True)  # noqa: T201 - its output


async def main(config: Config) -> None:
    """Run the machine while the tether holds."""
    os.umask(0o077)
    tether = asyncio.create_task(_end_with_tether())
    await launch(config, _emit)
    tether.cancel()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(Config(**json.loads(sys.argv[1]))))
