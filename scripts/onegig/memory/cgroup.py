"""Reading the kernel's memory account of a cgroup, version 1 and version 2 alike.

Sources: Linux Documentation/admin-guide/cgroup-v2.rst ("Memory Interface Files") and
cgroup-v1/memory.rst. Version 1 needs the `total_` fields, which include the children.
Standard library only: the sampler may run where onegig's dependencies are not installed.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LEAVES = ("engine", "init")  # box.sh's and dind's


@dataclass(frozen=True, kw_only=True, slots=True)
class Hierarchy:
    """Where the memory controller is mounted, and which version it speaks."""

    root: Path
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """What only grows. `peak` is None on kernels older than 5.19 with version 2."""

    peak: int | None
    oom_kills: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One cgroup's account, in bytes; `peak` and `oom_kills` as in Marks."""

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


def box_cgroup(hierarchy: Hierarchy, proc_cgroup: str) -> Path:
    """The cgroup of a whole box, from that of its first process.

    Under version 2 an engine inside a container moves the processes into a leaf of their own.
    """
    cgroup = cgroup_of(hierarchy, proc_cgroup)
    return cgroup.parent if hierarchy.version == 2 and cgroup.name in LEAVES else cgroup


def read_marks(cgroup: Path, version: int) -> Marks:
    """The high-water mark and the kills: they only grow, and need not be read at every pass."""
    if version == 1:
        return Marks(
            peak=int(_read(cgroup, "memory.max_usage_in_bytes")),
            oom_kills=_value(_read(cgroup, "memory.oom_control"), b"oom_kill"),
        )
    try:
        peak = int(_read(cgroup, "memory.peak"))
    except FileNotFoundError:
        peak = None
    return Marks(peak=peak, oom_kills=_value(_read(cgroup, "memory.events"), b"oom_kill"))


def read_usage(cgroup: Path, version: int, marks: Marks) -> Account:
    """The account as of now, with marks read before; FileNotFoundError once the cgroup is gone."""
    stat = _read(cgroup, "memory.stat")
    if version == 1:
        usage = int(_read(cgroup, "memory.usage_in_bytes"))
        keys = (b"total_rss", b"total_cache", b"total_inactive_file")
    else:
        usage = int(_read(cgroup, "memory.current"))
        keys = (b"anon", b"file", b"inactive_file")
    anon, file, inactive_file = (_value(stat, key) for key in keys)
    return Account(
        usage=usage,
        anon=anon,
        file=file,
        inactive_file=inactive_file,
        peak=marks.peak,
        oom_kills=marks.oom_kills,
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
    return tuple(int(pid) for pid in _read(cgroup, "cgroup.procs").split())


def children(cgroup: Path) -> list[str]:
    """Names of the cgroups directly below; none where there is no such cgroup."""
    try:
        with os.scandir(cgroup) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def walk(cgroup: Path) -> Iterator[Path]:
    """The cgroup and everything below it."""
    yield cgroup
    for name in children(cgroup):
        yield from walk(cgroup / name)


def _read(cgroup: Path, name: str) -> bytes:
    with open(f"{cgroup}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - read at 10 Hz
        return file.read()


def _value(text: bytes, key: bytes) -> int:
    """The number behind a key at the start of a line; 0 when the kernel does not have it."""
    start = 0 if text.startswith(key + b" ") else text.find(b"\n" + key + b" ") + 1
    if not start and not text.startswith(key + b" "):
        return 0
    return int(text[start + len(key) : text.find(b"\n", start)])
