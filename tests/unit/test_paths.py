"""Paths are named as a shell names them that came through a symbolic link."""

from pathlib import Path

import pytest

from onegig.paths import absolute, from_here, shown


def test_in_a_linked_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "far" / "real").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to("far/real")
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    assert absolute(Path("web")) == link / "web"
    assert absolute(Path("../web")) == tmp_path / "web"
    assert from_here(link / "web" / "Dockerfile") == "web/Dockerfile"
    assert from_here(tmp_path / "Dockerfile") == "../Dockerfile"
    assert shown(link / "compose.yml") == Path("compose.yml")
    assert shown(tmp_path / "compose.yml") == tmp_path / "compose.yml"


@pytest.mark.parametrize("pwd", ["", "/", "/nowhere"])
def test_a_pwd_of_another_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pwd: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", pwd)
    assert absolute(Path("a")) == tmp_path.resolve() / "a"
