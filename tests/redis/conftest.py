"""Real servers, Redis and Valkey, each with a unix socket in a folder of its own."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from servers import PROGRAMS, Server, start


@pytest.fixture(scope="module", params=PROGRAMS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with its default settings, one of each product that is installed."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"needs {request.param}")
    process, server = start(program, tmp_path_factory.mktemp("redis"))
    yield server
    server.client.close()
    process.kill()
    process.wait()


@pytest.fixture
def server(running: Server) -> Server:
    """A server without any keys."""
    running.client.flushall()
    return running
