"""A service that makes and removes cgroups of its own, as systemd or an engine in it does."""

import os
import shutil
from pathlib import Path

import pytest

from onegig.machine import breakdown
from onegig.machine.breakdown import read_containers
from onegig.machine.cgroup import Hierarchy
from onegig.machine.processes import Processes
from onegig.machine.sampler import KernelLog, Sampler

GOLDEN = Path(__file__).parents[2] / "golden" / "cgroup" / "v1"
EACH = 1_000_000


def add_cgroup(path: Path, pids: str) -> None:
    shutil.copytree(GOLDEN, path)
    (path / "cgroup.procs").write_text(pids)


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """The cgroup of a container with a process in itself and one in a unit."""
    add_cgroup(tmp_path / "box", "")
    add_cgroup(tmp_path / "box/engine", "1\n")
    add_cgroup(tmp_path / "box/docker/c1", "41\n")
    add_cgroup(tmp_path / "box/docker/c1/app.service", f"{os.getpid()}\n")
    return tmp_path / "box/docker/c1"


def test_a_container_stays_in_sight_when_one_of_its_cgroups_goes(
    container: Path, tmp_path: Path
) -> None:
    processes = Processes(
        60.0,
        name_of=lambda _pid: "sleep",
        memory_of=lambda _pid: (EACH, EACH, 0),
        borrows=lambda _pid: False,
    )
    hierarchy = Hierarchy(root=tmp_path, version=1)
    sampler = Sampler(tmp_path / "box", hierarchy, KernelLog(""), processes)
    assert sampler.read().containers["c1"].usage.rss == 2 * EACH
    shutil.rmtree(container / "app.service")
    after = sampler.read()
    assert after.containers["c1"].usage.rss == EACH
    assert sum(usage.rss for usage in after.engine.values()) == EACH
    shutil.rmtree(container)
    assert sampler.read().containers == {}


def test_a_breakdown_has_what_is_left_of_a_container(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroups = (container / "gone.service", container / "app.service")
    monkeypatch.setattr(breakdown, "walk", lambda _: iter(cgroups))  # as it was a moment ago
    ((name, parts),) = read_containers(tmp_path / "box")
    assert name == "c1"
    assert parts.pss > EACH
