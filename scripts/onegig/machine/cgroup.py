"""Reading the kernel's memory account of a cgroup, version 1 and version 2 alike.

Sources: Linux Documentation/admin-guide/cgroup-v2.rst ("Memory Interface Files") and
cgroup-v1/memory.rst. Version 1 needs the `total_` fields, which include the children.
Standard library only: the sampler may run where onegig's dependencies are not installed.

/proc/meminfo of a machine of a given size, for containers that would see their host's.
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
    file: int  # page cache, with `shmem`
    inactive_file: int
    shmem: int  # tmpfs, /dev/shm, memfd and shared anonymous maps: only swap could reclaim it
    kernel: int  # stacks, page tables, slab, percpu and sockets
    peak: int | None
    oom_kills: int

    @property
    def working_set(self) -> int:
        """Usage minus inactive file cache: what kubelet and `docker stats` call memory in use."""
        return max(0, self.usage - self.inactive_file)

    @property
    def unreclaimable(self) -> int:
        """Usage minus the page cache that could be dropped; what lies in tmpfs could not."""
        return max(0, self.usage - max(0, self.file - self.shmem))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressure:
    """Total stall times from `memory.pressure`, in microseconds since the cgroup was made."""

    some: int
    full: int


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
    """Read the account as of now; FileNotFoundError once the cgroup is gone.

    `marks` were read before. Version 1 does not tell which slab pages could be reclaimed, so there
    `kernel` has all of them; version 2 leaves the reclaimable ones out, as MemAvailable does.
    """
    stat = _read(cgroup, "memory.stat")
    if version == 1:
        usage = int(_read(cgroup, "memory.usage_in_bytes"))
        kernel = _number(cgroup, "memory.kmem.usage_in_bytes")
        prefix = b"total_"
        anon = _value(stat, b"total_rss")
        file = _value(stat, b"total_cache")
    else:
        usage = int(_read(cgroup, "memory.current"))
        kernel = _kernel(stat)
        prefix = b""
        anon = _value(stat, b"anon")
        file = _value(stat, b"file")
    return Account(
        usage=usage,
        anon=anon,
        file=file,
        inactive_file=_value(stat, prefix + b"inactive_file"),
        shmem=_value(stat, prefix + b"shmem"),
        kernel=kernel,
        peak=marks.peak,
        oom_kills=marks.oom_kills,
    )


def _kernel(stat: bytes) -> int:
    """Return the unreclaimable kernel memory in a version 2 memory.stat.

    `kernel` is there since Linux 5.18; before that its parts are added up. Sockets are never in it.
    """
    whole = _value(stat, b"kernel")
    if not whole:
        parts = (b"kernel_stack", b"pagetables", b"percpu", b"vmalloc", b"slab")
        whole = sum(_value(stat, part) for part in parts)
    return max(0, whole - _value(stat, b"slab_reclaimable")) + _value(stat, b"sock")


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
    """Yield the cgroup and everything below it."""
    yield cgroup
    for name in children(cgroup):
        yield from walk(cgroup / name)


def _read(cgroup: Path, name: str) -> bytes:
    with open(f"{cgroup}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - read at 10 Hz
        return file.read()


def _number(cgroup: Path, name: str) -> int:
    """Return a file's number; 0 where the kernel was started without that account."""
    try:
        return int(_read(cgroup, name))
    except FileNotFoundError:
        return 0


def _value(text: bytes, key: bytes) -> int:
    """Return the number behind a key at the start of a line; 0 when the kernel does not have it."""
    start = 0 if text.startswith(key + b" ") else text.find(b"\n" + key + b" ") + 1
    if not start and not text.startswith(key + b" "):
        return 0
    return int(text[start + len(key) : text.find(b"\n", start)])


MEMINFO = "/proc/meminfo"

# Shares of MemTotal on an idle machine of one gigabyte with an engine; None: always 0.
_SHARES: tuple[tuple[str, float | None], ...] = (
    ("MemTotal", 1.0),
    ("MemFree", 0.53),
    ("MemAvailable", 0.75),
    ("Buffers", 0.02),
    ("Cached", 0.22),
    ("SwapCached", None),
    ("Active", 0.17),
    ("Inactive", 0.19),
    ("Active(anon)", 0.05),
    ("Inactive(anon)", 0.07),
    ("Active(file)", 0.12),
    ("Inactive(file)", 0.12),
    ("Unevictable", None),
    ("Mlocked", None),
    ("SwapTotal", None),
    ("SwapFree", None),
    ("Zswap", None),
    ("Zswapped", None),
    ("Dirty", None),
    ("Writeback", None),
    ("AnonPages", 0.11),
    ("Mapped", 0.09),
    ("Shmem", 0.01),
    ("KReclaimable", 0.03),
    ("Slab", 0.07),
    ("SReclaimable", 0.03),
    ("SUnreclaim", 0.04),
    ("KernelStack", 0.003),
    ("PageTables", 0.005),
    ("SecPageTables", None),
    ("NFS_Unstable", None),
    ("Bounce", None),
    ("WritebackTmp", None),
    ("CommitLimit", 0.5),
    ("Committed_AS", 0.6),
)
_AFTER = """\
VmallocTotal:   34359738367 kB
VmallocUsed:       12288 kB
VmallocChunk:          0 kB
Percpu:              512 kB
HardwareCorrupted:     0 kB
AnonHugePages:         0 kB
ShmemHugePages:        0 kB
ShmemPmdMapped:        0 kB
FileHugePages:         0 kB
FilePmdMapped:         0 kB
HugePages_Total:       0
HugePages_Free:        0
HugePages_Rsvd:        0
HugePages_Surp:        0
Hugepagesize:       2048 kB
Hugetlb:               0 kB
"""


def meminfo_text(machine_bytes: int) -> str:
    """Return the file's text, in the kernel's layout, for a machine whose MemTotal this is."""
    total = machine_bytes // 1024
    lines = [f"{name + ':':<16}{int(total * (share or 0)):>8} kB\n" for name, share in _SHARES]
    return "".join(lines) + _AFTER
