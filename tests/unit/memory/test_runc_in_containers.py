"""What runc takes in a container's cgroup, before it turns into the program, is the engine's."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onegig.machine.cgroup import Hierarchy
from onegig.machine.processes import Processes
from onegig.machine.sampler import KernelLog, Sampler

GOLDEN = Path(__file__).parents[2] / "golden" / "cgroup" / "v1"
PID = 41
LARGE, SMALL = (12_000_000, 12_000_000, 0), (1_000_000, 1_000_000, 0)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Iterator[str]], Sampler]:
    """A box with one container of one process, whose name is the next one at every step.

    A step is a look at its name or at its memory; it is large while it is runc, by whatever name.
    """

    def make(names: Iterator[str]) -> Sampler:
        box = tmp_path / "box"
        for folder in (box, box / "docker" / "c1"):
            folder.mkdir(parents=True, exist_ok=True)
            for file in GOLDEN.iterdir():
                shutil.copy(file, folder)
            (folder / "cgroup.procs").write_text("")
        (box / "docker" / "c1" / "cgroup.procs").write_text(f"{PID}\n")
        processes = Processes(
            60.0,  # more than enough time for all
            name_of=lambda _pid: next(names),
            memory_of=lambda _pid: SMALL if next(names) == "sleep" else LARGE,
        )
        return Sampler(box, Hierarchy(root=tmp_path, version=1), KernelLog(""), processes)

    return make


def of_the_container(box: Sampler) -> int:
    return box.read().containers["c1"].usage.rss


def test_it_turns_into_the_program_between_two_looks(
    read: Callable[[Iterator[str]], Sampler],
) -> None:
    box = read(iter(["runc:[2:INIT]", "sleep", "sleep", "sleep"]))
    assert [of_the_container(box) for _ in range(2)] == [0, SMALL[0]]


def test_it_has_its_name_only_after_a_moment(read: Callable[[Iterator[str]], Sampler]) -> None:
    names = ["exe", "sleep", *["runc:[2:INIT]"] * 2, *["sleep"] * 9]
    box = read(iter(names))
    assert [of_the_container(box) for _ in range(3)] == [SMALL[0], 0, SMALL[0]]
