"""A process caught between vfork and exec."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

SPAWN = """
import os, sys
actions = [(os.POSIX_SPAWN_OPEN, 9, sys.argv[1], os.O_RDONLY, 0)]
os.posix_spawn("/bin/true", ["true"], {}, file_actions=actions)
"""


@pytest.fixture
def spawning(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A process and its child, which waits for the other end of a FIFO before it can exec."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    child = subprocess.Popen([sys.executable, "-c", SPAWN, str(fifo)])
    while not (children := psutil.Process(child.pid).children()):
        assert child.poll() is None
    yield child.pid, children[0].pid
    with fifo.open("w"):
        child.wait()
