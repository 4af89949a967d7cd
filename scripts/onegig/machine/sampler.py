"""The sampler: one JSON line per pass over the box, until it is stopped.

Runs as a process of its own, as root (smaps_rollup of other users' processes) and outside the box,
so that measuring costs the measured machine nothing. Standard library only.

    python -m onegig.machine.sampler --pid BOX_PID --hz 10

Each line is a `Pass` with its fields as names. Memory of processes comes from
/proc/PID/smaps_rollup (Linux Documentation/filesystems/proc.rst), of cgroups from `cgroup`.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onegig.machine.cgroup import (
    Account,
    Hierarchy,
    Marks,
    Pressure,
    box_cgroup,
    children,
    find_hierarchy,
    processes,
    processes_in,
    read_marks,
    read_pressure,
    read_usage,
    walk,
)
from onegig.machine.processes import ENGINE, PROC, SLOW_SECONDS, Processes, Usage

CONTAINERS = "docker"  # the cgroup below the box's that holds its containers
BUILDKIT = "buildkit"  # among them: a cgroup in which each step of a build has one, for a moment
_OOM = re.compile(r"oom-kill:.*?,(?:oom_memcg=([^,]+)|global_oom),task_memcg=([^,]+),task=")


@dataclass(slots=True)
class ContainerUsage:
    """One container of the stack in one pass."""

    usage: Usage
    account: Account


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineMemory:
    """The memory of a whole machine of its own, in bytes; counters since it booted.

    Sources: Linux Documentation/filesystems/proc.rst (meminfo), /proc/vmstat.
    """

    total: int  # MemTotal: without what the kernel reserved for itself
    # MemAvailable, the kernel's estimate of what programs could still take, and the free pages in
    # its per-CPU lists, which it leaves out: since Linux 6.7 as many as its low watermark, 56 MB on
    # a machine of 1 GB with one processor (mm/page_alloc.c, zone_highsize)
    available: int
    shmem: int
    kernel: int  # unreclaimable slab, stacks, page tables, percpu
    swap_total: int
    swap_free: int
    sampler: int  # what the sampler takes that runs in it; the figures above include it
    major_faults: int
    refaults: int
    swapped_in: int  # pages
    oom_kills: int
    available_before: int = 0  # `available` before the engine was started; 0: not known yet

    @property
    def fell(self) -> int:
        """Return the drop in `available` since then, or 0 if it is not known yet."""
        return max(0, self.available_before - self.available)


@dataclass(slots=True)
class Pass:
    """Everything read in one pass. `time` is the monotonic clock in seconds.

    `box` is the account of engine and stack together. Processes that were not read this time count
    with what they had before, `age_seconds` ago at most. `machine` and `system`, the processes of
    the operating system, are only there if a whole machine is measured.
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

    Accounts are read at every pass, processes as `Processes` finds time, high-water marks and the
    cgroups that a container has made once a second.
    """

    def __init__(
        self, box: Path, hierarchy: Hierarchy, kernel_log: "KernelLog", processes: Processes
    ) -> None:
        self.box = box
        self.version = hierarchy.version
        self.kernel_log = kernel_log
        self.processes = processes
        self.box_name = f"/{box.relative_to(hierarchy.root)}"
        self._slow_due = 0.0
        self._marks: dict[Path, Marks] = {}
        self._parts: dict[Path, tuple[Path, ...]] = {}  # a container's cgroups

    def read(self) -> Pass:
        """Read one pass. Raises FileNotFoundError once the box is gone."""
        clock = self.processes.clock
        started = clock()
        if started >= self._slow_due:
            self._slow_due = started + SLOW_SECONDS
            self._marks.clear()
            self._parts.clear()
        owners = dict.fromkeys(self._engine_pids(), ENGINE)
        accounts: dict[str, Account] = {}
        for name in children(self.box / CONTAINERS):
            with suppress(OSError):  # it ended while being read
                owners |= dict.fromkeys(self._container_pids(self.box / CONTAINERS / name), name)
                accounts[name] = self._account(self.box / CONTAINERS / name)
        box, pressure = self._account(self.box), read_pressure(self.box)
        sums = self.processes.read(owners, started)
        return Pass(
            time=started,
            box=box,
            pressure=pressure,
            engine=sums.engine,
            containers={
                name: ContainerUsage(usage=sums.containers.get(name, Usage()), account=account)
                for name, account in accounts.items()
            },
            unreadable=sums.unreadable,
            oom_killed=[
                (limit, victim)
                for limit, victim in self.kernel_log.oom_killed()
                if f"{victim}/".startswith(f"{self.box_name}/")
            ],
            age_seconds=sums.age_seconds,
            cost_seconds=clock() - started,
        )

    def _account(self, cgroup: Path) -> Account:
        if cgroup not in self._marks:
            self._marks[cgroup] = read_marks(cgroup, self.version)
        return read_usage(cgroup, self.version, self._marks[cgroup])

    def _container_pids(self, cgroup: Path) -> Iterator[int]:
        if cgroup not in self._parts or cgroup.name == BUILDKIT:
            self._parts[cgroup] = tuple(walk(cgroup))
        return processes_in(self._parts[cgroup])

    def _engine_pids(self) -> Iterator[int]:
        yield from processes(self.box)
        for name in children(self.box):
            if name != CONTAINERS:
                yield from processes_in(walk(self.box / name))


class KernelLog:
    """OOM kills as the kernel reports them.

    The only record that names the victim's cgroup and outlives it. Empty if /dev/kmsg cannot be
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


def open_sampler(pid: int, hz: float) -> Sampler:
    """Return a sampler for the box whose first process is `pid`, to be asked so often."""
    return Sampler(*find_box(pid), KernelLog(), Processes(1 / hz))


def find_box(pid: int) -> tuple[Path, Hierarchy]:
    """Return the cgroup of the box whose first process is `pid`."""
    hierarchy = find_hierarchy((PROC / "mounts").read_text())
    return box_cgroup(hierarchy, (PROC / str(pid) / "cgroup").read_text()), hierarchy


def encode(sample: Pass) -> str:
    """Return a pass as a line of JSON; `asdict` would copy all of it first."""
    return json.dumps(sample, default=_fields, separators=(",", ":"))


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def main() -> None:
    """Print passes at the asked rate until the box is gone or the reader closes the pipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--hz", type=float, default=10)
    options = parser.parse_args()
    sampler = open_sampler(options.pid, options.hz)
    due = time.monotonic()
    while True:
        try:
            print(encode(sampler.read()), flush=True)  # noqa: T201 - its output
        except (FileNotFoundError, BrokenPipeError):
            return
        due = max(due + 1 / options.hz, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
