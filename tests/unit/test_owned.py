"""Whose things are whose: only what belongs to no living run may be removed."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests
from docker.errors import APIError

from onegig.engine.engine import Engine
from onegig.engine.owned import RUN_LABEL, identity, is_alive, new_run, remove_leftovers, remove_run
from onegig.errors import EngineError


def test_a_living_process_is_alive() -> None:
    assert is_alive(identity(), time.time())


def test_a_dead_process_is_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = identity(child.pid)
    assert is_alive(owner, time.time())
    child.communicate()
    assert not is_alive(owner, time.time())


def test_a_number_used_again_is_another_process() -> None:
    host, pid, _ = identity().rsplit(":", 2)
    assert not is_alive(f"{host}:{pid}:1000.00", time.time())


@pytest.mark.parametrize("text", ["", "x", "a:b", "a:b:c"])
def test_unreadable_owners_count_as_another_host_until_they_are_old(text: str) -> None:
    assert is_alive(text, time.time())
    assert not is_alive(text, time.time() - 7 * 3600)


def write_owner(folder: Path, owner: str) -> Path:
    folder.mkdir(mode=0o700)
    (folder / "owner").write_text(owner)
    return folder


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the system that is everybody's."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def dead() -> str:
    """The owner of a run that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = identity(child.pid)
        child.communicate()
    return owner


def leftovers() -> tuple[str, ...]:
    """What is removed where the engine has nothing."""
    engine = Mock()
    client = engine.client
    for kind in (client.containers, client.volumes, client.networks, client.images):
        kind.list.return_value = []
    return remove_leftovers(engine)


def test_a_run_removes_its_folder(temp: Path) -> None:
    with new_run() as run:
        assert (run.directory / "owner").read_text() == identity(os.getpid())
        assert run.labels["onegig.run"] == run.name
        assert oct(run.directory.stat().st_mode)[-3:] == "700"
        assert leftovers() == ()
        assert run.directory.is_dir()
    assert list(temp.iterdir()) == []


def test_what_a_dead_run_left_is_removed(temp: Path, dead: str) -> None:
    folder = write_owner(temp / "onegig-0123abcd.x1y2", dead)
    assert leftovers() == (f"folder {folder}",)
    assert list(temp.iterdir()) == []


def test_a_folder_that_can_not_be_removed_is_not_reported_as_removed(
    temp: Path, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_owner(temp / "onegig-0123abcd.x1y2", dead)
    monkeypatch.setattr(os, "unlink", Mock(side_effect=PermissionError))
    assert leftovers() == ()


def test_a_run_that_just_begins_has_no_owner_yet(temp: Path) -> None:
    (temp / "onegig-0123abcd.x1y2").mkdir(mode=0o700)
    assert leftovers() == ()


@pytest.mark.security
def test_no_name_of_a_run_can_be_taken_before_it(temp: Path) -> None:
    (temp / f"onegig-{os.getuid()}").symlink_to(temp / "theirs")
    (temp / "theirs").mkdir()
    with new_run() as first, new_run() as second:
        assert first.directory.parent == second.directory.parent == temp
        assert first.directory.name.removeprefix(first.name)  # more than the labels tell
        assert first.directory.name != second.directory.name
    assert list((temp / "theirs").iterdir()) == []


@pytest.mark.security
@pytest.mark.parametrize("how", ["link", "open", "name", "theirs"])
def test_what_no_run_of_ours_made_is_left_alone(temp: Path, dead: str, how: str) -> None:
    name = temp / ("onegig-box.sh" if how == "name" else "onegig-0123abcd.x1y2")
    folder = write_owner(temp / "precious" if how == "link" else name, dead)
    if how == "link":
        name.symlink_to(folder)
    elif how == "open":
        folder.chmod(0o755)
    elif how == "theirs":
        if os.geteuid() != 0:
            pytest.skip("needs root to give a folder to another user")
        os.chown(folder, 65534, 65534)
    assert leftovers() == ()
    assert (folder / "owner").exists()


@pytest.mark.parametrize("fault", [requests.ReadTimeout("read timeout=120"), APIError("busy")])
def test_an_engine_that_does_not_answer_is_no_bug_of_ours(fault: Exception) -> None:
    """What can't be removed does not keep the rest, and a list that fails is the engine's error."""
    client = Mock()
    for collection in (client.containers, client.volumes, client.networks, client.images):
        collection.list.return_value = []
    with new_run() as run:
        stuck, volume = Mock(labels=run.labels, attrs={}), Mock(attrs={"Labels": run.labels})
        stuck.remove.side_effect = client.api.inspect_container.side_effect = fault
        client.containers.list.return_value, client.volumes.list.return_value = [stuck], [volume]
        remove_run(Engine(client), run)
        volume.remove.assert_called_once()
        client.containers.list.side_effect = fault
        with pytest.raises(EngineError) as caught:
            remove_run(Engine(client), run)
    assert RUN_LABEL in caught.value.command
