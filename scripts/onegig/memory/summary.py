"""From the sampler's passes to a MemoryReport: pure arithmetic, the headline included.

How each service fared: from its containers, the kernel's OOM kills and what it depends on.

Whether a service still grows when the window closes, and how fast.

Robust against what a healthy service does: the slope is Theil and Sen's, the median over all pairs
of points (P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, Journal of the
American Statistical Association 63, 1968), and it only counts where medians of four parts of the
window rise one after the other, into the last part, by more than the noise around that slope.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from statistics import median
from typing import TypeVar

from onegig.machine.containers import (
    FAILED,
    WINDOW_RESTARTS,
    Container,
    own_containers,
    worst_state,
)
from onegig.machine.sampler import Pass
from onegig.machine.start import Start
from onegig.memory.observation import Observation, engine_of, peak_pass, share_of, total_of
from onegig.model.budgets import Metric
from onegig.model.measured import Unknown
from onegig.model.memory import (
    BootPeak,
    Box,
    EnginePart,
    Sample,
    ServiceMemory,
    ServiceState,
    Stall,
    WindowTotals,
)
from onegig.model.stack import Service, Stack


def service_states(
    seen: Observation, stack: Stack, kills: Mapping[str, int]
) -> dict[str, ServiceState]:
    """Return each service's state: what became of its own containers, then of what they need.

    A container that never started waits for something: for a service that failed, or, when the time
    ran out, for one that was not ready yet.
    """
    states = {one.name: _own_state(one, seen, kills) for one in stack.services}
    for name, state in list(states.items()):
        if state is ServiceState.WAITING and seen.start.report.timed_out:
            needed = [states.get(other) for other in stack.needs(name)]
            if not any(other in FAILED for other in needed):
                states[name] = ServiceState.NOT_READY
    return states


def _own_state(service: Service, seen: Observation, kills: Mapping[str, int]) -> ServiceState:
    own = own_containers(service, seen.containers)
    if any(kills.get(one.container_id) for one in own):
        return ServiceState.OOM_KILLED
    if service.name in seen.start.refused:
        return ServiceState.REFUSED
    restarts = [one.restarts - seen.restarts_before.get(one.container_id, 0) for one in own]
    if max(restarts, default=0) >= WINDOW_RESTARTS:
        return ServiceState.CRASHED
    return worst_state([one.state for one in own])


def waits_for(
    service: Service, states: Mapping[str, ServiceState], stack: Stack, start: Start
) -> tuple[str, ...]:
    """Return the services that kept one from starting: those that failed, else those not ready."""
    needed = [name for name in stack.needs(service.name) if name in states]
    failed = tuple(name for name in needed if states[name] in FAILED)
    late = start.report.waited_for  # when the wait was over; they may have become ready since
    return failed or tuple(
        name for name in needed if name in late or states[name] is ServiceState.NOT_READY
    )


def oom_kills(seen: Observation) -> dict[str, int]:
    """Count OOM kills by container id: from the kernel's log, else the cgroups' counters."""
    known = {container.container_id for container in seen.containers}
    kills: dict[str, int] = {}
    for one in seen.passes:
        for _, path in one.oom_killed:
            container_id = next((part for part in path.split("/") if part in known), "")
            kills[container_id] = kills.get(container_id, 0) + 1
    for container_id in known - kills.keys():
        counts = [
            one.containers[container_id].account.oom_kills
            for one in seen.passes
            if container_id in one.containers
        ]
        highest = max(counts, default=0)
        if highest:
            kills[container_id] = highest
    return kills


def own_limit_kills(seen: Observation, ids: Sequence[str]) -> int:
    """Count the kills for which the kernel names the limit of a container, not of the box."""
    limits = [limit for one in seen.passes for limit, _ in one.oom_killed]
    return sum(any(part in ids for part in limit.split("/")) for limit in limits)


PARTS = 4
POINTS = 60  # medians of equal stretches: pairs grow with the square
LEAST_BYTES = 512 * 1024  # over the window; a healthy service moves by some hundred pages
LEAST_SHARE = 0.01  # of what it takes
NOISES = 4.0  # times the median distance from the slope
LATE_SHARE = 0.25  # of the growth must happen in the second half: what fills up is no leak

Point = tuple[float, float]  # seconds, bytes


def growth(series: Sequence[tuple[float, int]]) -> float:
    """Return bytes per second at the end of a series of (seconds, bytes); 0.0 within noise."""
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


def _stretches(series: Sequence[tuple[float, int]]) -> list[Point]:
    count = min(POINTS, len(series))
    edges = [at * len(series) // count for at in range(count + 1)] if count else []
    parts = [series[low:high] for low, high in pairwise(edges)]
    return [(median(at for at, _ in part), median(value for _, value in part)) for part in parts]


def _slope(points: Sequence[Point]) -> float:
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return median(slopes) if slopes else 0.0


MOST_SAMPLES = 3_000  # of a window in the report: five minutes at 10 Hz are kept as they are
ENGINE_ORDER = ("dockerd", "containerd", "shim", "proxy", "runc", "other")

CAUSE_SHARE = 0.2  # of the largest excess: what adds less to a peak is no cause of it
UP = (ServiceState.HEALTHY, ServiceState.RUNNING)

V = TypeVar("V")


def summarise_services(
    seen: Observation, stack: Stack, metric: Metric
) -> tuple[ServiceMemory, ...]:
    """Return every service of the stack at the peak of the window, in the stack's order."""
    peak = peak_pass(seen.window(metric), metric)
    kills = oom_kills(seen)
    states = service_states(seen, stack, kills)
    return tuple(_service(service, seen, peak, kills, states, stack) for service in stack.services)


def summarise_boot(seen: Observation, stack: Stack, metric: Metric) -> BootPeak | Unknown:
    """Return the highest total since `compose up` began, and who made it so high."""
    passes = [one for one in seen.passes if one.time >= seen.start.began]
    if not passes:
        return Unknown(reason="nothing was sampled while the stack started")
    peak, usual = peak_pass(passes, metric), peak_pass(seen.window(metric), metric)
    ids = {service.name: _ids(service, seen.containers) for service in stack.services}
    excess: dict[str, tuple[int, int]] = {}
    for name, own in ids.items():
        now = _share(peak, own, metric)
        excess[name] = now - _share(usual, own, metric), now
    engine = engine_of(peak, metric)
    excess["engine"] = engine - engine_of(usual, metric), engine
    order = sorted(excess, key=lambda name: -excess[name][0])
    least = max(0, excess[order[0]][0] * CAUSE_SHARE)
    return BootPeak(
        offset_seconds=round(peak.time - seen.start.began, 1),
        total_bytes=total_of(peak, metric),
        rss_bytes=total_of(peak, Metric.RSS),
        starting=peak.time < seen.windows[0][0].time,
        causes=tuple((name, excess[name][1]) for name in order if excess[name][0] > least),
    )


def summarise_engine(seen: Observation, metric: Metric) -> tuple[EnginePart, ...]:
    """Return the engine's processes by kind at the peak of the window."""
    engine = peak_pass(seen.window(metric), metric).engine
    return tuple(
        EnginePart(
            name=kind,
            processes=engine[kind].processes,
            rss_bytes=engine[kind].rss,
            pss_bytes=engine[kind].pss,
        )
        for kind in ENGINE_ORDER
        if kind in engine
    )


def summarise_box(seen: Observation, *, mode: str, cap_bytes: int, metric: Metric) -> Box:
    """Return the box at the peak of the window, with its high-water marks since it came up."""
    peak = peak_pass(seen.window(metric), metric)
    usages = [container.usage for container in peak.containers.values()]
    marks = [one.box.peak for one in seen.passes if one.box.peak is not None]
    return Box(
        mode=mode,
        cap_bytes=cap_bytes,
        cost_bytes=total_of(peak, Metric.COST),
        shmem_bytes=peak.box.shmem,
        kernel_bytes=peak.box.kernel,
        charged_bytes=peak.box.working_set,
        usage_bytes=peak.box.usage,
        # a box that was stuck had its cap lifted for a while
        peak_bytes=min(max(marks), cap_bytes)
        if marks
        else Unknown(reason="kernel older than 5.19"),
        peak_anon_bytes=max(one.box.unreclaimable for one in seen.passes),
        total_rss_bytes=sum(usage.rss for usage in usages),
        total_pss_bytes=sum(usage.pss for usage in usages),
        oom_kills=sum(oom_kills(seen).values()) or max(one.box.oom_kills for one in seen.passes),
        stall=_stall(seen.window(metric)),
    )


def summarise_samples(seen: Observation, stack: Stack, metric: Metric) -> tuple[Sample, ...]:
    """Return the passes of the window that counts, MOST_SAMPLES of them at most."""
    ids = {service.name: _ids(service, seen.containers) for service in stack.services}
    window = seen.window(metric)
    start = window[0].time
    return tuple(
        Sample(
            offset_seconds=round(one.time - start, 3),
            total_bytes=total_of(one, metric),
            cost_bytes=total_of(one, Metric.COST),
            charged_bytes=one.box.working_set,
            rss_bytes=total_of(one, Metric.RSS),
            engine_bytes=engine_of(one, metric),
            service_bytes=tuple(
                _share(one, ids[service.name], metric) for service in stack.services
            ),
        )
        for one in thinned(window, lambda one: total_of(one, metric))
    )


def summarise_windows(
    windows: Sequence[Sequence[Pass]],
    containers: Sequence[Container],
    stack: Stack,
    metric: Metric,
) -> tuple[WindowTotals, ...]:
    """Return every window by itself: its totals and what its services took, by the metric."""
    ids = [_ids(service, containers) for service in stack.services]
    return tuple(_window_totals(window, windows[0][0].time, ids, metric) for window in windows)


def thinned(values: Sequence[V], height: Callable[[V], int]) -> tuple[V, ...]:
    """At most MOST_SAMPLES of them: of each stretch the highest, so that no peak is lost."""
    if len(values) <= MOST_SAMPLES:
        return tuple(values)
    edges = [at * len(values) // MOST_SAMPLES for at in range(MOST_SAMPLES + 1)]
    return tuple(max(values[low:high], key=height) for low, high in pairwise(edges))


def _window_totals(
    window: Sequence[Pass], start: float, ids: Sequence[Sequence[str]], metric: Metric
) -> WindowTotals:
    totals = [total_of(one, metric) for one in window]
    services = [[_share(one, own, metric) for one in window] for own in ids]
    return WindowTotals(
        offset_seconds=round(window[0].time - start, 3),
        samples=len(window),
        low_bytes=min(totals),
        high_bytes=max(totals),
        totals=thinned(totals, int),
        services=tuple((min(values), max(values)) for values in services),
    )


def _share(one: Pass, ids: Sequence[str], metric: Metric) -> int:
    """Return what a service's containers add to the total, in bytes."""
    return sum(share_of(one.containers[cid], metric) for cid in ids if cid in one.containers)


def _held(one: Pass, ids: Sequence[str]) -> int:
    """Return what a service itself holds, in bytes: its real cost without the kernel's memory.

    Under cgroup v1 that memory has the file systems' caches in it, which grow with every file that
    is made or looked up and are no leak.
    """
    own = [one.containers[cid] for cid in ids if cid in one.containers]
    return sum(seen.usage.private + seen.account.shmem for seen in own)


def _service(
    service: Service,
    seen: Observation,
    peak: Pass,
    kills: Mapping[str, int],
    states: Mapping[str, ServiceState],
    stack: Stack,
) -> ServiceMemory:
    own = own_containers(service, seen.containers)
    ids = tuple(one.container_id for one in own)
    now = [peak.containers[cid] for cid in ids if cid in peak.containers]
    marks = [_mark(seen.passes, cid) for cid in ids]
    over_windows = [_share(one, ids, Metric.RSS) for window in seen.windows for one in window]
    known = [mark for mark in marks if mark is not None]
    state = states[service.name]
    waits = state in (ServiceState.WAITING, ServiceState.NOT_READY)
    needed = waits_for(service, states, stack, seen.start)
    failing = [one for one in own if not one.ready or one.restarts]
    series = [(one.time, _held(one, ids)) for window in seen.windows for one in window]
    return ServiceMemory(
        name=service.name,
        state=state,
        cost_bytes=sum(share_of(one, Metric.COST) for one in now),
        rss_bytes=sum(one.usage.rss for one in now),
        pss_bytes=sum(one.usage.pss for one in now),
        shmem_bytes=sum(one.account.shmem for one in now),
        kernel_bytes=sum(one.account.kernel for one in now),
        working_set_bytes=sum(one.account.working_set for one in now),
        anon_bytes=sum(one.account.anon for one in now),
        file_bytes=sum(one.account.file for one in now),
        peak_bytes=sum(known) if known else Unknown(reason="never seen running"),
        rss_min_bytes=min(over_windows),
        rss_max_bytes=max(over_windows),
        processes=sum(one.usage.processes for one in now),
        restarts=sum(one.restarts for one in own),
        oom_kills=sum(kills.get(cid, 0) for cid in ids),
        own_limit_kills=own_limit_kills(seen, ids),
        optional=service.optional,
        criticality=service.criticality,
        limit_bytes=service.memory_limit_bytes,
        cpus=service.cpus,
        exit_code=next((one.exit_code for one in failing if one.status != "running"), None),
        reason=_reason(service, seen, needed if waits else None),
        health_log=next((one.health_log for one in failing if one.health_log), ""),
        log_tail=seen.logs.get(service.name, ""),
        waits_for=needed if waits else (),
        growth_bytes_per_second=growth(series) if state in UP else 0.0,
    )


def _reason(service: Service, seen: Observation, needed: tuple[str, ...] | None) -> str:
    """Return why a service did not start, in the engine's words or else in compose's.

    `needed` are the services that one waits for, None for a service that does not wait.
    """
    own = own_containers(service, seen.containers)
    errors = [seen.start.refused.get(service.name, ""), *(one.error for one in own)]
    reason = next(filter(None, errors), "")
    return reason or (seen.start.problem if needed == () else "")


def _mark(passes: Sequence[Pass], container_id: str) -> int | None:
    highest: int | None = None
    for one in passes:
        if container_id in one.containers:
            account = one.containers[container_id].account
            mark = account.usage if account.peak is None else account.peak
            highest = mark if highest is None else max(highest, mark)
    return highest


def _stall(window: Sequence[Pass]) -> Stall | Unknown:
    first, last = window[0].pressure, window[-1].pressure
    if first is None or last is None:
        return Unknown(reason="this kernel keeps no memory pressure for the box (cgroup v1)")
    return Stall(
        some_seconds=(last.some - first.some) / 1e6, full_seconds=(last.full - first.full) / 1e6
    )


def _ids(service: Service, containers: Sequence[Container]) -> tuple[str, ...]:
    return tuple(c.container_id for c in containers if c.service == service.name)
