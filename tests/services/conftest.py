"""A real Redis under the project's own configuration, and services as processes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

SERVICES = Path(__file__).parents[2] / "services"
MODULES = Path(__file__).parent / "stand_ins"
PATHS = [str(SERVICES)] + [
    str(SERVICES / name) for name in ("market-data", "telegram-bot", "runtime")
]
sys.path[:0] = [path for path in (*PATHS, str(MODULES)) if path not in sys.path]

from desk.redis import Redis, RedisError  # noqa: E402 - the path is only now complete

PATIENCE_SECONDS = 20.0


def eventually(holds: Callable[[], Any], what: str = "") -> Any:
    """Return the first true answer; fail when there is none for long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = holds()
        if answer:
            return answer
        time.sleep(0.02)
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
        self._log = folder / f"log-{script.stem}-{time.monotonic_ns()}"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(script)],
                env={
                    **inherited,
                    "PYTHONPATH": os.pathsep.join((str(SERVICES), str(MODULES))),
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
        """Return until when it counts as healthy and what it says; (0, "") before the first beat."""
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


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server with the desk's own configuration, empty."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("needs valkey-server or redis-server (apt-get install redis-server)")
    server = RedisServer(program, tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    """A client of the running server."""
    client = redis_server.client()
    yield client
    client.close()


Launch = Callable[..., ServiceProcess]


@pytest.fixture
def launch(redis_server: RedisServer, tmp_path: Path) -> Iterator[Launch]:
    """Start services against the running server; what still runs at the end is killed."""
    started: list[ServiceProcess] = []

    def start(script: Path, **environment: str) -> ServiceProcess:
        address = {"REDIS_ADDRESS": f"127.0.0.1:{redis_server.port}"}
        started.append(ServiceProcess(script, {**address, **environment}, tmp_path))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.kill()
