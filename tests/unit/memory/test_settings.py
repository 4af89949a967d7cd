"""A machine's settings: how they are read, and what of a tier's a box can be given."""

import subprocess
import sys
from typing import Any

import pytest

from onegig.machine import settings
from onegig.machine.settings import (
    CGROUP_V2,
    EXCEPT_ADVISED,
    FILES,
    NONE_AT_ALL,
    THP,
    THP_SCRIPT,
    fit_box,
    read_settings,
)
from onegig.model.settings import UNKNOWN, HugePages, Settings, thp_cost

# of a virtual machine with Debian 13, a swap file and zram
DEBIAN = dict(
    zip(
        FILES,
        (
            "[always] madvise never\n",
            "0\n",
            "60\n",
            (
                "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
                "/swapfile                               file\t\t1048572\t\t0\t\t-2\n"
                "/dev/zram0                              partition\t524284\t\t1024\t\t100\n"
            ),
            "6.12.57+deb13-cloud-amd64\n",
            "cpuset cpu io memory pids\n",
        ),
        strict=True,
    )
)


def test_settings_are_read_from_the_kernels_files() -> None:
    assert read_settings(DEBIAN.__getitem__) == Settings(
        thp=HugePages.ALWAYS,
        overcommit=0,
        swappiness=60,
        swap_bytes=(1048572 + 524284) * 1024,
        zram_bytes=524284 * 1024,
        kernel="6.12.57+deb13-cloud-amd64",
        cgroup_version=2,
    )
    assert read_settings(lambda name: "" if name == CGROUP_V2 else DEBIAN[name]).cgroup_version == 1
    assert read_settings(lambda _: "").kernel == ""  # a machine without these files
    assert read_settings(lambda _: "").thp is None
    without = read_settings(lambda name: "" if name == THP else DEBIAN[name])
    assert without.thp is HugePages.NEVER  # a kernel that was built without huge pages


OLD, NEW = "6.12.57+deb13", "6.18.1"


@pytest.mark.parametrize(
    ("here", "kernel", "wanted", "holds", "flags"),
    [
        ("always", NEW, "madvise", "madvise", EXCEPT_ADVISED),
        ("always", OLD, "madvise", "never", NONE_AT_ALL),
        ("madvise", OLD, "never", "never", NONE_AT_ALL),
        ("madvise", NEW, "always", "madvise", None),  # a process can't have more than the machine
        ("madvise", NEW, "madvise", "madvise", None),
        ("never", NEW, "always", "never", None),
        ("always", NEW, None, "always", None),
    ],
)
def test_a_box_gives_up_huge_pages_that_the_tier_does_not_give(
    here: str, kernel: str, wanted: str | None, holds: str, flags: int | None
) -> None:
    tier = Settings(thp=HugePages(wanted) if wanted else None)
    fit = fit_box(
        vcpus=0,
        cpus=0,
        wanted=tier,
        processors=1,
        here=Settings(thp=HugePages(here), kernel=kernel, swap_bytes=5),
    )
    assert fit.settings.thp == holds
    assert fit.settings.swap_bytes == 0
    assert (f"--env=THP_FLAGS={flags}" in fit.options) is (flags is not None)
    assert fit.settings_with((), host_programs=False).thp == here  # the dind image has no Python


@pytest.mark.parametrize(("flags", "expected"), [(NONE_AT_ALL, "1"), (EXCEPT_ADVISED, "3")])
def test_what_the_engine_starts_gives_up_huge_pages(flags: int, expected: str) -> None:
    """A kernel before 6.18 says that it can't, and the command runs anyway."""
    asks = "import ctypes; print(ctypes.CDLL(None).prctl(42, 0, 0, 0, 0))"  # PR_GET_THP_DISABLE
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", THP_SCRIPT, str(flags), sys.executable, "-c", asks],
        env={"THP_STAYS": "it stays"},
        capture_output=True,
        text=True,
        check=True,
    )
    refused = done.stderr == "onegig: it stays\n"
    assert done.stdout.strip() == ("0" if refused else expected)


QUOTA = ("--cpu-period", "100000", "--cpu-quota")


def test_runs_side_by_side_spread_over_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    plan: dict[str, Any] = {"vcpus": 2, "cpus": 2, "processors": 3}
    fits = [fit_box(**plan, wanted=UNKNOWN, here=UNKNOWN, turn=turn).options for turn in (0, 1, 2)]
    assert [options[1] for options in fits] == ["0,1", "1,2", "0,1"]


@pytest.mark.parametrize(
    ("vcpus", "cpus", "usable", "options", "sees"),
    [
        (2, 2, {0, 1, 2, 3}, ("--cpuset-cpus", "0,1"), 2),
        (1, 0.1, {2, 3}, ("--cpuset-cpus", "2", *QUOTA, "10000"), 1),
        (2, 0.2, {0, 1}, (*QUOTA, "20000"), 2),
        (4, 4, {0, 1}, (), 2),
        (0, 0, {0, 1}, (), 2),
    ],
)
def test_a_box_has_the_tiers_processors(
    monkeypatch: pytest.MonkeyPatch,
    vcpus: int,
    cpus: float,
    usable: set[int],
    options: tuple[Any, ...],
    sees: int,
) -> None:
    monkeypatch.setattr(settings.os, "sched_getaffinity", lambda _: usable, raising=False)
    fit = fit_box(vcpus=vcpus, cpus=cpus, wanted=UNKNOWN, processors=len(usable), here=UNKNOWN)
    assert fit.options == options
    assert (fit.settings.vcpus, fit.settings.cpus) == (sees, min(cpus or sees, sees))
    assert bool(fit.remarks) is (vcpus > sees)


@pytest.mark.parametrize(
    ("measured", "judged", "expected_mb"),
    [
        ("madvise", "always", 64),
        ("never", "always", 64),
        ("always", "madvise", -64),
        ("always", "always", 0),
        ("madvise", "never", 0),
        ("madvise", None, 0),
    ],
)
def test_huge_pages_cost_what_was_measured_with_15_containers(
    measured: str, judged: str | None, expected_mb: int
) -> None:
    modes = [Settings(thp=HugePages(mode) if mode else None) for mode in (measured, judged)]
    assert round(thp_cost(modes[0], modes[1], 15) / 1024**2) == expected_mb
