"""The settings of a machine, as programs on it get them, and what of a tier's a box can apply.

Nothing is ever written to this machine's /proc/sys or /sys: what the kernel keeps once for all its
processes (overcommit, swappiness, the mode of huge pages) stays as it is. But a process can give up
huge pages that it did not ask for, for itself and all that it starts, and can be given fewer
processors. The reverse is impossible.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onegig.model.settings import UNKNOWN, HugePages, Settings

THP, OVERCOMMIT = "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/sys/vm/overcommit_memory"
SWAPPINESS, SWAPS = "/proc/sys/vm/swappiness", "/proc/swaps"
KERNEL, CGROUP_V2 = "/proc/sys/kernel/osrelease", "/sys/fs/cgroup/cgroup.controllers"
FILES = (THP, OVERCOMMIT, SWAPPINESS, SWAPS, KERNEL, CGROUP_V2)
# Flags of prctl(PR_SET_THP_DISABLE), inherited by all that a process starts; see its manual page.
NONE_AT_ALL, EXCEPT_ADVISED = 0, 2
EXCEPT_ADVISED_SINCE = (6, 18)  # of the kernel
THP_STAYS = "This machine's setting of huge pages applies: the kernel would not change it."
THP_SCRIPT = """
import ctypes, os, sys
flags, *command = sys.argv[1:]
prctl, more = ctypes.CDLL(None).prctl, map(ctypes.c_ulong, (1, int(flags), 0, 0))
if prctl(41, *more):  # PR_SET_THP_DISABLE
    print("onegig:", os.environ["THP_STAYS"], file=sys.stderr, flush=True)
os.execvp(command[0], command)
"""
PERIOD = 100_000  # microseconds
LEAST_QUOTA = 1_000  # that the kernel takes


def read_file(path: str) -> str:
    """Return the text of this machine's file, or "" if there is none."""
    with suppress(OSError):
        return Path(path).read_text(errors="replace")
    return ""


def read_settings(read: Callable[[str], str] = read_file) -> Settings:
    """Return the settings in FILES, whose text `read` returns; of this machine by default."""
    kernel = read(KERNEL).strip()
    swaps = [line.split() for line in read(SWAPS).splitlines()[1:]]
    sizes = {fields[0]: int(fields[2]) * 1024 for fields in swaps if len(fields) > 2}
    return Settings(
        thp=_huge_page_mode(read(THP), kernel),
        overcommit=_number(read(OVERCOMMIT)),
        swappiness=_number(read(SWAPPINESS)),
        swap_bytes=sum(sizes.values()) if read(SWAPS) else None,
        zram_bytes=sum(size for name, size in sizes.items() if Path(name).name.startswith("zram")),
        kernel=kernel,
        cgroup_version=(2 if read(CGROUP_V2) else 1) if kernel else None,
    )


def _huge_page_mode(text: str, kernel: str) -> HugePages | None:
    """Return the mode in the text of THP; a kernel built without huge pages has no such file."""
    if kernel and not text:
        return HugePages.NEVER
    mode = re.search(r"\[(\w+)\]", text)
    return HugePages(mode[1]) if mode and mode[1] in set(HugePages) else None


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxFit:
    """The processors and settings of a box: those to apply, and those in force."""

    options: tuple[str, ...] = ()  # of `docker run`
    quota: int = 0  # microseconds of work in each PERIOD; 0: no limit
    remarks: tuple[str, ...] = ()
    settings: Settings = UNKNOWN  # in the box
    here: Settings = UNKNOWN  # of this machine, but for swap, of which a box has none

    def settings_with(self, remarks: Sequence[str], *, host_programs: bool) -> Settings:
        """Return the settings in force in the box, according to its entry script's remarks."""
        failed = not host_programs or THP_STAYS in remarks
        return replace(self.settings, thp=self.here.thp) if failed else self.settings


def fit_box(
    *, vcpus: int, cpus: float, wanted: Settings, processors: int, here: Settings, turn: int = 0
) -> BoxFit:
    """Fit a box to a machine with `vcpus` processors, of which it may use `cpus`.

    0 means as many as there are. `wanted` are the settings of the tier's image, `processors` counts
    those of the outer engine, and `here` are this machine's settings. Where it has more processors,
    the box is held to some of them: programs that count those they may run on see the tier's
    number. `turn` decides which ones, so that runs side by side spread; 0 are the first. The share
    is written as a quota, which can be lifted later.
    """
    affinity = getattr(os, "sched_getaffinity", lambda _: range(processors))  # Linux has it only
    usable = sorted(affinity(0))[:processors]
    shown = min(vcpus or processors, len(usable))
    options, quota, remarks = list[str](), 0, tuple[str, ...]()
    if shown < processors:
        first = turn % (len(usable) - shown + 1)
        options += ["--cpuset-cpus", ",".join(map(str, usable[first : first + shown]))]
    if 0 < cpus < shown:
        quota = max(LEAST_QUOTA, round(cpus * PERIOD))
        options += ["--cpu-period", str(PERIOD), "--cpu-quota", str(quota)]
    if vcpus > shown:
        remarks = (f"The tier has {vcpus} CPUs, the box only {shown}, as many as this machine.",)
    boxed = replace(here, swap_bytes=0, zram_bytes=0, vcpus=shown, cpus=quota / PERIOD or shown)
    thp, flags = _huge_pages(boxed, wanted.thp)
    if flags is not None:
        options += [f"--env=THP_FLAGS={flags}", f"--env=THP_SCRIPT={THP_SCRIPT}"]
        options += [
            f"--env=THP_STAYS={THP_STAYS}",
            f"--env=PYTHON={os.path.realpath(sys.executable)}",
        ]
    return BoxFit(
        options=tuple(options),
        quota=quota,
        remarks=remarks,
        settings=replace(boxed, thp=thp),
        here=boxed,
    )


def _huge_pages(here: Settings, wanted: HugePages | None) -> tuple[HugePages | None, int | None]:
    """Return the mode that a box can have, and prctl's flags for it; None: nothing to set.

    A kernel that can't tell huge pages that were asked for from others gives none.
    """
    takes_away = (here.thp, wanted) == (HugePages.ALWAYS, HugePages.MADVISE)
    if takes_away and version(here.kernel) >= EXCEPT_ADVISED_SINCE:
        return HugePages.MADVISE, EXCEPT_ADVISED
    if takes_away or (wanted is HugePages.NEVER and here.thp not in (None, HugePages.NEVER)):
        return HugePages.NEVER, NONE_AT_ALL
    return here.thp, None


def version(kernel: str) -> tuple[int, ...]:
    """Return the first two numbers of a kernel's version."""
    return tuple(map(int, re.findall(r"\d+", kernel)[:2]))


def pins_processors(config: Mapping[str, Any]) -> bool:
    """Return whether a service of the compose project names the processors that it runs on."""
    return any(service.get("cpuset") for service in config.get("services", {}).values())


NO_FIT = BoxFit()  # as this machine is
