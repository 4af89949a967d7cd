"""From the sampler's passes to a MemoryReport: pure arithmetic, the headline included."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from onegig.memory.containers import Container, own_containers
from onegig.memory.growth import growth
from onegig.memory.observation import Observation, engine_of, peak_pass, share_of, total_of
from onegig.memory.sampler import Pass
from onegig.memory.states import oom_kills, own_limit_kills, service_states, waits_for
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
