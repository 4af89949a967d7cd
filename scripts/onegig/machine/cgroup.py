"""Reading the kernel's memory account of a cgroup, version 1 and version 2 alike.

Sources: Linux Documentation/admin-guide/cgroup-v2.rst ("Memory Interface Files") and
cgroup-v1/memory.rst. Version 1 needs the `total_` fields, which include the children.
Standard library only: the sampler may run where onegig's dependencies are not installed.

Also /proc/meminfo of a machine of a given size, for containers that would see their host's.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HOST_PRESSURE = Path("/proc/pressure/memory")
LEAVES = ("engine", "init")  # box.sh's and dind's


@dataclass(frozen=True, kw_only=True, slots=True)
class Hierarchy:
    """The mount of the memory controller, and its version."""

    root: Path
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """Counters that only grow. `peak` is None on kernels older than 5.19 with version 2."""

    peak: int | None
    oom_kills: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One cgroup's account, in bytes; `peak` and `oom_kills` as in Marks.

    `major_faults` and `refaults` count since the cgroup was made: faults that waited for the disk,
    and pages read again soon after they had been evicted. Both rise if memory is short.
    """

    usage: int
    anon: int
    file: int  # page cache, with `shmem`
    inactive_file: int
    shmem: int  # tmpfs, /dev/shm, memfd and shared anonymous maps: only swap could reclaim it
    kernel: int  # stacks, page tables, slab, percpu and sockets
    peak: int | None
    oom_kills: int
    major_faults: int = 0
    refaults: int = 0

    @property
    def working_set(self) -> int:
        """Return usage minus inactive file cache: memory in use for kubelet and `docker stats`."""
        return max(0, self.usage - self.inactive_file)

    @property
    def unreclaimable(self) -> int:
        """Return usage minus droppable page cache; files in tmpfs can't be dropped."""
        return max(0, self.usage - max(0, self.file - self.shmem))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressure:
    """Total stall times of a cgroup, or of the whole host, in microseconds since it began."""

    some: int
    full: int
    of_host: bool = False

    def since(self, earlier: "Pressure") -> "Pressure":
        """Return the stall times between `earlier` and this."""
        return Pressure(
            some=self.some - earlier.some, full=self.full - earlier.full, of_host=self.of_host
        )


def find_hierarchy(mounts: str) -> Hierarchy:
    """Return the memory hierarchy in the text of /proc/mounts; LookupError when there is none."""
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
    """Return the memory cgroup in the text of /proc/PID/cgroup; LookupError if there is none."""
    for line in proc_cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        if hierarchy.version == 1 and "memory" in controllers.split(","):
            return hierarchy.root / path.lstrip("/")
        if hierarchy.version == 2 and number == "0":
            return hierarchy.root / path.lstrip("/")
    raise LookupError("the process is in no memory cgroup")


def box_cgroup(hierarchy: Hierarchy, proc_cgroup: str) -> Path:
    """Return the cgroup of a whole box, from that of its first process.

    Under version 2 an engine inside a container moves the processes into a leaf of their own.
    """
    cgroup = cgroup_of(hierarchy, proc_cgroup)
    return cgroup.parent if hierarchy.version == 2 and cgroup.name in LEAVES else cgroup


def read_marks(cgroup: Path, version: int) -> Marks:
    """Read the high-water mark and the kills: they only grow, so once a second is enough."""
    if version == 1:
        peak = _number(cgroup, "memory.max_usage_in_bytes")
        return Marks(peak=peak, oom_kills=_table(cgroup, "memory.oom_control").get("oom_kill", 0))
    kills = _table(cgroup, "memory.events").get("oom_kill", 0)
    return Marks(peak=_number(cgroup, "memory.peak"), oom_kills=kills)


def read_usage(cgroup: Path, version: int, marks: Marks) -> Account:
    """Read the account as of now; FileNotFoundError once the cgroup is gone.

    `marks` were read before. Version 1 does not tell which slab pages could be reclaimed, so there
    `kernel` has all of them; version 2 leaves the reclaimable ones out, as MemAvailable does.
    """
    stat = _table(cgroup, "memory.stat")
    if version == 2:
        return account_of(stat, int(_read(cgroup, "memory.current")), marks)
    return Account(
        usage=int(_read(cgroup, "memory.usage_in_bytes")),
        anon=stat.get("total_rss", 0),
        file=stat.get("total_cache", 0),
        kernel=_number(cgroup, "memory.kmem.usage_in_bytes") or 0,
        peak=marks.peak,
        oom_kills=marks.oom_kills,
        **_shared_fields(stat, "total_"),
    )


def account_of(stat: Mapping[str, int], usage: int, marks: Marks) -> Account:
    """Return the account in a version 2 memory.stat and memory.current."""
    return Account(
        usage=usage,
        anon=stat.get("anon", 0),
        file=stat.get("file", 0),
        kernel=_kernel(stat),
        peak=marks.peak,
        oom_kills=marks.oom_kills,
        **_shared_fields(stat, ""),
    )


def _shared_fields(stat: Mapping[str, int], prefix: str) -> dict[str, int]:
    """Return the fields that both versions name alike."""
    refaults = (stat.get(f"{prefix}workingset_refault_{kind}", 0) for kind in ("anon", "file"))
    return {
        "inactive_file": stat.get(f"{prefix}inactive_file", 0),
        "shmem": stat.get(f"{prefix}shmem", 0),
        "major_faults": stat.get(f"{prefix}pgmajfault", 0),
        "refaults": sum(refaults),
    }


def _kernel(stat: Mapping[str, int]) -> int:
    """Return the unreclaimable kernel memory in a version 2 memory.stat.

    `kernel` is there since Linux 5.18; before that its parts are added up. Sockets are never in it.
    """
    parts = ("kernel_stack", "pagetables", "percpu", "vmalloc", "slab")
    whole = stat.get("kernel") or sum(stat.get(part, 0) for part in parts)
    return max(0, whole - stat.get("slab_reclaimable", 0)) + stat.get("sock", 0)


def read_pressure(cgroup: Path, host: Path = HOST_PRESSURE) -> Pressure | None:
    """Return stall times; the host's if a cgroup has none (version 1); None without PSI."""
    for path in (cgroup / "memory.pressure", host):
        with suppress(OSError):
            lines = path.read_text().splitlines()
            totals = {
                line.split()[0]: int(line.rpartition("total=")[2])
                for line in lines
                if "total=" in line
            }
            some, full = totals.get("some", 0), totals.get("full", 0)
            return Pressure(some=some, full=full, of_host=path == host)
    return None


def processes(cgroup: Path) -> tuple[int, ...]:
    """Return the processes directly in this cgroup, as numbered where the reader stands."""
    return tuple(int(pid) for pid in _read(cgroup, "cgroup.procs").split())


def processes_in(cgroups: Iterable[Path]) -> Iterator[int]:
    """Yield the processes directly in these cgroups; those that are gone have none."""
    for cgroup in cgroups:
        with suppress(OSError):
            yield from processes(cgroup)


def children(cgroup: Path) -> list[str]:
    """Return the names of the cgroups directly below; none if there is no such cgroup."""
    try:
        with os.scandir(cgroup) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def walk(cgroup: Path) -> Iterator[Path]:
    """Yield the cgroup and everything below it."""
    yield cgroup
    for name in children(cgroup):
        yield from walk(cgroup / name)


def _read(cgroup: Path, name: str) -> bytes:
    with open(f"{cgroup}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - read at 10 Hz
        return file.read()


def _number(cgroup: Path, name: str) -> int | None:
    """Return a file's number, or None if the kernel has no such account."""
    try:
        return int(_read(cgroup, name))
    except FileNotFoundError:
        return None


def _table(cgroup: Path, name: str) -> dict[str, int]:
    """Return a file of names and numbers, one a line."""
    return _pairs(_read(cgroup, name).decode())


MEMINFO = "/proc/meminfo"
# Shares of MemTotal, in thousandths, on an idle machine of one gigabyte with an engine.
_SHARES = """
MemTotal 1000 MemFree 530 MemAvailable 750 Buffers 20 Cached 220 SwapCached 0 Active 170
Inactive 190 Active(anon) 50 Inactive(anon) 70 Active(file) 120 Inactive(file) 120 Unevictable 0
Mlocked 0 SwapTotal 0 SwapFree 0 Zswap 0 Zswapped 0 Dirty 0 Writeback 0 AnonPages 110 Mapped 90
Shmem 10 KReclaimable 30 Slab 70 SReclaimable 30 SUnreclaim 40 KernelStack 3 PageTables 5
SecPageTables 0 NFS_Unstable 0 Bounce 0 WritebackTmp 0 CommitLimit 500 Committed_AS 600
"""
_FIXED = """
VmallocTotal 34359738367 VmallocUsed 12288 VmallocChunk 0 Percpu 512 HardwareCorrupted 0
AnonHugePages 0 ShmemHugePages 0 ShmemPmdMapped 0 FileHugePages 0 FilePmdMapped 0 HugePages_Total 0
HugePages_Free 0 HugePages_Rsvd 0 HugePages_Surp 0 Hugepagesize 2048 Hugetlb 0
"""


def meminfo_text(machine_bytes: int) -> str:
    """Return the file's text, in the kernel's layout, for a machine whose MemTotal this is."""
    total, shares = machine_bytes // 1024, _pairs(_SHARES)
    values = {name: total * share // 1000 for name, share in shares.items()} | _pairs(_FIXED)
    lines = [f"{f'{name}:':<16}{value:>8}" for name, value in values.items()]
    return "".join(f"{line}{'' if 'HugePages_' in line else ' kB'}\n" for line in lines)


def _pairs(text: str) -> dict[str, int]:
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))
