"""The sampler: one JSON line per pass over the box, until it is stopped.

Runs as a process of its own, as root (smaps_rollup of other users' processes) and outside the box,
so that measuring costs the measured machine nothing. Standard library only.

    python -m onegig.machine.sampler --pid BOX_PID --hz 10

Each line is a `Pass` as `dataclasses.asdict` gives it. Memory of processes comes from
/proc/PID/smaps_rollup (Linux Documentation/filesystems/proc.rst), of cgroups from `cgroup`.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from onegig.machine.cgroup import (
    Account,
    Hierarchy,
    Marks,
    Pressure,
    box_cgroup,
    children,
    find_hierarchy,
    processes,
    read_marks,
    read_pressure,
    read_usage,
    walk,
)

PROC = Path("/proc")
CONTAINERS = "docker"  # the cgroup below the box's that holds its containers
KINDS = {
    "dockerd": "dockerd",
    "containerd": "containerd",
    "containerd-shim": "shim",
    "docker-proxy": "proxy",
}
SLOW_SECONDS = 1.0
RUNC = "runc"  # starts containers and health checks, for moments inside the container's own cgroup
_OOM = re.compile(r"oom-kill:.*?,(?:oom_memcg=([^,]+)|global_oom),task_memcg=([^,]+),task=")


@dataclass(slots=True)
class Usage:
    """Processes of one kind or one container, added up, in bytes."""

    processes: int = 0
    rss: int = 0
    pss: int = 0
    shmem: int = 0  # the part of `pss` that the cgroup's account has in its own `shmem`

    def add(self, rss: int, pss: int, shmem: int) -> None:
        """Count one more process."""
        self.processes += 1
        self.rss += rss
        self.pss += pss
        self.shmem += shmem

    @property
    def private(self) -> int:
        """Return PSS without shared memory: what can be added to a cgroup's `shmem`."""
        return self.pss - self.shmem


@dataclass(slots=True)
class ContainerUsage:
    """One container of the stack in one pass."""

    usage: Usage
    account: Account


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineMemory:
    """The memory of a whole machine of its own, in bytes; counters since it booted.

    Sources: Linux Documentation/filesystems/proc.rst (meminfo), /proc/vmstat, accounting/psi.rst.
    """

    total: int  # MemTotal: without what the kernel reserved for itself
    available: int  # MemAvailable: the kernel's estimate of what programs could still take
    free: int
    anon: int
    shmem: int
    file: int  # page cache that could be dropped
    kernel: int  # unreclaimable slab, stacks, page tables, percpu
    unaccounted: int  # in use, but in no other figure: modules, drivers, sockets, per-CPU lists
    slab_reclaimable: int
    huge_anon: int  # the part of `anon` in transparent huge pages
    swap_total: int
    swap_free: int
    sampler: int  # what the sampler takes that runs in it; the figures above include it
    major_faults: int
    refaults: int
    swapped_in: int  # pages
    swapped_out: int  # pages
    oom_kills: int
    cpu_pressure: Pressure | None
    available_before: int = 0  # `available` before the engine was started; 0: not known yet

    @property
    def fell(self) -> int:
        """Return what MemAvailable has fallen by since then: the cost of engine and stack."""
        return max(0, self.available_before - self.available)


@dataclass(slots=True)
class Pass:
    """Everything read in one pass. `time` is the monotonic clock in seconds.

    `box` is the account of engine and stack together. Processes that were not read this time count
    with what they had before, `age_seconds` ago at most. `machine` and `system`, the processes of
    the operating system, are only there where a whole machine is measured.
    """

    time: float
    cost_seconds: float
    box: Account
    pressure: Pressure | None
    engine: dict[str, Usage]
    containers: dict[str, ContainerUsage]  # by container id
    unreadable: int  # processes whose memory could not be read
    # of each new OOM kill the cgroup whose limit was reached, and the victim's
    oom_killed: list[tuple[str, str]] = field(default_factory=list)
    age_seconds: float = 0.0
    machine: MachineMemory | None = None
    system: Usage | None = None


class Sampler:
    """Reads one box.

    Services are read at every pass. The engine's processes, whose mappings take the kernel ten
    times longer and which change slowly, and the high-water marks are read once a second.
    """

    def __init__(self, box: Path, hierarchy: Hierarchy, kernel_log: "KernelLog") -> None:
        self.box = box
        self.version = hierarchy.version
        self.kernel_log = kernel_log
        self.box_name = f"/{box.relative_to(hierarchy.root)}"
        self._slow_due = 0.0
        self._engine: dict[int, tuple[str, tuple[int, int, int]]] = {}  # what was read this second
        self._marks: dict[Path, Marks] = {}
        self._parts: dict[Path, tuple[Path, ...]] = {}  # a container's cgroups
        self._seen: set[int] = set()  # processes of containers that were no runc when looked at
        self._own: set[int] = set()  # and were none the next time: they have become themselves

    def read(self) -> Pass:
        """Read one pass. Raises FileNotFoundError once the box is gone."""
        started = time.monotonic()
        if started >= self._slow_due:
            self._slow_due = started + SLOW_SECONDS
            self._marks.clear()
            self._parts.clear()
            self._engine.clear()
        engine, unreadable = self._read_engine()
        containers: dict[str, ContainerUsage] = {}
        for name in children(self.box / CONTAINERS):
            try:
                containers[name], failed = self._container(self.box / CONTAINERS / name, engine)
            except OSError:
                continue  # it ended while being read
            unreadable += failed
        return Pass(
            time=started,
            box=self._account(self.box),
            pressure=read_pressure(self.box),
            engine=engine,
            containers=containers,
            unreadable=unreadable,
            oom_killed=[
                (limit, victim)
                for limit, victim in self.kernel_log.oom_killed()
                if f"{victim}/".startswith(f"{self.box_name}/")
            ],
            cost_seconds=time.monotonic() - started,
        )

    def _account(self, cgroup: Path) -> Account:
        if cgroup not in self._marks:
            self._marks[cgroup] = read_marks(cgroup, self.version)
        return read_usage(cgroup, self.version, self._marks[cgroup])

    def _container(self, cgroup: Path, engine: dict[str, Usage]) -> tuple[ContainerUsage, int]:
        usage, failed = Usage(), 0
        if cgroup not in self._parts:
            self._parts[cgroup] = tuple(walk(cgroup))
        for pid in (pid for part in self._parts[cgroup] for pid in processes(part)):
            of_runc = self._is_runc(pid)  # first: runc turns into the program, never back
            memory = read_memory(pid)
            if memory is None:
                failed += 1
            elif memory[0]:
                (engine.setdefault(RUNC, Usage()) if of_runc else usage).add(*memory)
        return ContainerUsage(usage=usage, account=self._account(cgroup)), failed

    def _read_engine(self) -> tuple[dict[str, Usage], int]:
        """Read processes that are new or short-lived now, the others once a second."""
        kinds: dict[str, Usage] = {}
        failed = 0
        for pid in self._engine_pids():
            kind, memory = self._engine.get(pid) or (_kind(pid), read_memory(pid))
            if memory is None:
                failed += 1
            elif memory[0]:
                kinds.setdefault(kind, Usage()).add(*memory)
                if kind != RUNC:
                    self._engine[pid] = kind, memory
        return kinds, failed

    def _engine_pids(self) -> Iterator[int]:
        yield from processes(self.box)
        for name in children(self.box):
            if name != CONTAINERS:
                for part in walk(self.box / name):
                    yield from processes(part)

    def _is_runc(self, pid: int) -> bool:
        """Tell whether it still is; one look is not enough, as runc begins under another name."""
        if pid in self._own:
            return False
        if read_name(pid).startswith(RUNC):
            return True
        (self._own if pid in self._seen else self._seen).add(pid)
        return False


class KernelLog:
    """OOM kills as the kernel reports them.

    The only record that names the victim's cgroup and outlives it. Empty where /dev/kmsg cannot be
    read; the counters then say how many.
    """

    def __init__(self, path: str = "/dev/kmsg") -> None:
        try:
            self._log = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self._log, 0, os.SEEK_END)
        except OSError:
            self._log = -1

    def oom_killed(self) -> Iterator[tuple[str, str]]:
        """Yield for each kill since the last call the cgroup at its limit and the victim's."""
        while self._log >= 0:
            try:
                record = os.read(self._log, 8192).decode(errors="replace")
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # the ring buffer overtook us: the next read goes on with what is left
            except OSError:
                self._log = -1
                return
            if kill := parse_oom_kill(record):
                yield kill


def parse_oom_kill(record: str) -> tuple[str, str] | None:
    """Return the cgroup at its limit ("/" for the whole machine) and the victim's, if any."""
    match = _OOM.search(record)
    return (match[1] or "/", match[2]) if match else None


def read_memory(pid: int) -> tuple[int, int, int] | None:
    """Read (RSS, PSS, shared memory in PSS) in bytes.

    Zeros for a process that ended; None when it may not be read.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as rollup:  # noqa: PTH123
            text = rollup.read()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0, 0
    except PermissionError:
        return None
    # after the line of the address range (6 words): "Rss: 7936 kB Pss: 7932 kB"
    words = text.split(maxsplit=12)
    if len(words) < 12 or words[6] != b"Rss:" or words[9] != b"Pss:":
        return 0, 0, 0
    _, _, shmem = text.partition(b"\nPss_Shmem:")  # since Linux 5.1
    mapped = int(shmem.split(maxsplit=1)[0]) if shmem else 0
    return int(words[7]) * 1024, int(words[10]) * 1024, mapped * 1024


def read_name(pid: int) -> str:
    """Return the process's name, at most 15 characters; "" for one that ended."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def _kind(pid: int) -> str:
    name = read_name(pid)
    return RUNC if name.startswith(RUNC) else KINDS.get(name, "other")


def open_sampler(pid: int) -> Sampler:
    """Return a sampler for the box whose first process is `pid`."""
    hierarchy = find_hierarchy((PROC / "mounts").read_text())
    cgroup = box_cgroup(hierarchy, (PROC / str(pid) / "cgroup").read_text())
    return Sampler(cgroup, hierarchy, KernelLog())


def main() -> None:
    """Print passes at the asked rate until the box is gone or the reader closes the pipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--hz", type=float, default=10)
    options = parser.parse_args()
    sampler = open_sampler(options.pid)
    due = time.monotonic()
    while True:
        try:
            line = json.dumps(asdict(sampler.read()), separators=(",", ":"))
            print(line, flush=True)  # noqa: T201 - its output
        except (FileNotFoundError, BrokenPipeError):
            return
        due = max(due + 1 / options.hz, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
