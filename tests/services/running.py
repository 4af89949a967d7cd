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

from desk.redis import Redis, RedisError

SERVICES = Path(__file__).parents[2] / "services"
STAND_INS = Path(__file__).parent / "stand_ins"
PATIENCE_SECONDS = 20.0


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
            self.port: int = free.getsockname()[1]
        self._command = [
            *(program, str(SERVICES / "redis-coordinator" / "valkey.conf")),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port

    def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [*self._command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self.answers, "Redis answers")

    def answers(self) -> bool:
        """Say whether it answers a PING."""
        client = self.client()
        try:
            return bool(client.call("PING") == b"PONG")
        except RedisError:
            return False
        finally:
            client.close()

    def client(self, name: str = "test") -> Redis:
        """Return a client; the test closes it."""
        return Redis(self.address, name)

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


class ServiceProcess:
    """A service started as its container would start it."""

    def __init__(self, script: Path, environment: Mapping[str, str], folder: Path) -> None:
        self.heartbeat = folder / f"heartbeat-{script.stem}"
        self._log = folder / f"log-{script.stem}-{os.urandom(4).hex()}"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(script)],
                env={
                    **inherited,
                    "PYTHONPATH": os.pathsep.join((str(SERVICES), str(STAND_INS))),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "HEARTBEAT": str(self.heartbeat),
                    "CONSUMER": "this-one",
                    **environment,
                },
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

    @property
    def health(self) -> tuple[int, str]:
        """Return until when it counts as healthy and what it says; (0, "") before that."""
        if not self.heartbeat.exists():
            return 0, ""
        until, _, state = self.heartbeat.read_text().strip().partition(" ")
        return int(until), state

    def is_healthy(self) -> bool:
        """Say whether the health check would pass."""
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return self.health[0] > uptime

    def stop(self, within_seconds: float = 2.0) -> int:
        """Send SIGTERM; return the exit code, or fail if it takes longer than promised."""
        self.process.terminate()
        return self.process.wait(timeout=within_seconds)

    def kill(self) -> None:
        """End it without any warning."""
        self.process.kill()
        self.process.wait()
