"""How scripts/test shares the tests out over processes that run side by side (pytest-xdist).

A machine has one engine, so one process runs every file with tests for it, one after the other. The
other processes take the rest, a file at a time. While a test marked `measured` runs, they wait.
"""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

MACHINE = Path(__file__).parent  # locked while a test runs
DOOR = Path(__file__)  # locked while one waits for the machine: who comes first is next


class Schedule(LoadScopeScheduling):
    """Files are handed out whole, and those of the engine together."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "engine" if needs_engine(self.config.rootpath / path) else path


@cache
def needs_engine(path: Path) -> bool:
    """Look for the mark in a file: the process that hands out the tests collects none."""
    return "pytest.mark.engine" in path.read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Schedule | None:
    return Schedule(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: that of the engine mostly waits for it."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a measured test while no other process runs any."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    kind = fcntl.LOCK_EX if item.get_closest_marker("measured") else fcntl.LOCK_SH
    with ExitStack() as machine:
        with locked(DOOR, fcntl.LOCK_EX):
            machine.enter_context(locked(MACHINE, kind))
        return (yield)


@contextmanager
def locked(path: Path, kind: int) -> Iterator[None]:
    """Hold a lock of this kind on a path."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)
