"""From the sampler's passes to a MemoryReport: pure arithmetic, the headline included."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from onegig.memory.sampler import Pass
from onegig.memory.stack import Container, state_of
from onegig.model.budgets import Metric
from onegig.model.measured import Unknown
from onegig.model.memory import Box, EnginePart, Sample, ServiceMemory, Stall, WindowTotals
from onegig.model.stack import Service, Stack

MOST_SAMPLES = 3_000  # of a window in the report: five minutes at 10 Hz are kept as they are
ENGINE_ORDER = ("dockerd", "containerd", "shim", "proxy", "runc", "other")

V = TypeVar("V")


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What was seen: every pass since the box came up, those of each window, and the end states."""

    passes: tuple[Pass, ...]
    windows: tuple[tuple[Pass, ...], ...]  # in the order they were taken, none empty
    containers: tuple[Container, ...]
    logs: Mapping[str, str]  # by service, for those that failed

    def window(self, metric: Metric) -> tuple[Pass, ...]:
        """The one with the highest total: the one that counts."""
        return max(self.windows, key=lambda window: total_of(peak_pass(window, metric), metric))


def total_of(one: Pass, metric: Metric) -> int:
    """The headline of one pass, without the system overhead: stack plus engine, in bytes.

    The engine counts by PSS always: its shims share most of their pages, and a sum of their RSS
    overstates them four times.
    """
    if metric is Metric.CHARGED:
        return one.box.working_set
    engine = sum(usage.pss for usage in one.engine.values())
    usages = [container.usage for container in one.containers.values()]
    return engine + sum(u.pss if metric is Metric.PSS else u.rss for u in usages)


def peak_pass(window: Sequence[Pass], metric: Metric) -> Pass:
    """The pass with the highest total; ValueError for an empty window."""
    return max(window, key=lambda one: total_of(one, metric))


def summarise_services(
    seen: Observation, stack: Stack, metric: Metric
) -> tuple[ServiceMemory, ...]:
    """Every service of the stack at the peak of the window, in the stack's order."""
    peak = peak_pass(seen.window(metric), metric)
    kills = _oom_kills(seen)
    return tuple(_service(service, seen, peak, kills) for service in stack.services)


def summarise_engine(seen: Observation, metric: Metric) -> tuple[EnginePart, ...]:
    """The engine's processes by kind at the peak of the window."""
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
    """The box as a whole at the peak of the window, with its high-water marks since it came up."""
    peak = peak_pass(seen.window(metric), metric)
    usages = [container.usage for container in peak.containers.values()]
    marks = [one.box.peak for one in seen.passes if one.box.peak is not None]
    return Box(
        mode=mode,
        cap_bytes=cap_bytes,
        charged_bytes=peak.box.working_set,
        usage_bytes=peak.box.usage,
        peak_bytes=max(marks) if marks else Unknown(reason="kernel older than 5.19"),
        peak_anon_bytes=max(one.box.usage - one.box.file for one in seen.passes),
        total_rss_bytes=sum(usage.rss for usage in usages),
        total_pss_bytes=sum(usage.pss for usage in usages),
        oom_kills=sum(_oom_kills(seen).values()) or max(one.box.oom_kills for one in seen.passes),
        stall=_stall(seen.window(metric)),
    )


def summarise_samples(seen: Observation, stack: Stack, metric: Metric) -> tuple[Sample, ...]:
    """The passes of the window that counts, MOST_SAMPLES of them at most."""
    ids = {service.name: _ids(service, seen.containers) for service in stack.services}
    window = seen.window(metric)
    start = window[0].time
    return tuple(
        Sample(
            offset_seconds=round(one.time - start, 3),
            total_bytes=total_of(one, metric),
            charged_bytes=one.box.working_set,
            engine_bytes=sum(usage.pss for usage in one.engine.values()),
            service_rss_bytes=tuple(_rss(one, ids[service.name]) for service in stack.services),
        )
        for one in thinned(window, lambda one: total_of(one, metric))
    )


def summarise_windows(
    windows: Sequence[Sequence[Pass]],
    containers: Sequence[Container],
    stack: Stack,
    metric: Metric,
) -> tuple[WindowTotals, ...]:
    """Every window by itself: its totals and what its services took, by the metric."""
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
    """What a service's containers add to the total."""
    own = [one.containers[container] for container in ids if container in one.containers]
    if metric is Metric.CHARGED:
        return sum(container.account.working_set for container in own)
    return sum(c.usage.pss if metric is Metric.PSS else c.usage.rss for c in own)


def _service(
    service: Service, seen: Observation, peak: Pass, kills: Mapping[str, int]
) -> ServiceMemory:
    ids = _ids(service, seen.containers)
    oom_kills = sum(kills.get(one, 0) for one in ids)
    own = [container for container in seen.containers if container.container_id in ids]
    now = [peak.containers[one] for one in ids if one in peak.containers]
    marks = [_mark(seen.passes, one) for one in ids]
    over_windows = [_rss(one, ids) for window in seen.windows for one in window]
    known = [mark for mark in marks if mark is not None]
    return ServiceMemory(
        name=service.name,
        state=state_of(service, seen.containers, oom_kills),
        rss_bytes=sum(one.usage.rss for one in now),
        pss_bytes=sum(one.usage.pss for one in now),
        working_set_bytes=sum(one.account.working_set for one in now),
        anon_bytes=sum(one.account.anon for one in now),
        file_bytes=sum(one.account.file for one in now),
        peak_bytes=sum(known) if known else Unknown(reason="never seen running"),
        rss_min_bytes=min(over_windows),
        rss_max_bytes=max(over_windows),
        processes=sum(one.usage.processes for one in now),
        restarts=sum(container.restarts for container in own),
        oom_kills=oom_kills,
        optional=service.optional,
        criticality=service.criticality,
        log_tail=seen.logs.get(service.name, ""),
    )


def _oom_kills(seen: Observation) -> dict[str, int]:
    """OOM kills by container id: from the kernel's log, or else from the cgroups' counters."""
    known = {container.container_id for container in seen.containers}
    kills: dict[str, int] = {}
    for one in seen.passes:
        for path in one.oom_killed:
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


def _rss(one: Pass, ids: Sequence[str]) -> int:
    return sum(one.containers[cid].usage.rss for cid in ids if cid in one.containers)
