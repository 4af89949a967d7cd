"""From what was seen of a stack to a MemoryReport: pure arithmetic, the headline included."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median
from typing import TypeVar

from onegig.machine.machine import FAILED, Container, Start, worst_state
from onegig.machine.sampler import ContainerUsage, Pass
from onegig.memory.pressure import count_faults, measure_stall
from onegig.model.budgets import Metric
from onegig.model.measured import Unknown
from onegig.model.memory import (
    BootPeak,
    Box,
    EnginePart,
    Sample,
    ServiceMemory,
    ServiceState,
    WindowTotals,
)
from onegig.model.stack import Service, Stack

MOST_SAMPLES = 3_000  # of a window in the report: five minutes at 10 Hz are kept as they are
ENGINE_ORDER = ("dockerd", "containerd", "shim", "proxy", "runc", "other")
CAUSE_SHARE = 0.2  # of the largest excess: what adds less to a peak is no cause of it
WINDOW_RESTARTS = 3  # from this many within the window on, a service keeps crashing
UP = (ServiceState.HEALTHY, ServiceState.RUNNING)
BLOCKED = (ServiceState.WAITING, ServiceState.NOT_READY)
PARTS = 4  # of a window, to see growth
POINTS = 60  # medians of equal stretches: pairs grow with the square
LEAST_BYTES = 512 * 1024  # over the window; a healthy service moves by some hundred pages
LEAST_SHARE = 0.01  # of what it takes
NOISES = 4.0  # times the median distance from the slope
LATE_SHARE = 0.25  # of the growth must happen in the second half: what fills up is no leak

V = TypeVar("V")


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """The passes since the box came up, those of each window, and the states at the end."""

    passes: tuple[Pass, ...]
    windows: tuple[tuple[Pass, ...], ...]  # in the order they were taken, none empty
    containers: tuple[Container, ...]
    answered: bool  # whether the engine could still be asked at the end
    restarts_before: Mapping[str, int]  # by container id, when the first window opened
    logs: Mapping[str, str]  # by service, for those that failed
    start: Start

    def window(self, metric: Metric) -> tuple[Pass, ...]:
        """Return the window with the highest total: the one that counts."""
        return max(self.windows, key=lambda window: total_of(peak_pass(window, metric), metric))

    def peak(self, metric: Metric) -> Pass:
        """Return the pass with the highest total of all windows."""
        return peak_pass(self.window(metric), metric)

    def ids(self, service: str) -> tuple[str, ...]:
        """Return the ids of a service's containers."""
        return tuple(container.container_id for container in self.own(service))

    def own(self, service: str) -> tuple[Container, ...]:
        """Return the containers (replicas) of a service."""
        return tuple(container for container in self.containers if container.service == service)


def total_of(sample: Pass, metric: Metric) -> int:
    """Return the headline of one pass, without the system overhead: stack plus engine, in bytes.

    A machine of its own shows the real cost: what its available memory has fallen by. In a box it
    is counted. By the other metrics the engine counts by PSS always: its shims share most of their
    pages, and a sum of their RSS overstates them four times.
    """
    if metric is Metric.CHARGED:
        return sample.box.working_set
    usages = [container.usage for container in sample.containers.values()]
    if metric is Metric.COST:
        machine = sample.machine
        return machine.fell if machine and machine.available_before else counted_cost(sample)
    return _engine_pss(sample) + sum(u.pss if metric is Metric.PSS else u.rss for u in usages)


def counted_cost(sample: Pass) -> int:
    """Return the real cost of engine and stack as a box counts it, in bytes.

    Every page counts once, shared or not, and with it what the kernel itself keeps for them: PSS
    without shared memory, shared memory (tmpfs, /dev/shm, memfd and shared maps, mapped or not),
    and the kernel's memory.
    """
    containers = (container.usage for container in sample.containers.values())
    private = sum(usage.private for usage in (*sample.engine.values(), *containers))
    return private + sample.box.shmem + sample.box.kernel


def share_of(container: ContainerUsage, metric: Metric) -> int:
    """Return what a container adds to the total, in bytes."""
    usage, account = container.usage, container.account
    if metric is Metric.COST:
        return usage.private + account.shmem + account.kernel
    if metric is Metric.CHARGED:
        return account.working_set
    return usage.pss if metric is Metric.PSS else usage.rss


def engine_of(sample: Pass, metric: Metric) -> int:
    """Return the engine's part of a pass's total, in bytes.

    By the real cost that is all of it that belongs to no container; else the engine's PSS.
    """
    if metric is not Metric.COST:
        return _engine_pss(sample)
    shares = sum(share_of(container, metric) for container in sample.containers.values())
    return max(0, total_of(sample, metric) - shares)


def peak_pass(window: Sequence[Pass], metric: Metric) -> Pass:
    """Return the pass with the highest total; ValueError for an empty window."""
    return max(window, key=lambda sample: total_of(sample, metric))


def _engine_pss(sample: Pass) -> int:
    return sum(usage.pss for usage in sample.engine.values())


def growth(series: Sequence[tuple[float, int]]) -> float:
    """Return bytes per second at the end of a series of (seconds, bytes); 0.0 within noise.

    Robust against what a healthy service does: the slope is Theil and Sen's, the median over all
    pairs of points (P. K. Sen, Estimates of the regression coefficient based on Kendall's tau,
    Journal of the American Statistical Association 63, 1968), and it only counts where medians of
    four parts of the window rise one after the other, into the last part, by more than the noise
    around that slope.
    """
    points = _stretches(series)
    if len(points) < 2 * PARTS:
        return 0.0
    size = len(points) // PARTS
    levels = [median(value for _, value in points[i * size : (i + 1) * size]) for i in range(PARTS)]
    grown = levels[-1] - levels[0]
    slope = _slope(points)
    middle = median(value - slope * at for at, value in points)
    noise = median(abs(value - slope * at - middle) for at, value in points)
    if grown < max(LEAST_BYTES, LEAST_SHARE * levels[0], NOISES * noise):
        return 0.0
    if levels != sorted(levels) or levels[-1] - levels[1] < LATE_SHARE * grown:
        return 0.0
    return max(0.0, _slope(points[len(points) // 2 :]))


def _stretches(series: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    parts = _cut(series, min(POINTS, len(series))) if series else []
    return [(median(at for at, _ in part), median(value for _, value in part)) for part in parts]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return median(slopes) if slopes else 0.0


def summarise_services(
    seen: Observation, stack: Stack, metric: Metric
) -> tuple[ServiceMemory, ...]:
    """Return every service of the stack at the peak of the window, in the stack's order."""
    peak, kills = seen.peak(metric), oom_kills(seen)
    states = service_states(seen, stack, kills)
    return tuple(_service(service, seen, peak, kills, states, stack) for service in stack.services)


def summarise_boot(seen: Observation, stack: Stack, metric: Metric) -> BootPeak | Unknown:
    """Return the highest total since `compose up` began, and who made it so high."""
    passes = [sample for sample in seen.passes if sample.time >= seen.start.began]
    if not passes:
        return Unknown(reason="nothing was sampled while the stack started")
    peak, usual = peak_pass(passes, metric), seen.peak(metric)
    taken, normal = (
        {s.name: _share(sample, seen.ids(s.name), metric) for s in stack.services}
        | {"engine": engine_of(sample, metric)}
        for sample in (peak, usual)
    )
    excess = {name: taken[name] - normal[name] for name in taken}
    order = sorted(excess, key=lambda name: -excess[name])
    least = max(0, excess[order[0]] * CAUSE_SHARE)
    return BootPeak(
        offset_seconds=round(peak.time - seen.start.began, 1),
        total_bytes=total_of(peak, metric),
        rss_bytes=total_of(peak, Metric.RSS),
        starting=peak.time < seen.windows[0][0].time,
        causes=tuple((name, taken[name]) for name in order if excess[name] > least),
    )


def summarise_engine(seen: Observation, metric: Metric) -> tuple[EnginePart, ...]:
    """Return the engine's processes by kind at the peak of the window."""
    engine = seen.peak(metric).engine
    return tuple(
        EnginePart(name=kind, processes=use.processes, rss_bytes=use.rss, pss_bytes=use.pss)
        for kind in ENGINE_ORDER
        if (use := engine.get(kind))
    )


def summarise_box(seen: Observation, *, mode: str, cap_bytes: int, metric: Metric) -> Box:
    """Return the box at the peak of the window, with its high-water marks since it came up."""
    peak = seen.peak(metric)
    usages = [container.usage for container in peak.containers.values()]
    marks = [sample.box.peak for sample in seen.passes if sample.box.peak is not None]
    peak_bytes: int | Unknown = Unknown(reason="kernel older than 5.19")
    if marks:  # the cap of a box that was stuck was lifted for a while
        peak_bytes = min(max(marks), cap_bytes)
    return Box(
        mode=mode,
        cap_bytes=cap_bytes,
        cost_bytes=total_of(peak, Metric.COST),
        shmem_bytes=peak.box.shmem,
        kernel_bytes=peak.box.kernel,
        charged_bytes=peak.box.working_set,
        usage_bytes=peak.box.usage,
        peak_bytes=peak_bytes,
        peak_anon_bytes=max(sample.box.unreclaimable for sample in seen.passes),
        total_rss_bytes=sum(usage.rss for usage in usages),
        total_pss_bytes=sum(usage.pss for usage in usages),
        oom_kills=sum(oom_kills(seen).values()) or max(p.box.oom_kills for p in seen.passes),
        stall=measure_stall(seen.window(metric)),
        faults=count_faults(seen.window(metric)),
    )


def summarise_samples(seen: Observation, stack: Stack, metric: Metric) -> tuple[Sample, ...]:
    """Return the passes of the window that counts, MOST_SAMPLES of them at most."""
    ids = [seen.ids(service.name) for service in stack.services]
    window = seen.window(metric)
    return tuple(
        Sample(
            offset_seconds=round(sample.time - window[0].time, 3),
            total_bytes=total_of(sample, metric),
            cost_bytes=total_of(sample, Metric.COST),
            charged_bytes=sample.box.working_set,
            rss_bytes=total_of(sample, Metric.RSS),
            engine_bytes=engine_of(sample, metric),
            service_bytes=tuple(_share(sample, own, metric) for own in ids),
        )
        for sample in thinned(window, lambda sample: total_of(sample, metric))
    )


def summarise_windows(
    windows: Sequence[Sequence[Pass]], containers: Sequence[Container], stack: Stack, metric: Metric
) -> tuple[WindowTotals, ...]:
    """Return every window by itself: its totals and what its services took, by the metric."""
    ids = [[c.container_id for c in containers if c.service == s.name] for s in stack.services]
    summaries = []
    for window in windows:
        totals = [total_of(sample, metric) for sample in window]
        shares = [[_share(sample, own, metric) for sample in window] for own in ids]
        summary = WindowTotals(
            offset_seconds=round(window[0].time - windows[0][0].time, 3),
            samples=len(window),
            low_bytes=min(totals),
            high_bytes=max(totals),
            totals=thinned(totals, int),
            services=tuple((min(values), max(values)) for values in shares),
        )
        summaries.append(summary)
    return tuple(summaries)


def thinned(
    values: Sequence[V], height: Callable[[V], int], most: int = MOST_SAMPLES
) -> tuple[V, ...]:
    """Return at most that many values: of each stretch the highest, so that no peak is lost."""
    if len(values) <= most:
        return tuple(values)
    return tuple(max(part, key=height) for part in _cut(values, most))


def service_states(
    seen: Observation, stack: Stack, kills: Mapping[str, int]
) -> dict[str, ServiceState]:
    """Return each service's state; one that never started waits for a service that failed.

    Or, when the time ran out, for one that was not ready yet.
    """
    states = {service.name: _own_state(service, seen, kills) for service in stack.services}
    for name, state in list(states.items()):
        blameless = not any(states.get(needed) in FAILED for needed in stack.needs(name))
        if state is ServiceState.WAITING and seen.start.report.timed_out and blameless:
            states[name] = ServiceState.NOT_READY
    return states


def _own_state(service: Service, seen: Observation, kills: Mapping[str, int]) -> ServiceState:
    own = seen.own(service.name)
    if any(kills.get(container.container_id) for container in own):
        return ServiceState.OOM_KILLED
    if service.name in seen.start.refused:
        return ServiceState.REFUSED
    restarts = [c.restarts - seen.restarts_before.get(c.container_id, 0) for c in own]
    if max(restarts, default=0) >= WINDOW_RESTARTS:
        return ServiceState.CRASHED
    return worst_state([container.state for container in own])


def oom_kills(seen: Observation) -> dict[str, int]:
    """Count OOM kills by container id: from the kernel's log, else the cgroups' counters."""
    known = {container.container_id for container in seen.containers}
    kills: dict[str, int] = {}
    for sample in seen.passes:
        for _, path in sample.oom_killed:
            container_id = next((part for part in path.split("/") if part in known), "")
            kills[container_id] = kills.get(container_id, 0) + 1
    for container_id in known - kills.keys():
        counts = (used.account.oom_kills for used in _usages(seen.passes, container_id))
        if highest := max(counts, default=0):
            kills[container_id] = highest
    return kills


def _service(
    service: Service,
    seen: Observation,
    peak: Pass,
    kills: Mapping[str, int],
    states: Mapping[str, ServiceState],
    stack: Stack,
) -> ServiceMemory:
    own, ids = seen.own(service.name), seen.ids(service.name)
    now = [peak.containers[cid] for cid in ids if cid in peak.containers]
    accounts = [[u.account for u in used] for i in ids if (used := _usages(seen.passes, i))]
    marks = [max(a.usage if a.peak is None else a.peak for a in own) for own in accounts]
    passes = [sample for window in seen.windows for sample in window]
    over_windows = [_share(sample, ids, Metric.RSS) for sample in passes]
    state = states[service.name]
    needed = _waits_for(service, states, stack, seen.start) if state in BLOCKED else ()
    failing = [container for container in own if not container.ready or container.restarts]
    limits = [limit.split("/") for sample in seen.passes for limit, _ in sample.oom_killed]
    series = [(sample.time, _private_bytes(sample, ids)) for sample in passes]
    reasons = (seen.start.refused.get(service.name, ""), *(container.error for container in own))
    if state in BLOCKED and not needed:
        reasons = (*reasons, seen.start.problem)
    return ServiceMemory(
        name=service.name,
        state=state,
        cost_bytes=sum(share_of(used, Metric.COST) for used in now),
        rss_bytes=sum(used.usage.rss for used in now),
        pss_bytes=sum(used.usage.pss for used in now),
        shmem_bytes=sum(used.account.shmem for used in now),
        kernel_bytes=sum(used.account.kernel for used in now),
        working_set_bytes=sum(used.account.working_set for used in now),
        anon_bytes=sum(used.account.anon for used in now),
        file_bytes=sum(used.account.file for used in now),
        peak_bytes=sum(marks) if marks else Unknown(reason="never seen running"),
        rss_min_bytes=min(over_windows),
        rss_max_bytes=max(over_windows),
        processes=sum(used.usage.processes for used in now),
        restarts=sum(container.restarts for container in own),
        oom_kills=sum(kills.get(cid, 0) for cid in ids),
        own_limit_kills=sum(not set(ids).isdisjoint(limit) for limit in limits),
        optional=service.optional,
        criticality=service.criticality,
        limit_bytes=service.memory_limit_bytes,
        cpus=service.cpus,
        exit_code=next((c.exit_code for c in failing if c.status != "running"), None),
        reason=next(filter(None, reasons), ""),
        health_log=next((c.health_log for c in failing if c.health_log), ""),
        log_tail=seen.logs.get(service.name, ""),
        waits_for=needed,
        growth_bytes_per_second=growth(series) if state in UP else 0.0,
    )


def _waits_for(
    service: Service, states: Mapping[str, ServiceState], stack: Stack, start: Start
) -> tuple[str, ...]:
    needed = [name for name in stack.needs(service.name) if name in states]
    failed = tuple(name for name in needed if states[name] in FAILED)
    late = start.report.waited_for  # when the wait was over; they may have become ready since
    return failed or tuple(
        name for name in needed if name in late or states[name] is ServiceState.NOT_READY
    )


def _share(sample: Pass, ids: Sequence[str], metric: Metric) -> int:
    return sum(share_of(sample.containers[cid], metric) for cid in ids if cid in sample.containers)


def _private_bytes(sample: Pass, ids: Sequence[str]) -> int:
    """Return a service's real cost without the kernel's memory, in bytes.

    Under cgroup v1 that memory includes the file systems' caches, which grow with every file.
    """
    own = [sample.containers[cid] for cid in ids if cid in sample.containers]
    return sum(used.usage.private + used.account.shmem for used in own)


def _usages(passes: Sequence[Pass], container_id: str) -> list[ContainerUsage]:
    return [p.containers[container_id] for p in passes if container_id in p.containers]


def _cut(values: Sequence[V], count: int) -> list[Sequence[V]]:
    edges = [at * len(values) // count for at in range(count + 1)]
    return [values[low:high] for low, high in pairwise(edges)]
