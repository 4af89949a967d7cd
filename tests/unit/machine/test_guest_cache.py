"""The twin's guest is built once for what it is made of; without a network the newest serves."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from onegig.errors import BootError
from onegig.machine.machine import BootPlan
from onegig.machine.twin import guest
from onegig.model.budgets import Budgets

Said = list[str]


def _plan(said: Said) -> BootPlan:
    budgets = Budgets(path="budgets.yml", compose="compose.yml")
    return cast(BootPlan, SimpleNamespace(budgets=budgets, say=said.append, engine=None, run=None))


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A mirror whose list of packages the test decides, and a build that only makes the files."""
    state: dict[str, Any] = {"list": b"trixie 13.1", "built": []}

    def get(_url: str, **_options: Any) -> requests.Response:
        if state["list"] is None:
            raise requests.ConnectionError
        response = requests.Response()
        response.status_code, response._content = 200, state["list"]
        return response

    def build(_engine: object, _run: object, _image: str, _mirror: str, folder: Path) -> None:
        if state["list"] is None:
            raise BootError("the mirror does not answer")
        folder.mkdir(parents=True)
        (folder / guest.ROOT).touch()
        state["built"].append(folder.name)

    monkeypatch.setattr(requests, "get", get)
    monkeypatch.setattr(guest, "_build", build)
    monkeypatch.setattr(guest, "find_mirror", lambda: "http://mirror.example/debian")
    monkeypatch.setattr(guest, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(guest.host, "require_programs", lambda *_: None)
    return state


def test_a_guest_is_built_once_for_what_it_is_made_of(
    mirror: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: Said = []
    first = guest.ensure_guest(_plan(said), "empty")
    assert guest.ensure_guest(_plan(said), "empty") == first
    assert len(mirror["built"]) == len(said) == 1
    os.utime(first.notes, (1, 1))
    mirror["list"] = b"trixie 13.2"
    second = guest.ensure_guest(_plan(said), "empty")
    monkeypatch.setattr(guest, "our_file", lambda name: name.encode())
    third = guest.ensure_guest(_plan(said), "empty")
    assert len({first.notes, second.notes, third.notes}) == len(mirror["built"]) == 3
    kept = {path.name for path in (tmp_path / "onegig" / "twin").iterdir()}
    assert kept == {second.notes.name, third.notes.name}


def test_without_a_network_the_newest_guest_serves(mirror: dict[str, Any]) -> None:
    said: Said = []
    cached = guest.ensure_guest(_plan(said), "empty")
    unfinished = cached.notes.with_name(f"{cached.notes.name}.onegig-12345678")
    unfinished.mkdir()
    (unfinished / guest.ROOT).touch()
    os.utime(cached.notes, (1, 1))
    mirror["list"] = None
    assert guest.ensure_guest(_plan(said), "empty") == cached
    assert said[1:] == ["Debian's mirror does not answer; using the existing guest image"]


def test_without_a_network_and_a_guest_there_is_an_error(mirror: dict[str, Any]) -> None:
    mirror["list"] = None
    with pytest.raises(BootError):
        guest.ensure_guest(_plan([]), "empty")


def test_a_build_that_fails_leaves_its_files_to_their_owner(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in (("mmdebstrap", "exit 1"), ("chown", f'echo "$@" >{tmp_path}/chowned')):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    names = ("MIRROR", "SUITE", "WORK", "OUT", "SHARE", "OWNER")
    environment = {**dict.fromkeys(names, str(tmp_path)), "OWNER": "7:8"}
    result = subprocess.run(
        ["/bin/sh", "-c", guest.our_file("root.sh")],
        env={"PATH": f"{programs}:/usr/bin:/bin", **environment},
        check=False,
    )
    assert result.returncode == 1
    assert (tmp_path / "chowned").read_text() == f"-R 7:8 {tmp_path}\n"
