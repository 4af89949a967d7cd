"""Whose things are whose: only what belongs to no living run may be removed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onegig import owned
from onegig.owned import identity, is_alive, new_run


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


def test_a_run_removes_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "runs_directory", lambda: tmp_path)
    with new_run() as run:
        assert (run.directory / "owner").read_text() == identity(os.getpid())
        assert run.labels["onegig.run"] == run.name
        assert oct(run.directory.stat().st_mode)[-3:] == "700"
    assert list(tmp_path.iterdir()) == []
