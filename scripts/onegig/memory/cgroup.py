"""Reading the kernel's memory account of a cgroup, version 1 and version 2 alike.

Sources: Linux Documentation/admin-guide/cgroup-v2.rst ("Memory Interface Files") and
cgroup-v1/memory.rst. Version 1 needs the `total_` fields, which include the children.
Standard library only: the sampler may run where onegig's dependencies are not installed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Hierarchy:
    """Where the memory controller is mounted, and which version it speaks."""

    root: Path
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One cgroup's account, in bytes. `peak` is None on kernels older than 5.19 with version 2."""

    usage: int
    anon: int
    file: int  # page cache, tmpfs included
    inactive_file: int
    peak: int | None
    oom_kills: int

    @property
    def working_set(self) -> int:
        """Usage minus inactive file cache: what kubelet and `docker stats` call memory in use."""
        return max(0, self.usage - self.inactive_file)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressure:
    """Total stall times from `memory.pressure`, in microseconds since the cgroup was made."""

    some: int
    full: int


def find_hierarchy(mounts: str) -> Hierarchy:
    """The memory hierarchy in the text of /proc/mounts; LookupError when there is none."""
    unified = None
    for line in mounts.splitlines():
        _, target, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return Hierarchy(root=Path(target), version=1)
        if kind == "cgroup2" and unified is None:
            unified = Hierarchy(root=Path(target), version=2)
    if unified is None:
        raise LookupError("no cgroup file system with a memory controller is mounted")
    return unified


def cgroup_of(hierarchy: Hierarchy, proc_cgroup: str) -> Path:
    """The memory cgroup named in the text of /proc/PID/cgroup; LookupError when there is none."""
    for line in proc_cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        if hierarchy.version == 1 and "memory" in controllers.split(","):
            return hierarchy.root / path.lstrip("/")
        if hierarchy.version == 2 and number == "0":
            return hierarchy.root / path.lstrip("/")
    raise LookupError("the process is in no memory cgroup")


def read_account(cgroup: Path, version: int) -> Account:
    """The account as of now. Raises FileNotFoundError once the cgroup is gone."""
    stat = _keyed(cgroup / "memory.stat")
    if version == 1:
        return Account(
            usage=_number(cgroup / "memory.usage_in_bytes"),
            anon=stat["total_rss"],
            file=stat["total_cache"],
            inactive_file=stat["total_inactive_file"],
            peak=_number(cgroup / "memory.max_usage_in_bytes"),
            oom_kills=_keyed(cgroup / "memory.oom_control").get("oom_kill", 0),
        )
    peak = cgroup / "memory.peak"
    return Account(
        usage=_number(cgroup / "memory.current"),
        anon=stat["anon"],
        file=stat["file"],
        inactive_file=stat["inactive_file"],
        peak=_number(peak) if peak.exists() else None,
        oom_kills=_keyed(cgroup / "memory.events").get("oom_kill", 0),
    )


def read_pressure(cgroup: Path) -> Pressure | None:
    """Stall times of a version 2 cgroup; None where the kernel keeps none (version 1, PSI off)."""
    try:
        lines = (cgroup / "memory.pressure").read_text().splitlines()
    except OSError:
        return None
    totals = {
        line.split()[0]: int(line.rpartition("total=")[2]) for line in lines if "total=" in line
    }
    return Pressure(some=totals.get("some", 0), full=totals.get("full", 0))


def processes(cgroup: Path) -> tuple[int, ...]:
    """Processes directly in this cgroup, as numbered where the reader stands."""
    return tuple(int(pid) for pid in (cgroup / "cgroup.procs").read_text().split())


def walk(cgroup: Path) -> Iterator[Path]:
    """The cgroup and everything below it."""
    yield cgroup
    for child in cgroup.iterdir():
        if child.is_dir():
            yield from walk(child)


def _keyed(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _number(path: Path) -> int:
    return int(path.read_text())
