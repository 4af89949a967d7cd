"""Files that are read without trust: devices, pipes, and what is too large."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from onegig.dockerfiles import hadolint
from onegig.dockerfiles.policy import Build
from onegig.files import MOST_BYTES, read_bytes, read_text
from onegig.github.gate import find_dockerfiles
from onegig.model.stack import Stack
from reviews import make_warn
from stacks import plain_service

pytestmark = pytest.mark.security


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def large(path: Path) -> None:
    path.write_bytes(b"x" * (MOST_BYTES + 1))


Make = Callable[[Path], None]
KINDS = pytest.mark.parametrize("make", [zero, pipe, folder, large])


@KINDS
def test_what_is_not_read(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "file")
    assert read_text(tmp_path / "file") is None
    assert read_text(tmp_path / "none") is None
    assert read_text(tmp_path / "a\0b") is None


def test_a_regular_file_is_read_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc\xff")
    (tmp_path / "link").symlink_to("file")
    assert read_text(tmp_path / "link") == "abc\N{REPLACEMENT CHARACTER}"
    assert read_text(tmp_path / "file", 3) is None
    assert read_bytes(tmp_path / "file", 2) == b"abc"
    assert read_text(Path("/proc/self/status"), 10) is None  # of no size, as stat has it


def test_a_socket_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert read_text(Path("socket")) is None


@KINDS
def test_settings_of_hadolint(tmp_path: Path, make: Make) -> None:
    make(tmp_path / ".hadolint.yaml")
    assert hadolint.read_settings(tmp_path) == hadolint.NO_SETTINGS


@KINDS
def test_a_line_to_blame(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "Dockerfile")
    report = make_warn()
    web = plain_service("web", builds=True, dockerfile="Dockerfile")
    stack = Stack(name="s", directory=str(tmp_path), files=(), services=(web,), config_json="{}")
    assert find_dockerfiles(report, stack) == {}


def test_a_context_ends_at_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("token")
    context = tmp_path / "context"
    context.mkdir()
    (context / "own").write_text("own")
    (context / "link").symlink_to("../secret")
    (context / "inner").symlink_to("own")
    (context / "circle").symlink_to("circle")
    build = Build(
        service="web",
        dockerfile=context / "Dockerfile",
        path="Dockerfile",
        context=context,
        target="",
        arguments=(),
    )
    read = {name: build.read(name) for name in ("own", "inner", "link", "../secret", "circle")}
    assert read == {"own": "own", "inner": "own", "link": None, "../secret": None, "circle": None}
