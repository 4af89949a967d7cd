"""Files of a checkout are read and written without trust; caches of others are not read."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from onegig import pipeline
from onegig.cli import main
from onegig.dockerfiles import policy
from onegig.dockerfiles.builds import Build
from onegig.errors import ConfigError, ExitCode
from onegig.files import (
    MOST_BYTES,
    absolute,
    append_file,
    cache_folder,
    distrust,
    make_private,
    read_bytes,
    read_text,
    relative_to_here,
    remove_file,
    shown,
    write_file,
    write_new_file,
)
from onegig.github.gate import find_dockerfiles
from onegig.images import trivy
from onegig.images.cache import open_cache
from onegig.model.measured import Unknown
from onegig.model.stack import Stack
from reviews import make_warn
from scenarios import make_go
from stacks import plain_service

Write = Callable[[Path, str], None]
WRITERS = (write_file, write_new_file, append_file)
PRECIOUS = "not to be written over"
DIGEST = "sha256:" + "a" * 64
WEIGHT = 1
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give folders away")


Make = Callable[[Path], object]
KINDS = pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("/dev/zero"),
        os.mkfifo,
        Path.mkdir,
        lambda path: path.write_bytes(b"x" * (MOST_BYTES + 1)),
    ],
    ids=["device", "pipe", "folder", "large"],
)


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file outside of the checkout that a link of the checkout leads to."""
    path = tmp_path / "home" / "precious"
    path.parent.mkdir()
    path.write_text(PRECIOUS)
    return path


def assert_untouched(precious: Path) -> None:
    assert precious.read_text() == PRECIOUS
    assert sorted(precious.parent.iterdir()) == [precious]


@pytest.mark.security
@KINDS
def test_what_is_not_read(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "file")
    assert read_text(tmp_path / "file") is None
    assert read_text(tmp_path / "none") is None
    assert read_text(tmp_path / "a\0b") is None


@pytest.mark.security
def test_a_regular_file_is_read_to_its_limit(checkout: Path) -> None:
    Path("file").write_bytes(b"abc\xff")
    Path("link").symlink_to("file")
    assert read_text(Path("link")) == "abc\N{REPLACEMENT CHARACTER}"
    assert read_text(Path("file"), 3) is None
    assert read_bytes(Path("file"), 2) == b"abc"
    assert read_text(Path("/proc/self/status"), 10) is None  # of no size, as stat has it
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert read_text(Path("socket")) is None


@pytest.mark.security
@KINDS
def test_settings_of_hadolint(tmp_path: Path, make: Make) -> None:
    make(tmp_path / ".hadolint.yaml")
    assert policy.read_settings(tmp_path) == policy.NO_SETTINGS


@pytest.mark.security
@KINDS
def test_a_line_to_blame(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "Dockerfile")
    report = make_warn()
    web = plain_service("web", builds=True, dockerfile="Dockerfile")
    stack = Stack(name="s", directory=str(tmp_path), files=(), services=(web,), config_json="{}")
    assert find_dockerfiles(report, stack) == {}


@pytest.mark.security
def test_a_context_ends_at_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("token")
    context = tmp_path / "context"
    context.mkdir()
    (context / "own").write_text("own")
    for name, target in (("link", "../secret"), ("inner", "own"), ("circle", "circle")):
        (context / name).symlink_to(target)
    build = Build(service="web", dockerfile=context / "Dockerfile", context=context)
    read = {name: build.read(name) for name in ("own", "inner", "link", "../secret", "circle")}
    assert read == {"own": "own", "inner": "own", "link": None, "../secret": None, "circle": None}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Result]:
    """Run `onegig check` on a stack that was measured before."""
    monkeypatch.setattr(pipeline, "check", lambda *_: make_go())
    return lambda: CliRunner().invoke(main, ["check", "--quiet"])


@pytest.mark.security
@pytest.mark.parametrize("name", ["comment.md", "report.html", "report.json"])
def test_a_report_replaces_a_link_and_does_not_follow_it(
    name: str, checkout: Path, precious: Path, check: Callable[[], Result]
) -> None:
    (checkout / "report").mkdir()
    (checkout / "report" / name).symlink_to(precious)
    assert check().exit_code == ExitCode.OK
    assert_untouched(precious)
    assert not (checkout / "report" / name).is_symlink()
    assert (checkout / "report" / name).stat().st_size > 0


@pytest.mark.security
@pytest.mark.parametrize("target", ["../home", "/etc"], ids=["relative", "absolute"])
def test_a_folder_that_leads_out_of_the_checkout_is_refused(
    target: str, checkout: Path, precious: Path, check: Callable[[], Result]
) -> None:
    (checkout / "report").symlink_to(target)
    result = check()
    assert result.exit_code == ExitCode.CONFIG
    real = os.path.realpath(checkout / target)
    assert f"report points out of the checkout, to {real}" in result.stderr
    assert_untouched(precious)


@pytest.mark.security
@pytest.mark.parametrize("write", [*WRITERS, lambda path, _: remove_file(path)])
def test_nothing_is_written_or_removed_behind_a_folder(
    write: Write, checkout: Path, precious: Path
) -> None:
    (checkout / "deep").mkdir()
    (checkout / "deep" / "out").symlink_to(precious.parent)
    for name in ("precious", "new", "inner/new"):
        with pytest.raises(ConfigError, match="out of the checkout"):
            write(checkout / "deep" / "out" / name, "x")
    assert_untouched(precious)


@pytest.mark.security
@pytest.mark.parametrize("write", [write_new_file, append_file])
def test_a_link_in_the_place_of_a_file_is_an_error(
    write: Write, checkout: Path, precious: Path
) -> None:
    for name, target in (("there", precious), ("missing", precious.with_name("new"))):
        (checkout / name).symlink_to(target)
        with pytest.raises(ConfigError, match=f"{name} cannot be written"):
            write(Path(name), "x")
    assert_untouched(precious)


@pytest.mark.security
def test_a_checkout_that_is_reached_through_a_link_keeps_its_rules(
    checkout: Path, precious: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shortcut").symlink_to(checkout)
    (checkout / "out").symlink_to(precious.parent)
    monkeypatch.setenv("PWD", str(tmp_path / "shortcut"))
    monkeypatch.chdir(tmp_path / "shortcut")
    for folder in (Path(), tmp_path / "shortcut", checkout):
        with pytest.raises(ConfigError, match="out of the checkout"):
            write_file(folder / "out" / "new", "x")
        write_file(folder / "own", "x")
    assert_untouched(precious)


@pytest.mark.security
def test_a_checkout_that_is_not_the_current_folder_keeps_its_rules(
    checkout: Path, precious: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (precious.parent / ".git").mkdir()  # a link to another repository
    (checkout / "out").symlink_to(precious.parent)
    (checkout / "file").symlink_to(precious)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="out of the checkout"):
        write_file(checkout / "out" / "new", "x")
    write_file(checkout / "file", "x")
    assert precious.read_text() == PRECIOUS
    assert not (precious.parent / "new").exists()


def test_links_of_the_user_elsewhere_are_followed(checkout: Path, precious: Path) -> None:
    elsewhere = precious.parent
    (elsewhere / "folder").mkdir()
    (elsewhere / "shortcut").symlink_to("folder")
    (elsewhere / "file").symlink_to(precious)
    write_file(elsewhere / "shortcut" / "inner" / "new", "x")
    write_file(elsewhere / "file", "y")
    assert (elsewhere / "folder" / "inner" / "new").read_text() == "x"
    assert ((elsewhere / "file").is_symlink(), precious.read_text()) == (True, "y")


def test_links_within_the_checkout_are_followed_to_folders(checkout: Path) -> None:
    (checkout / "build").mkdir()
    (checkout / "report").symlink_to("build")
    write_file(Path("report/report.json"), "x")
    assert (checkout / "build" / "report.json").read_text() == "x"


def test_files_are_the_users_as_any_others(checkout: Path) -> None:
    umask = os.umask(0o027)
    try:
        write_file(Path("a/b/new"), "x")
        append_file(Path("a/b/log"), "1\n")
        append_file(Path("a/b/log"), "2\n")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((checkout / "a/b/new").stat().st_mode) == 0o640
    assert (checkout / "a/b/log").read_text() == "1\n2\n"
    assert sorted(path.name for path in (checkout / "a/b").iterdir()) == ["log", "new"]


def test_pipes_and_devices_are_written_to(checkout: Path) -> None:
    reading, writing = os.pipe()
    for write in (write_file, append_file):
        write(Path(f"/dev/fd/{writing}"), "x\n")
        write(Path("/dev/null"), "x\n")
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "x\nx\n"
    assert Path("/dev/null").is_char_device()


def test_what_can_not_be_written_says_so(checkout: Path) -> None:
    write_new_file(Path("file"), "x")
    with pytest.raises(ConfigError, match="file cannot be written: File exists"):
        write_new_file(Path("file"), "y")
    (checkout / "folder").mkdir()
    for path in ("file/inner", "folder"):
        with pytest.raises(ConfigError, match=f"{path} cannot be written"):
            write_file(Path(path), "x")
    assert (checkout / "file").read_text() == "x"
    assert sorted(path.name for path in checkout.iterdir()) == [".git", "file", "folder"]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, with a layer in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    open_cache(pytest.fail).keep_weight(DIGEST, WEIGHT)
    return tmp_path / "cache"


def spoil(folder: Path, how: str) -> None:
    if how == "others can write to":
        folder.chmod(0o777)
        return
    if how == "a link of others":
        folder.symlink_to(folder.rename(folder.with_name("real")))
    os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)


HOWS = (
    "others can write to",
    pytest.param("a link of others", marks=needs_root),
    pytest.param("belongs to another user", marks=needs_root),
)


def test_a_cache_of_our_own_is_read_and_others_may_not_look(base: Path) -> None:
    assert distrust(base / "none") == ""  # what is not there yet is not distrusted
    make_private(base / "none/deep")
    assert distrust(base / "none/deep") == ""
    assert open_cache(pytest.fail).weight(DIGEST) == WEIGHT
    assert {oct(path.stat().st_mode)[-3:] for path in (base, base / "onegig")} == {"700"}


@pytest.mark.security
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("part", ["onegig", "onegig/inspect"])
def test_a_planted_cache_is_neither_read_nor_written(base: Path, part: str, how: str) -> None:
    spoil(base / part, how)
    said: list[str] = []
    cache = open_cache(said.append)
    assert cache.weight(DIGEST) is None
    before = sorted(base.rglob("*"))
    cache.keep_weight("sha256:" + "b" * 64, WEIGHT)
    cache.prune()
    assert sorted(base.rglob("*")) == before
    assert len(said) == 1
    assert said[0].startswith("nothing is taken from the cache: ")
    assert str(base / part) in said[0]


@pytest.mark.security
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("part", ["", "db", "java-db"])
def test_a_planted_database_of_trivy_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, how: str
) -> None:
    program = tmp_path / "trivy"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    program.chmod(0o755)
    monkeypatch.setattr(trivy, "find_program", lambda _name: str(program))
    folder = tmp_path / "databases"
    (folder / part).mkdir(parents=True)
    spoil(folder / part, how)
    found = trivy.find(folder=folder)
    assert isinstance(found, Unknown)
    assert found.reason.startswith("its database may have been written by another user: ")
    assert not (tmp_path / "asked").exists()


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    assert cache_folder().is_relative_to(os.devnull)
    cache = open_cache(lambda _text: None)
    cache.keep_weight(DIGEST, WEIGHT)
    assert cache.weight(DIGEST) is None


def test_paths_in_a_linked_folder_are_named_as_the_shell_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far" / "real").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to("far/real")
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    assert absolute(Path("web")) == link / "web"
    assert absolute(Path("../web")) == tmp_path / "web"
    assert relative_to_here(link / "web" / "Dockerfile") == "web/Dockerfile"
    assert relative_to_here(tmp_path / "Dockerfile") == "../Dockerfile"
    assert shown(link / "compose.yml") == Path("compose.yml")
    assert shown(tmp_path / "compose.yml") == tmp_path / "compose.yml"


@pytest.mark.parametrize("pwd", ["", "/", "/nowhere"])
def test_a_pwd_of_another_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pwd: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", pwd)
    assert absolute(Path("a")) == tmp_path.resolve() / "a"
