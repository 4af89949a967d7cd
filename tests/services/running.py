"""Things the services' tests run: a Redis server, services as processes, and patience."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from desk.events import Signal
from desk.labels import Labels
from desk.redis import Redis, RedisError
from desk.streams import KINDS, entries

SERVICES = Path(__file__).parents[2] / "services"
STAND_INS = Path(__file__).parent / "stand_ins"
PATIENCE_SECONDS = 20.0
ENVIRONMENT = {
    **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    "PYTHONPATH": os.pathsep.join((str(SERVICES), str(STAND_INS))),
    "PYTHONDONTWRITEBYTECODE": "1",
}


def eventually(holds: Callable[[], Any], what: str = "") -> Any:
    """Return the first true answer; fail when there is none for long. Keeps to the real clock."""
    deadline = monotonic() + PATIENCE_SECONDS
    while monotonic() < deadline:
        answer = holds()
        if answer:
            return answer
        sleep(0.02)
    pytest.fail(f"never came true: {what or holds}")


class RedisServer:
    """A server process on a free port; loses its data when killed, like the real one."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address: tuple[str, int] = free.getsockname()
        self._command = [
            *(program, str(SERVICES / "redis-coordinator" / "valkey.conf")),
            *("--port", str(self.address[1]), "--bind", "127.0.0.1", "--dir", str(folder)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(self._command, **quiet)
        eventually(self._answers, "Redis answers")

    def client(self) -> Redis:
        """Return a client; the test closes it."""
        return Redis(self.address, "test")

    def send_signal(self, number: int) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it without any warning."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.call("PING") == b"PONG")
        except RedisError:
            return False
        finally:
            client.close()


class ServiceProcess:
    """A service started as its container would start it."""

    def __init__(self, script: Path, environment: Mapping[str, str], folder: Path) -> None:
        self._heartbeat = folder / f"heartbeat-{script.stem}"
        self._log = folder / f"log-{script.stem}-{os.urandom(4).hex()}"
        own = {"HEARTBEAT": str(self._heartbeat), "CONSUMER": "this-one"}
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(script)],
                env={**ENVIRONMENT, **own, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return self._log.read_text(errors="replace")

    def says(self, text: str) -> None:
        """Wait until a text is printed."""
        eventually(lambda: text in self.output, f"{text!r} in {self.output[-2000:]}")

    def refuses(self, setting: str) -> None:
        """Wait until it ends because of a setting that it names."""
        assert self.process.wait(timeout=PATIENCE_SECONDS) == 2
        assert setting in self.output

    @property
    def state(self) -> str:
        """What its heartbeat says; nothing before the first."""
        return self._read_heartbeat()[1]

    def is_healthy(self) -> bool:
        """Say whether the health check would pass."""
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return self._read_heartbeat()[0] > uptime

    def stop(self, within_seconds: float = 2.0) -> int:
        """Send SIGTERM; return the exit code, or fail if it takes longer than promised."""
        self.process.terminate()
        return self.process.wait(timeout=within_seconds)

    def kill(self) -> None:
        """End it without any warning."""
        self.process.kill()
        self.process.wait()

    def _read_heartbeat(self) -> tuple[int, str]:
        if not self._heartbeat.exists():
            return 0, ""
        until, _, state = self._heartbeat.read_text().strip().partition(" ")
        return int(until), state


Launch = Callable[..., ServiceProcess]


def events(redis: Redis, stream: str) -> list[Any]:
    """Return the events of every entry of a stream, in order."""
    read = entries(stream, redis.call("XRANGE", stream, "-", "+"))
    Labels(redis).resolve(read if KINDS[stream] is Signal else ())
    return [entry.event() for entry in read]


def counters(redis: Redis, service: str) -> dict[str, int]:
    """Return what a service counts."""
    flat = redis.call("HGETALL", f"stats:{service}")
    return {key.decode(): int(value) for key, value in zip(flat[::2], flat[1::2], strict=True)}


def has_acknowledged(redis: Redis, stream: str, group: str) -> bool:
    """Say whether nothing that the group read waits any more."""
    return bool(redis.call("XPENDING", stream, group)[0] == 0)
