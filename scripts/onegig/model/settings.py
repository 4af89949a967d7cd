"""A machine's settings that change how much memory the same programs take there."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Skipped


class HugePages(StrEnum):
    """The kernel's mode of transparent huge pages (THP)."""

    ALWAYS = "always"  # also for programs that did not ask for them
    MADVISE = "madvise"  # where a program asks
    NEVER = "never"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings that hold for the programs of a stack. None, or "": not known."""

    vcpus: int | None = None  # processors that programs see
    cpus: float | None = None  # so many processors' worth of work they may do
    thp: HugePages | None = None
    overcommit: int | None = None  # vm.overcommit_memory: 0 heuristic, 1 always, 2 never
    swappiness: int | None = None  # vm.swappiness
    swap_bytes: int | None = None  # of all kinds
    zram_bytes: int | None = None  # the part of it that is compressed memory
    kernel: str = ""
    cgroup_version: int | None = None


UNKNOWN = Settings()
NO_SETTINGS = Skipped(reason="the machine's settings were not kept")

# Huge pages given unasked cost 64 MB of a 968 MB machine (Debian 13, kernel 6.12, Docker 26.1) that
# ran 15 containers under load: its available memory fell by 432 MB under `always` and by 368 under
# `madvise`. Nearly all of it was in the containers' shims, with 7 MB of anonymous memory each
# instead of 4; dockerd and containerd took the same. So it grows with the number of containers.
THP_BYTES_PER_CONTAINER = 64 * 1024**2 // 15


def thp_cost(measured: Settings, judged: Settings, containers: int) -> int:
    """Return the bytes that the judged machine's huge pages are expected to add to what was seen.

    Negative if the measured machine was the one that gives them unasked, or 0 if the modes do
    not differ in that, or one is not known.
    """
    modes = (measured.thp, judged.thp)
    if None in modes:
        return 0
    gives = [mode is HugePages.ALWAYS for mode in modes]
    return (gives[1] - gives[0]) * THP_BYTES_PER_CONTAINER * containers
