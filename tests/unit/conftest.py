"""Unit tests start no dive, docker, git, trivy or server; a checkout that somebody else filled."""

import shutil
import socket
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

UNIT = Path(__file__).parent
PROGRAMS = {"act", "dive", "docker", "git", "trivy"}
STAND_INS = tempfile.gettempdir()
guarded: list[str] = []  # the unit test that runs


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise where a unit test starts a program of PROGRAMS, but for stand-ins, or a server."""
    if not guarded:
        return
    if event == "subprocess.Popen":
        words = [str(word) for word in arguments[1][:7]]  # one program may start another
        paths = (Path(shutil.which(word) or word) for word in words)
        named = [path for path in paths if path.name in PROGRAMS]
        is_real = any(not path.is_relative_to(STAND_INS) for path in named)
        is_refused = is_real and "compose" not in words  # which asks no engine for `config`
    else:
        is_refused = event == "socket.bind" and arguments[0].family != socket.AF_UNIX
    if is_refused:
        raise AssertionError(f"{guarded[0]} belongs into tests/integration: {event} {arguments}")


sys.addaudithook(refuse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if not item.path.is_relative_to(UNIT):
        return (yield)
    guarded.append(item.nodeid)
    try:
        return (yield)
    finally:
        guarded.clear()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that is the current folder."""
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder
