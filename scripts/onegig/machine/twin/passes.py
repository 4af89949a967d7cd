"""Turns the lines of the agent in the twin's guest into passes like those of the box's sampler.

agent/agent.c writes them. They come from a machine that runs what is being measured, so each is
checked before it is used.
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from onegig.machine.cgroup import Account, Marks, Pressure, account_of
from onegig.machine.processes import Usage
from onegig.machine.sampler import ContainerUsage, MachineMemory, Pass, parse_oom_kill

KIB = 1024
BASELINE_SECONDS = 2.0  # between the baseline and the first sight of an engine, which comes late
CLOCK_PASSES = 100  # the quickest of so many lines tells how far the guest's clock is off
_SCOPE = re.compile(r"(?:docker|libpod)-([0-9a-f]{64})\.scope(?:/container)?")  # of a container

Numbers = tuple[int, int, int, int]  # processes, and their RSS, PSS and shared PSS in kB
Stalls = tuple[int, int] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentAccount:
    """A cgroup's files, in bytes; -1 if the kernel keeps no peak."""

    usage: int
    peak: int
    oom_kills: int
    stat: dict[str, int]

    @property
    def account(self) -> Account:
        """Return the account in the form of the box's sampler."""
        peak = None if self.peak < 0 else self.peak
        return account_of(self.stat, self.usage, Marks(peak=peak, oom_kills=self.oom_kills))


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentLine:
    """One pass as the agent writes it: seconds of the guest's clock, kB but for the accounts."""

    time: float
    cost: float
    meminfo: dict[str, int]
    free_lists: int
    vmstat: dict[str, int]
    memory_pressure: Stalls
    sampler: int
    oom: tuple[str, ...]
    accounts: dict[str, AgentAccount]
    engine_accounts: tuple[AgentAccount, ...]
    oldest: float
    unreadable: int
    system: Numbers
    engine: dict[str, Numbers]
    containers: dict[str, Numbers]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The result of a command that the host sent: exit code and the end of what it printed."""

    number: int  # the command's
    ran: int
    output: str


_LINE = TypeAdapter[AgentLine | Answer](AgentLine | Answer)


class Passes:
    """Reads an agent's lines in turn.

    `before` is the machine as it was before its engine started; the memory of kernel and tmpfs
    above it belongs to engine and stack. None until an engine is seen, or if it was there first.
    """

    def __init__(self) -> None:
        self.before: MachineMemory | None = None
        self._idle: deque[tuple[float, MachineMemory]] = deque()
        self._offsets: deque[float] = deque(maxlen=CLOCK_PASSES)
        self._guest = self._latest = 0.0
        self._engine_seen = False

    def feed(self, line: bytes, received: float) -> Pass | Answer | None:
        """Parse a line; return None if it is not the agent's or not complete.

        `received` is when it came, by this machine's monotonic clock, which the pass's time is
        also given in.
        """
        try:
            parsed = _LINE.validate_json(line.decode(errors="replace"))
            if isinstance(parsed, Answer):
                return parsed
            machine = _machine(parsed)
        except (ValidationError, KeyError):
            return None
        self._find_baseline(parsed, machine)
        if self.before:
            machine = replace(machine, available_before=self.before.available)
        accounts = {key: account.account for key, account in parsed.accounts.items()}
        return Pass(
            time=self._host_time(parsed.time, received - parsed.cost),
            cost_seconds=parsed.cost,
            box=self._box(parsed, machine, tuple(accounts.values())),
            pressure=_pressure(parsed.memory_pressure),
            engine={kind: _usage(numbers) for kind, numbers in parsed.engine.items()},
            containers={
                key: ContainerUsage(usage=_usage(numbers), account=accounts[key])
                for key, numbers in parsed.containers.items()
                if key in accounts
            },
            unreadable=parsed.unreadable,
            oom_killed=[
                (_SCOPE.sub(r"\1", limit), _SCOPE.sub(r"\1", victim))
                for limit, victim in filter(None, map(parse_oom_kill, parsed.oom))
            ],
            age_seconds=parsed.oldest,
            machine=machine,
            system=_usage(parsed.system),
        )

    def _host_time(self, guest: float, received: float) -> float:
        """Return a guest's time by the host's clock, never going back."""
        if guest < self._guest:
            self._offsets.clear()  # it was rebooted
        self._guest = guest
        self._offsets.append(received - guest)
        self._latest = max(self._latest, guest + min(self._offsets))
        return self._latest

    def _find_baseline(self, line: AgentLine, machine: MachineMemory) -> None:
        """Store the machine's state just before the first process of an engine."""
        if self._engine_seen:
            return
        self._engine_seen = bool(line.engine or line.containers)
        if not self._engine_seen:
            self._idle.append((line.time, machine))
        while len(self._idle) > 1 and self._idle[1][0] <= line.time - BASELINE_SECONDS:
            self._idle.popleft()
        if self._engine_seen and self._idle:
            self.before = self.before or self._idle[0][1]
            self._idle.clear()

    def _box(
        self, line: AgentLine, machine: MachineMemory, containers: Sequence[Account]
    ) -> Account:
        """Return the account of engine and stack together.

        Without a baseline the cgroups' own figures must do, which miss what the kernel keeps for
        them elsewhere.
        """
        parts = (*containers, *(engine.account for engine in line.engine_accounts))
        shmem, kernel = sum(part.shmem for part in parts), sum(part.kernel for part in parts)
        if self.before:
            shmem = max(0, machine.shmem - self.before.shmem)
            kernel = max(0, machine.kernel - self.before.kernel)
        return Account(
            usage=sum(part.usage for part in parts),
            anon=sum(part.anon for part in parts),
            file=sum(part.file for part in parts),
            inactive_file=sum(part.inactive_file for part in parts),
            shmem=shmem,
            kernel=kernel,
            peak=None,
            oom_kills=machine.oom_kills,
            major_faults=machine.major_faults,
            refaults=machine.refaults,
        )


def _machine(line: AgentLine) -> MachineMemory:
    size = {name: kib * KIB for name, kib in line.meminfo.items()}
    count = line.vmstat
    kernel = _sum(size, "SUnreclaim", "KernelStack", "PageTables", "SecPageTables", "Percpu")
    return MachineMemory(
        total=size["MemTotal"],
        available=size["MemAvailable"] + line.free_lists * KIB,
        shmem=size["Shmem"],
        kernel=kernel,
        swap_total=size["SwapTotal"],
        swap_free=size["SwapFree"],
        sampler=line.sampler * KIB,
        major_faults=count.get("pgmajfault", 0),
        refaults=_sum(count, "workingset_refault_anon", "workingset_refault_file"),
        swapped_in=count.get("pswpin", 0),
        oom_kills=count.get("oom_kill", 0),
    )


def _sum(values: dict[str, int], *names: str) -> int:
    return sum(values.get(name, 0) for name in names)


def _usage(numbers: Numbers) -> Usage:
    processes, rss, pss, shmem = numbers
    return Usage(processes=processes, rss=rss * KIB, pss=pss * KIB, shmem=shmem * KIB)


def _pressure(stalls: Stalls) -> Pressure | None:
    return Pressure(some=stalls[0], full=stalls[1]) if stalls else None
