"""Observations of a stack, and the figures computed from them in one walk through the passes.

An hour of passes is packed (machine/recording.py): nothing here keeps more than a few of them.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from onegig.machine.breakdown import Parts
from onegig.machine.cgroup import Account
from onegig.machine.machine import Container, Start
from onegig.machine.sampler import Pass
from onegig.memory.totals import share_of, total_of
from onegig.model.budgets import Metric
from onegig.model.stack import Stack


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """The passes since the box came up, those of each window, and the states at the end."""

    passes: Sequence[Pass]
    windows: tuple[Sequence[Pass], ...]  # in the order they were taken, none empty
    containers: tuple[Container, ...]
    answered: bool  # whether the engine could still be asked at the end
    restarts_before: Mapping[str, int]  # by container id, when the first window opened
    logs: Mapping[str, str]  # by service, for those that failed
    start: Start
    parts: Mapping[str, Parts] = field(default_factory=dict)  # by container id, after the windows

    def own(self, service: str) -> tuple[Container, ...]:
        """Return the containers (replicas) of a service."""
        return tuple(container for container in self.containers if container.service == service)


@dataclass(slots=True)
class Range:
    """The lowest and the highest of some values."""

    low: int
    high: int

    def widen(self, value: int) -> None:
        """Include a value."""
        self.low, self.high = min(self.low, value), max(self.high, value)


@dataclass(slots=True)
class ServiceFigures:
    """One service in a window, all its containers together, in bytes."""

    shares: Range  # of the total
    rss: Range
    held: "array[int]" = field(default_factory=lambda: array("q"))  # in each pass: see `held_by`


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowFigures:
    """One window, with the passes that the report shows whole."""

    passes: Sequence[Pass]
    first: Pass
    last: Pass
    peak: Pass  # with the highest total
    times: "array[float]"  # of each pass
    totals: "array[int]"
    held: "array[int]"  # of the whole box in each pass: see `held_by`
    services: tuple[ServiceFigures, ...]  # in the order of the ids
    unreadable: int  # processes, in the worst pass
    age_seconds: float  # of a process's figures in any pass, at most


@dataclass(slots=True)
class RunFigures:
    """Everything since the box came up."""

    highest: Pass | None = None  # since `compose up` began
    box_peak: int | None = None
    unreclaimable: int = 0
    box_kills: int = 0
    oom_killed: list[tuple[str, str]] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)  # by container id, by the cgroup's counter
    marks: dict[str, int] = field(default_factory=dict)  # the high-water mark, likewise


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures that a MemoryReport is made of."""

    seen: Observation
    stack: Stack
    metric: Metric
    run: RunFigures
    windows: tuple[WindowFigures, ...]

    @cached_property
    def window(self) -> WindowFigures:
        """Return the window with the highest total: the one that counts."""
        return max(self.windows, key=lambda window: max(window.totals))

    @property
    def peak(self) -> Pass:
        """Return the pass with the highest total of all windows."""
        return self.window.peak

    def services(self, index: int) -> tuple[ServiceFigures, ...]:
        """Return one service of the stack in each window."""
        return tuple(window.services[index] for window in self.windows)

    def ids(self, service: str) -> tuple[str, ...]:
        """Return the ids of a service's containers."""
        return tuple(container.container_id for container in self.seen.own(service))


def take_figures(seen: Observation, stack: Stack, metric: Metric) -> Figures:
    """Walk through everything that was observed."""
    ids = service_ids(seen.containers, stack)
    return Figures(
        seen=seen,
        stack=stack,
        metric=metric,
        run=read_run(seen.passes, seen.start.began, metric),
        windows=tuple(read_window(window, ids, metric) for window in seen.windows),
    )


def service_ids(containers: Sequence[Container], stack: Stack) -> list[list[str]]:
    """Return the ids of each service's containers, in the stack's order."""
    return [
        [c.container_id for c in containers if c.service == service.name]
        for service in stack.services
    ]


def read_window(
    window: Sequence[Pass], ids: Sequence[Sequence[str]], metric: Metric
) -> WindowFigures:
    """Walk through a window; ValueError for an empty one."""
    services: list[ServiceFigures] = []
    times, totals, held = array("d"), array("q"), array("q")
    unreadable = highest = 0
    age = 0.0
    first = last = peak = None
    for sample in window:
        total = total_of(sample, metric)
        if peak is None or total > highest:
            peak, highest = sample, total
        first, last = first or sample, sample
        times.append(sample.time)
        totals.append(total)
        held.append(held_by(sample.box))
        unreadable = max(unreadable, sample.unreadable)
        age = max(age, sample.age_seconds)
        _add_services(services, sample, ids, metric)
    if first is None or last is None or peak is None:
        raise ValueError("the window is empty")
    return WindowFigures(
        passes=window,
        first=first,
        last=last,
        peak=peak,
        times=times,
        totals=totals,
        held=held,
        services=tuple(services),
        unreadable=unreadable,
        age_seconds=age,
    )


def _add_services(
    services: list[ServiceFigures], sample: Pass, ids: Sequence[Sequence[str]], metric: Metric
) -> None:
    for index, own in enumerate(ids):
        usages = [sample.containers[cid] for cid in own if cid in sample.containers]
        share = sum(share_of(used, metric) for used in usages)
        rss = sum(used.usage.rss for used in usages)
        if index == len(services):
            services.append(ServiceFigures(Range(share, share), Range(rss, rss)))
        figures = services[index]
        figures.shares.widen(share)
        figures.rss.widen(rss)
        figures.held.append(sum(held_by(used.account) for used in usages))


def held_by(account: Account) -> int:
    """Return what only a process that ends, or a file that is removed, gives back, in bytes.

    That is where leaks are. The page cache can be dropped, mapped or not, and the kernel's memory
    includes the file systems' caches under cgroup v1: both grow with every file that is read.
    """
    return account.anon + account.shmem


def read_run(passes: Iterable[Pass], began: float, metric: Metric) -> RunFigures:
    """Walk through all passes; `began` is when `compose up` did."""
    run, highest = RunFigures(), 0
    for sample in passes:
        box = sample.box
        total = total_of(sample, metric) if sample.time >= began else highest
        if total > highest or (run.highest is None and sample.time >= began):
            run.highest, highest = sample, total
        if box.peak is not None:
            run.box_peak = max(run.box_peak or 0, box.peak)
        run.unreclaimable = max(run.unreclaimable, box.unreclaimable)
        machine_kills = sample.machine.oom_kills if sample.machine else 0
        run.box_kills = max(run.box_kills, box.oom_kills, machine_kills)
        run.oom_killed += sample.oom_killed
        for name, used in sample.containers.items():
            account = used.account
            mark = account.usage if account.peak is None else account.peak
            run.marks[name] = max(run.marks.get(name, 0), mark)
            run.kills[name] = max(run.kills.get(name, 0), account.oom_kills)
    return run
