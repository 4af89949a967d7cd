"""A real Redis under the project's own configuration, and services as processes."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
FOLDERS = ("", "market-data", "telegram-bot", "runtime")
sys.path[:0] = [path for path in (str(SERVICES / name) for name in FOLDERS) if path not in sys.path]

from desk.redis import Redis  # noqa: E402
from running import Launch, RedisServer, ServiceProcess  # noqa: E402 - the path is only now complete


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


@pytest.fixture
def launch(redis_server: RedisServer, tmp_path: Path) -> Iterator[Launch]:
    """Start services against the running server; what still runs at the end is killed."""
    started: list[ServiceProcess] = []

    def start(script: Path, **environment: str) -> ServiceProcess:
        address = {"REDIS_ADDRESS": "{}:{}".format(*redis_server.address)}
        started.append(ServiceProcess(script, address | environment, tmp_path))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.kill()
