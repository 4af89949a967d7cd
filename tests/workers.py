"""How scripts/test shares the tests out over processes that run side by side (pytest-xdist).

Two processes run the files with tests for the engine, which they mostly wait for: one those of
tests/integration, one the others. They are handed out first; the rest goes to whoever is free, a
file at a time. While a test marked `measured` runs, all others wait; while one runs that is
`engine(alone=True)`, those of the engine do.
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
ENGINE = MACHINE / "conftest.py"
DOOR = Path(__file__)  # locked while one waits for the others: who comes first is next


class Schedule(LoadScopeScheduling):
    """Files are handed out whole, and those of the engine together."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if not needs_engine(self.config.rootpath / path):
            return path
        return "integration" if "integration" in Path(path).parts else "the engine's others"


@cache
def needs_engine(path: Path) -> bool:
    """Look for the mark in a file: the process that hands out the tests collects none."""
    return "pytest.mark.engine" in path.read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Schedule | None:
    return Schedule(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_xdist_auto_num_workers() -> int:
    """Two processes more than there are processors: those of the engine mostly wait for it."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the engine's tests first: they take the longest."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not needs_engine(item.path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test beside those that it tolerates."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    engine = item.get_closest_marker("engine")
    alone = bool(engine and engine.kwargs.get("alone"))
    with ExitStack() as held:
        with locked(DOOR, fcntl.LOCK_EX):
            measured = item.get_closest_marker("measured")
            held.enter_context(locked(MACHINE, fcntl.LOCK_EX if measured else fcntl.LOCK_SH))
            if engine:
                held.enter_context(locked(ENGINE, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
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
