"""Computes a MemoryReport from the observations of a stack, including the headline. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TypeVar

from onegig.machine.breakdown import Parts
from onegig.memory.figures import Figures, ServiceFigures, WindowFigures, service_ids
from onegig.memory.growth import cut, find_trend
from onegig.memory.pressure import count_faults, measure_stall
from onegig.memory.states import oom_kills, service_states, waits_for
from onegig.memory.totals import engine_of, share_of, shares_of, total_of
from onegig.model.budgets import Metric
from onegig.model.measured import Unknown
from onegig.model.memory import BootPeak, Box, EnginePart, Sample, WindowTotals
from onegig.model.service import UP, Breakdown, ServiceMemory, ServiceState, Trend
from onegig.model.stack import Service

MOST_SAMPLES = 3_000  # of a window in the report: five minutes at 10 Hz are kept as they are
MOST_FIGURES = 300_000  # of all samples together: one for each service, and a few more
ENGINE_ORDER = (
    *("dockerd", "containerd", "shim", "proxy", "podman", "conmon", "netavark", "dns"),
    *("runc", "crun", "other"),
)
CAUSE_SHARE = 0.2  # of the largest excess: what adds less to a peak is no cause of it
BLOCKED = (ServiceState.WAITING, ServiceState.NOT_READY)

V = TypeVar("V")


def summarise_services(figures: Figures) -> tuple[ServiceMemory, ...]:
    """Return every service of the stack at the peak of the window, in the stack's order."""
    kills = oom_kills(figures)
    states = service_states(figures, kills)
    return tuple(
        _service(service, figures, figures.services(index), kills, states)
        for index, service in enumerate(figures.stack.services)
    )


def summarise_boot(figures: Figures) -> BootPeak | Unknown:
    """Return the highest total since `compose up` began, and who made it so high."""
    peak, metric, began = figures.run.highest, figures.metric, figures.seen.start.began
    if peak is None:
        return Unknown(reason="nothing was sampled while the stack started")
    taken, normal = (
        {s.name: shares_of(sample, figures.ids(s.name), metric) for s in figures.stack.services}
        | {"engine": engine_of(sample, metric)}
        for sample in (peak, figures.peak)
    )
    excess = {name: taken[name] - normal[name] for name in taken}
    order = sorted(excess, key=lambda name: -excess[name])
    least = max(0, excess[order[0]] * CAUSE_SHARE)
    return BootPeak(
        offset_seconds=round(peak.time - began, 1),
        total_bytes=total_of(peak, metric),
        rss_bytes=total_of(peak, Metric.RSS),
        starting=peak.time < figures.windows[0].first.time,
        causes=tuple((name, taken[name]) for name in order if excess[name] > least),
    )


def summarise_engine(figures: Figures) -> tuple[EnginePart, ...]:
    """Return the engine's processes by kind at the peak of the window."""
    engine = figures.peak.engine
    return tuple(
        EnginePart(name=kind, processes=use.processes, rss_bytes=use.rss, pss_bytes=use.pss)
        for kind in ENGINE_ORDER
        if (use := engine.get(kind))
    )


def summarise_box(figures: Figures, *, mode: str, cap_bytes: int) -> Box:
    """Return the box at the peak of the window, with its high-water marks since it came up."""
    peak, run = figures.peak, figures.run
    usages = [container.usage for container in peak.containers.values()]
    why = (
        "a twin has no cgroup for engine and stack together"
        if peak.machine
        else "kernel older than 5.19"
    )
    peak_bytes: int | Unknown = Unknown(reason=why)
    if run.box_peak is not None:  # the cap of a box that was stuck was lifted for a while
        peak_bytes = min(run.box_peak, cap_bytes)
    return Box(
        mode=mode,
        cap_bytes=cap_bytes,
        cost_bytes=total_of(peak, Metric.COST),
        shmem_bytes=peak.box.shmem,
        kernel_bytes=peak.box.kernel,
        charged_bytes=peak.box.working_set,
        usage_bytes=peak.box.usage,
        peak_bytes=peak_bytes,
        peak_anon_bytes=run.unreclaimable,
        total_rss_bytes=sum(usage.rss for usage in usages),
        total_pss_bytes=sum(usage.pss for usage in usages),
        oom_kills=sum(oom_kills(figures).values()) or run.box_kills,
        stall=measure_stall(figures.window.passes),
        faults=count_faults(figures.window.passes),
        trend=_trend(figures, (window.held for window in figures.windows)),
    )


def summarise_samples(figures: Figures) -> tuple[Sample, ...]:
    """Return at most MOST_SAMPLES passes of the window that counts; fewer for many services."""
    ids = service_ids(figures.seen.containers, figures.stack)
    window, metric = figures.window, figures.metric
    return tuple(
        Sample(
            offset_seconds=round(sample.time - window.first.time, 3),
            total_bytes=total_of(sample, metric),
            cost_bytes=total_of(sample, Metric.COST),
            charged_bytes=sample.box.working_set,
            rss_bytes=total_of(sample, Metric.RSS),
            engine_bytes=engine_of(sample, metric),
            service_bytes=tuple(shares_of(sample, own, metric) for own in ids),
        )
        for sample in thinned(
            window.passes,
            lambda sample: total_of(sample, metric),
            min(MOST_SAMPLES, MOST_FIGURES // (len(ids) + len(fields(Sample)))),
        )
    )


def summarise_windows(windows: Sequence[WindowFigures]) -> tuple[WindowTotals, ...]:
    """Return every window by itself: its totals and what its services took, by the metric."""
    return tuple(
        WindowTotals(
            offset_seconds=round(window.first.time - windows[0].first.time, 3),
            samples=len(window.totals),
            low_bytes=min(window.totals),
            high_bytes=max(window.totals),
            totals=tuple(thinned(window.totals, int)),
            services=tuple((own.shares.low, own.shares.high) for own in window.services),
        )
        for window in windows
    )


def thinned(
    values: Sequence[V], height: Callable[[V], int], most: int = MOST_SAMPLES
) -> Iterator[V]:
    """Yield at most that many values: of each stretch the highest, so that no peak is lost."""
    if len(values) <= most:
        yield from values
    else:
        yield from (max(part, key=height) for part in cut(values, most))


def _service(
    service: Service,
    figures: Figures,
    in_windows: Sequence[ServiceFigures],
    kills: Mapping[str, int],
    states: Mapping[str, ServiceState],
) -> ServiceMemory:
    seen, run = figures.seen, figures.run
    own, ids = seen.own(service.name), figures.ids(service.name)
    now = [figures.peak.containers[cid] for cid in ids if cid in figures.peak.containers]
    marks = [run.marks[cid] for cid in ids if cid in run.marks]
    state = states[service.name]
    trend: Trend | Unknown = Unknown(reason="it was not up at the end")
    if state in UP:
        trend = _trend(figures, (window.held for window in in_windows))
    needed = waits_for(service, states, figures.stack, seen.start) if state in BLOCKED else ()
    failing = [container for container in own if not container.ready or container.restarts]
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
        rss_min_bytes=min(window.rss.low for window in in_windows),
        rss_max_bytes=max(window.rss.high for window in in_windows),
        processes=sum(used.usage.processes for used in now),
        restarts=sum(container.restarts for container in own),
        oom_kills=sum(kills.get(cid, 0) for cid in ids),
        own_limit_kills=_own_limit_kills(figures, ids, kills),
        optional=service.optional,
        criticality=service.criticality,
        limit_bytes=service.memory_limit_bytes,
        cpus=service.cpus,
        exit_code=next((c.exit_code for c in failing if c.status != "running"), None),
        reason=next(filter(None, reasons), ""),
        health_log=next((c.health_log for c in failing if c.health_log), ""),
        log_tail=seen.logs.get(service.name, ""),
        waits_for=needed,
        containers=max(1, len(own)),
        single=service.single,
        trend=trend,
        breakdown=_break_down(figures, ids),
    )


def _own_limit_kills(
    figures: Figures, ids: Sequence[str], kills: Mapping[str, int]
) -> int | Unknown:
    """Count the OOM kills at a service's own limit; Unknown if the kernel's log lacks some."""
    logged = [
        limit
        for limit, victim in figures.run.oom_killed
        if not set(ids).isdisjoint(victim.split("/"))
    ]
    if len(logged) < sum(kills.get(cid, 0) for cid in ids):
        return Unknown(reason="the kernel's log does not say which limit was reached")
    return sum(not set(ids).isdisjoint(limit.split("/")) for limit in logged)


def _break_down(figures: Figures, ids: Sequence[str]) -> Breakdown | Unknown:
    """Return where a service's memory goes, with the accounts of the last pass."""
    known = [figures.seen.parts[cid] for cid in ids if cid in figures.seen.parts]
    last = figures.windows[-1].last.containers
    accounts = [last[cid].account for cid in ids if cid in last]
    if not known or not accounts:
        return Unknown(reason="its processes had already ended")
    whole = Parts()
    for parts in known:
        whole.add(parts)
    return Breakdown(
        program_bytes=whole.program,
        libraries_bytes=whole.libraries,
        dependencies_bytes=whole.dependencies,
        heap_bytes=whole.heap,
        stacks_bytes=whole.stacks,
        files_bytes=whole.files,
        shared_bytes=whole.shared,
        unmapped_bytes=max(0, sum(account.shmem for account in accounts) - whole.shared),
        kernel_bytes=sum(account.kernel for account in accounts),
        programs=tuple(sorted(whole.programs, key=lambda name: -whole.programs[name])),
    )


def _trend(figures: Figures, held: Iterable[Sequence[int]]) -> Trend | Unknown:
    """Return the trend of what was held in each pass of each window."""
    windows = zip(figures.windows, held, strict=True)
    return find_trend(
        [pair for window, own in windows for pair in zip(window.times, own, strict=True)]
    )
