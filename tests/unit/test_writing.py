"""Results stay where they belong, whatever links a checkout holds."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from onegig import pipeline
from onegig.cli import main
from onegig.errors import ConfigError, ExitCode
from onegig.files import append_file, remove_file, write_file, write_new_file
from scenarios import make_go

Write = Callable[[Path, str], None]
WRITERS = (write_file, write_new_file, append_file)
PRECIOUS = "not to be written over"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that is the current folder."""
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file outside of the checkout that a link of the checkout leads to."""
    path = tmp_path / "home" / "precious"
    path.parent.mkdir()
    path.write_text(PRECIOUS)
    return path


@pytest.mark.security
@pytest.mark.parametrize("name", ["comment.md", "report.html", "report.json"])
def test_a_report_replaces_a_link_and_does_not_follow_it(
    name: str, checkout: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "check", lambda *_: make_go())
    (checkout / "report").mkdir()
    (checkout / "report" / name).symlink_to(precious)
    assert CliRunner().invoke(main, ["check", "--quiet"]).exit_code == ExitCode.OK
    assert precious.read_text() == PRECIOUS
    assert not (checkout / "report" / name).is_symlink()
    assert (checkout / "report" / name).stat().st_size > 0


@pytest.mark.security
@pytest.mark.parametrize("target", ["../home", "/etc"], ids=["relative", "absolute"])
def test_a_folder_that_leads_out_of_the_checkout_is_refused(
    target: str, checkout: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "check", lambda *_: make_go())
    (checkout / "report").symlink_to(target)
    result = CliRunner().invoke(main, ["check", "--quiet"])
    assert result.exit_code == ExitCode.CONFIG
    real = os.path.realpath(checkout / target)
    assert f"report leads out of the checkout, to {real}" in result.stderr
    assert sorted(precious.parent.iterdir()) == [precious]


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
    assert precious.read_text() == PRECIOUS
    assert sorted(precious.parent.iterdir()) == [precious]


@pytest.mark.security
@pytest.mark.parametrize("write", [write_new_file, append_file])
def test_a_link_in_the_place_of_a_file_is_an_error(
    write: Write, checkout: Path, precious: Path
) -> None:
    for name, target in (("there", precious), ("missing", precious.with_name("new"))):
        (checkout / name).symlink_to(target)
        with pytest.raises(ConfigError, match=f"{name} cannot be written"):
            write(Path(name), "x")
    assert precious.read_text() == PRECIOUS
    assert sorted(precious.parent.iterdir()) == [precious]


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
    assert sorted(precious.parent.iterdir()) == [precious]


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


def test_a_file_that_is_there_is_no_new_one(checkout: Path) -> None:
    write_new_file(Path("new"), "x")
    with pytest.raises(ConfigError, match="new cannot be written: File exists"):
        write_new_file(Path("new"), "y")
    assert (checkout / "new").read_text() == "x"
    assert [path.name for path in checkout.iterdir() if path.name != ".git"] == ["new"]


def test_what_can_not_be_written_says_so(checkout: Path) -> None:
    (checkout / "file").touch()
    (checkout / "folder").mkdir()
    for path in ("file/inner", "folder"):
        with pytest.raises(ConfigError, match=f"{path} cannot be written"):
            write_file(Path(path), "x")
