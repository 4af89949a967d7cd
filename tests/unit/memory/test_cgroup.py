"""The kernel's files, as captured, give the account; both versions, and every way they can lack."""

import shutil
from pathlib import Path

import pytest

from onegig.machine.cgroup import (
    Account,
    Hierarchy,
    Pressure,
    box_cgroup,
    cgroup_of,
    find_hierarchy,
    processes,
    read_marks,
    read_pressure,
    read_usage,
    walk,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "cgroup"
HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"


def read_account(cgroup: Path, version: int) -> Account:
    return read_usage(cgroup, version, read_marks(cgroup, version))


@pytest.mark.parametrize(
    ("mounts", "root", "version"),
    [(HYBRID, "/sys/fs/cgroup/memory", 1), (UNIFIED, "/sys/fs/cgroup", 2)],
)
def test_version_1_wins_where_it_holds_the_memory_controller(
    mounts: str, root: str, version: int
) -> None:
    assert find_hierarchy(mounts) == Hierarchy(root=Path(root), version=version)


def test_no_memory_controller_is_an_error_not_a_guess() -> None:
    with pytest.raises(LookupError, match="memory controller"):
        find_hierarchy("proc /proc proc rw 0 0\n")
    with pytest.raises(LookupError, match="no memory cgroup"):
        cgroup_of(find_hierarchy(HYBRID), "1:cpu:/\n")


def test_cgroup_of_a_process_by_version() -> None:
    one = find_hierarchy(HYBRID)
    assert cgroup_of(one, "4:memory:/docker/abc\n0::/docker/abc\n") == one.root / "docker/abc"
    two = find_hierarchy(UNIFIED)
    path = cgroup_of(two, "0::/system.slice/docker-abc.scope/engine\n")
    assert path == two.root / "system.slice/docker-abc.scope/engine"


def test_account_of_version_1_counts_the_children() -> None:
    account = read_account(GOLDEN / "v1", 1)
    assert account == Account(
        usage=4382720,
        anon=3428352,
        file=221184,
        inactive_file=73728,
        shmem=0,
        kernel=0,
        peak=4976640,
        oom_kills=2,
        major_faults=1,
        refaults=32,
    )
    assert account.working_set == 4382720 - 73728
    assert processes(GOLDEN / "v1") == (21352, 21360)


def test_account_of_version_2(tmp_path: Path) -> None:
    assert read_account(GOLDEN / "v2", 2) == Account(
        usage=344064,
        anon=49152,
        file=0,
        inactive_file=0,
        shmem=0,
        kernel=294912 - 73712,  # without reclaimable slab,
        peak=7147520,
        oom_kills=0,
    )
    copy = tmp_path / "older"
    shutil.copytree(GOLDEN / "v2", copy)
    (copy / "memory.peak").unlink()
    assert read_account(copy, 2).peak is None
    (copy / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n")
    assert read_account(copy, 2).oom_kills == 1


def test_the_box_is_the_parent_of_the_leaf_its_processes_moved_to() -> None:
    two = find_hierarchy(UNIFIED)
    scope = two.root / "system.slice/docker-abc.scope"
    assert box_cgroup(two, "0::/system.slice/docker-abc.scope/engine\n") == scope
    assert box_cgroup(two, "0::/system.slice/docker-abc.scope/init\n") == scope
    assert box_cgroup(two, "0::/system.slice/docker-abc.scope\n") == scope
    one = find_hierarchy(HYBRID)
    assert box_cgroup(one, "4:memory:/docker/abc\n") == one.root / "docker/abc"


def test_working_set_is_never_negative() -> None:
    account = Account(
        usage=10, anon=0, file=20, inactive_file=20, shmem=0, kernel=0, peak=None, oom_kills=0
    )
    assert account.working_set == 0
    assert account.unreclaimable == 0


def test_pressure_in_microseconds_and_its_absence(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert read_pressure(tmp_path, host=absent) is None
    assert read_pressure(GOLDEN / "v2", host=absent) == Pressure(some=0, full=0)
    (tmp_path / "memory.pressure").write_text(
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=700\n"
    )
    own = tmp_path / "memory.pressure"
    assert read_pressure(tmp_path, host=absent) == Pressure(some=1500, full=700)
    assert read_pressure(GOLDEN / "v1", host=own) == Pressure(some=1500, full=700, of_host=True)


def test_a_vanished_cgroup_is_told_from_an_empty_one(tmp_path: Path) -> None:
    copy = tmp_path / "box"
    shutil.copytree(GOLDEN / "v1", copy)
    (copy / "docker" / "abc").mkdir(parents=True)
    assert [part.name for part in walk(copy)] == ["box", "docker", "abc"]
    shutil.rmtree(copy)
    with pytest.raises(FileNotFoundError):
        read_account(copy, 1)
