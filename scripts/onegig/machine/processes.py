"""Memory of a box's processes, read in turns if a pass has no time for all of them.

Standard library only, as the sampler. The agent in the twin's guest does the same
(twin/agent/agent.c).
"""

import ctypes
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
ENGINE = ""  # the owner of processes that are in no container
KINDS = {
    "dockerd": "dockerd",
    "containerd": "containerd",
    "containerd-shim": "shim",
    "docker-proxy": "proxy",
}
RUNC = "runc"  # starts containers and health checks, for moments inside the container's own cgroup
SLOW_SECONDS = 1.0
PASS_SHARE = 0.5  # of a period, after which a pass reads no further process
TURNS = 20  # passes after which each process was read, whatever else takes their time
NEVER = -1.0  # before every time of the clock

_KCMP = {"x86_64": 312, "aarch64": 272}.get(platform.machine())  # the system call's number
_KCMP_VM = 1
_SYSCALL = ctypes.CDLL(None).syscall if platform.system() == "Linux" else None

Memory = tuple[int, int, int]  # RSS, PSS, shared memory in PSS; zeros for a process that ended


@dataclass(slots=True)
class Usage:
    """Memory of the processes of one kind or one container, in bytes."""

    processes: int = 0
    rss: int = 0
    pss: int = 0
    shmem: int = 0  # the part of `pss` that the cgroup's account has in its own `shmem`

    def add(self, rss: int, pss: int, shmem: int) -> None:
        """Add a process."""
        self.processes += 1
        self.rss += rss
        self.pss += pss
        self.shmem += shmem

    @property
    def private(self) -> int:
        """Return PSS without shared memory, to be added to a cgroup's `shmem`."""
        return self.pss - self.shmem


@dataclass(slots=True)
class Sums:
    """All processes by kind of the engine's and by container, as they were read last."""

    engine: dict[str, Usage] = field(default_factory=dict)
    containers: dict[str, Usage] = field(default_factory=dict)
    unreadable: int = 0
    age_seconds: float = 0.0  # of the oldest reading among those that were due


@dataclass(slots=True)
class _Process:
    pid: int
    owner: str
    kind: str = ""
    memory: Memory | None = (0, 0, 0)
    read_at: float = NEVER
    seen: bool = False  # its name was no runc's once: it may have become itself
    own: bool = False  # and again the next time: it has
    own_memory: bool = False  # not its parent's, as between vfork and exec

    @property
    def due_at(self) -> float:
        """Return the time to read it again: the engine's processes are read less often."""
        slow = self.own_memory and self.owner == ENGINE and self.kind != RUNC
        return self.read_at + SLOW_SECONDS if slow else self.read_at


def read_memory(pid: int) -> Memory | None:
    """Read a process's memory in bytes; None when it may not be read."""
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


def shares_memory(pid: int) -> bool:
    """Return whether a process, between vfork and exec, still runs in its parent's memory.

    That would count twice. False if kcmp(2) cannot say.
    """
    if _KCMP is None or _SYSCALL is None:
        return False
    parent = read_parent(pid)
    return parent > 0 and int(_SYSCALL(_KCMP, pid, parent, _KCMP_VM, 0, 0)) == 0


def read_name(pid: int) -> str:
    """Return the process's name, at most 15 characters; "" for one that ended."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def read_parent(pid: int) -> int:
    """Return the parent's process id; 0 for a process that ended."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])  # the name, in brackets, may hold any character


class Processes:
    """Keeps what was read last of every process.

    At each pass those of containers are due, and runc's; the engine's once a second. Reading one
    costs the kernel a walk through all its mappings: when half of the period is over, the others
    wait, and the longest overdue is the first to be read in the next pass.
    """

    def __init__(
        self,
        period_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        memory_of: Callable[[int], Memory | None] = read_memory,
        name_of: Callable[[int], str] = read_name,
        borrows: Callable[[int], bool] = shares_memory,
    ) -> None:
        self.period_seconds = period_seconds
        self.clock = clock
        self._memory_of, self._name_of, self._borrows = memory_of, name_of, borrows
        self._known: dict[int, _Process] = {}

    def read(self, owners: Mapping[int, str], started: float) -> Sums:
        """Read the processes that are due in the pass that began at `started`, and sum up all.

        `owners` has every process there is, with its container or ENGINE.
        """
        self._known = {
            pid: process
            if (process := self._known.get(pid)) and process.owner == owner
            else _Process(pid=pid, owner=owner)
            for pid, owner in owners.items()
        }
        due = [process for process in self._known.values() if process.due_at <= started]
        due.sort(key=lambda process: process.due_at)
        end = started + self.period_seconds * PASS_SHARE
        done, least = 0, max(1, len(due) // TURNS)
        while done < len(due) and (self.clock() < end or done < least):
            self._read(due[done])
            done += 1
        late = [process.read_at for process in due[done:] if process.read_at != NEVER]
        return self._sum_up(age_seconds=started - min(late) if late else 0.0)

    def _read(self, process: _Process) -> None:
        process.kind = self._kind(process)  # first: runc turns into the program, never back
        process.own_memory = process.own_memory or not self._borrows(process.pid)
        if process.own_memory:
            process.memory = self._memory_of(process.pid)
        process.read_at = self.clock()

    def _kind(self, process: _Process) -> str:
        """Distinguish runc from a container's own program; twice, as runc gets its name late."""
        if process.own:
            return ""
        name = self._name_of(process.pid)
        if name.startswith(RUNC):
            return RUNC
        if process.owner == ENGINE:
            return KINDS.get(name, "other")
        process.own, process.seen = process.seen, True
        return ""

    def _sum_up(self, age_seconds: float) -> Sums:
        sums = Sums(age_seconds=age_seconds)
        for process in self._known.values():
            if process.memory is None:
                sums.unreadable += 1
            elif process.memory[0]:
                group = sums.engine if process.kind else sums.containers
                group.setdefault(process.kind or process.owner, Usage()).add(*process.memory)
        return sums
