"""Memory judged: the total against the limit, and the peak while the stack started.

The total is what the stack, the engine and the system take together, by the metric chosen. Two
windows of one stack differ by noise. Where a limit lies within that noise one window can't show on
which side the stack is: more are taken, and the limit is not loosened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter

from onegig.judge.checks import Case, compare, duration, format_span, format_values, gap, reason
from onegig.judge.squeeze import is_crowded, is_spared
from onegig.model.budgets import Budgets, MemoryBudget, Metric
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import BootPeak, BootTotals, MemoryReport, Start, WindowTotals
from onegig.model.service import ServiceMemory
from onegig.model.sizes import format_mb, percent
from onegig.model.state import State
from onegig.model.twin import TwinMemory
from onegig.model.verdict import Check, make_check

CAUSES = 2  # that are named
FULL_SHARE = 0.95  # of the box's cap: little is left then for the programs' own pages
NOISE_SHARE = 0.01  # of the limit: what two windows of the same stack may differ by
SPARED = "but it fitted without pressure"
ENOUGH_TO_RISE = 3  # windows that must each be higher than the one before


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """system + engine + stack = total, at the highest peak; `spread` is its range over all windows.

    `peaks` are those of each boot, or of each window of a single one, in the order they were taken;
    none for a metric that was not the one measured by.
    """

    system_bytes: int
    engine_bytes: int
    stack_bytes: int
    spread: tuple[int, int] | Missing
    peaks: tuple[int, ...]
    rss_bytes: int  # the total by RSS, beside whatever metric was chosen

    @property
    def bytes(self) -> int:
        """Return the headline."""
        return self.system_bytes + self.engine_bytes + self.stack_bytes

    @property
    def range(self) -> tuple[int, int]:
        """Return the spread, or the total twice if there are no samples."""
        return (self.bytes, self.bytes) if isinstance(self.spread, Missing) else self.spread


def add_up(memory: MemoryReport, budget: MemoryBudget) -> Total:
    """Return the total by `budget.metric`.

    cost is what the machine loses to engine and stack: every page once, with tmpfs and the kernel's
    own memory for them; on a twin what its available memory fell by, if that is more. rss and pss
    add the services to the engine's PSS, charged is what the kernel counts for the whole box. The
    system's share is the same in all of them: `system_overhead`, which a twin replaces by what it
    measured.
    """
    metric, system = budget.metric, budget.system_overhead_bytes
    windows = _windows(memory, metric)
    ends = (size for window in windows for size in (window.low_bytes, window.high_bytes))
    seen = (*_samples(memory, metric), *ends)
    at_peak, engine = _at_peak(memory, metric)
    highest = max(at_peak, *seen, 0)
    spread: tuple[int, int] | Missing = Unknown(reason="no samples by this metric")
    if seen:
        spread = (min(seen) + system, highest + system)
    rss = max(_at_peak(memory, Metric.RSS)[0], *_samples(memory, Metric.RSS), 0)
    return Total(
        system_bytes=system,
        engine_bytes=min(engine, highest),
        stack_bytes=highest - min(engine, highest),
        spread=spread,
        peaks=tuple(item.high_bytes + system for item in (_boots(memory, metric) or windows)),
        rss_bytes=rss + system,
    )


def consumption(service: ServiceMemory, metric: Metric) -> int:
    """Return a service's share of the headline."""
    if metric is Metric.CHARGED:
        return service.working_set_bytes
    others = {Metric.COST: service.cost_bytes, Metric.RSS: service.rss_bytes}
    return others.get(metric, service.pss_bytes)


def own_ranges(memory: MemoryReport, metric: Metric) -> dict[str, tuple[int, int]]:
    """Return the least and the most each service took, by name.

    A service is held to its own peak if it is known, not to that of the stack.
    """
    windows = _windows(memory, metric)
    ranges: dict[str, tuple[int, int]] = {}
    for index, service in enumerate(memory.services):
        now = consumption(service, metric)
        known = [window.services[index] for window in windows if index < len(window.services)]
        if metric is Metric.RSS:
            known.append((service.rss_min_bytes, service.rss_max_bytes))
        if service.name in ranges:  # replicas that a foreign report lists by themselves
            known.append(ranges[service.name])
        lows, highs = zip((now, now), *known, strict=True)
        ranges[service.name] = min(lows), max(highs)
    return ranges


def _windows(memory: MemoryReport, metric: Metric) -> tuple[WindowTotals, ...]:
    return memory.windows if memory.window.metric == metric else ()


def _boots(memory: MemoryReport, metric: Metric) -> tuple[BootTotals, ...]:
    """Return the boots if there are several, by the metric they were measured by."""
    return memory.boots if len(memory.boots) > 1 and memory.window.metric == metric else ()


def _samples(memory: MemoryReport, metric: Metric) -> tuple[int, ...]:
    if memory.window.metric == metric:
        return tuple(sample.total_bytes for sample in memory.samples)
    if metric is Metric.PSS:  # samples have it only if it was measured by
        return ()
    return tuple(map(attrgetter(f"{metric}_bytes"), memory.samples))


def _at_peak(memory: MemoryReport, metric: Metric) -> tuple[int, int]:
    """Return engine and stack, and the engine's part; of the real cost that is no service's."""
    services = sum(consumption(service, metric) for service in memory.services)
    if metric is Metric.COST:
        return memory.box.cost_bytes, max(0, memory.box.cost_bytes - services)
    engine = memory.engine_pss_bytes
    return memory.box.charged_bytes if metric is Metric.CHARGED else services + engine, engine


def is_noise(low: int, high: int, limit: int) -> bool:
    """Return whether a limit is exceeded by no more than noise, and not all of the time."""
    return low <= limit and 0 < high - limit <= limit * NOISE_SHARE


def is_close(low: int, high: int, limit: int) -> bool:
    """Return whether a limit lies within a range of samples, or within noise of its end."""
    return low <= limit < high or abs(high - limit) <= NOISE_SHARE * limit


def describe_rise(
    windows: Sequence[WindowTotals], services: Sequence[str], system_bytes: int
) -> str:
    """Describe memory that grew from window to window, or "" if it did not.

    The least that each window took must grow every time, and by more than noise at the end: peaks
    depend on what happens to overlap in them.
    """
    lows = [window.low_bytes + system_bytes for window in windows]
    if len(lows) < ENOUGH_TO_RISE or lows[-1] - lows[0] <= NOISE_SHARE * lows[-1]:
        return ""
    if not all(before < after for before, after in pairwise(lows)):
        return ""
    before, after = windows[0].services, windows[-1].services
    grown = [
        (new[0] - old[0], name) for old, new, name in zip(before, after, services, strict=False)
    ]
    most, name = max(grown, default=(0, ""))
    service = f", {name} by {format_mb(most)}" if most > 0 else ""
    rose = f"memory rose from window to window (at least {format_values(lows)}){service}"
    return f"{rose}: a leak, or caches that are still filling"


def check_memory(case: Case) -> Iterator[Check]:
    """Yield every check of memory; one that says why, if it was not measured."""
    budgets, report, where = case.budgets, case.memory, case.budgets.where("memory.limit")
    limit, metric = budgets.memory.limit_bytes, budgets.memory.metric
    if isinstance(report, Missing):
        state, message = State.INCOMPLETE, reason(report, "memory", "measured")
        yield make_check("memory.total", "stack", report, limit, state, message, where)
        return
    total = add_up(report, budgets.memory)
    state, message = _judge_total(budgets, report, total)
    yield make_check("memory.total", "stack", total.bytes, limit, state, message, where)
    if metric is not Metric.RSS:
        value, shared = total.rss_bytes, "shared pages counted for every process"
        message = f"{format_mb(value)} by total RSS, {shared}"
        yield make_check("memory.rss", "stack", value, None, State.GO, message)
    yield from _check_start(budgets, report, total)
    for why in report.incomplete:
        yield gap("memory", why)
    if _has_unknown_peak(report, metric):
        measured = report.window.metric
        yield gap("memory", f"measured at the peak of {measured}; that of {metric} may be higher")


def memory_notes(case: Case) -> Iterator[str]:
    """Yield notes from the measurement, and one about memory that rose from window to window."""
    report, budget = case.memory, case.budgets.memory
    if isinstance(report, Missing):
        return
    yield from report.notes
    names = [service.name for service in report.services]
    windows = _windows(report, budget.metric)
    for number in dict.fromkeys(window.boot for window in windows):
        own = [window for window in windows if window.boot == number]
        if rise := describe_rise(own, names, budget.system_overhead_bytes):
            yield rise


def size_difference(report: MemoryReport, budget: MemoryBudget) -> str:
    """Return "in a box of 944 MB, not 432 MB" if it was not the budget's, or "" if it was."""
    where, size, expected = "in a box of", report.box.cap_bytes, budget.room_bytes
    if isinstance(report.twin, TwinMemory):
        where, size, expected = "on a machine of", report.twin.sold_bytes, budget.limit_bytes
    return "" if size == expected else f"{where} {format_mb(size)}, not {format_mb(expected)}"


def tightness(used_bytes: int, most_bytes: int, budget: MemoryBudget) -> str:
    """Return a remark for figures that leave less than `memory.headroom` free, or ""."""
    if used_bytes <= most_bytes < used_bytes + most_bytes * budget.headroom_share:
        return f", less than the required {percent(budget.headroom_share)}"
    return ""


def _judge_total(budgets: Budgets, report: MemoryReport, total: Total) -> tuple[State, str]:
    """Judge the total; it is only a WARN if the limit is exceeded by no more than noise."""
    limit, other = budgets.memory.limit_bytes, size_difference(report, budgets.memory)
    remark = tightness(total.bytes, limit, budgets.memory)
    state = State.WARN if remark else State.GO
    if total.bytes > limit:
        state, metric = State.NO_GO, budgets.memory.metric
        several = len(total.peaks) > 1
        low, high = total.range
        if is_noise(min(total.peaks) if several else low, high, limit):
            state, seen = State.WARN, f"samples from {format_span(low, high)}; measure again"
            if several:
                parts = "boots" if len(report.boots) > 1 else "windows"
                seen = f"{len(total.peaks)} {parts} peaked at {format_values(total.peaks)}"
            remark = f", within noise ({seen})"
        elif is_spared(report, total.bytes, limit):
            state, remark = State.WARN, _spared(report)
        elif report.services:
            largest = max(report.services, key=lambda service: consumption(service, metric))
            remark = f"; {largest.name} takes {format_mb(consumption(largest, metric))}"
    measured = f" (measured {other})" if other else ""
    return state, f"{compare(total.bytes, limit)}{remark}{measured}"


def _has_unknown_peak(report: MemoryReport, metric: Metric) -> bool:
    """Return whether the peak by a metric is unknown, because the stack was measured by another.

    By the others only the samples of a single window are known, and only if all were kept.
    """
    if report.window.metric == metric:
        return False
    is_whole = len(report.samples) >= report.window.samples and len(report.windows) < 2
    started_higher = not isinstance(report.boot, Missing) and report.boot.starting
    return metric is Metric.PSS or not is_whole or started_higher


def _check_start(budgets: Budgets, report: MemoryReport, total: Total) -> Iterator[Check]:
    """Judge the highest total since `compose up`, if it was before the window.

    A job that runs once, or a service that is large while it starts, ends a small machine as surely
    as one that stays large.
    """
    start, peak, limit = report.start, starting_peak(budgets, report), budgets.memory.limit_bytes
    value: int | Missing = Unknown(reason=f"measured by {report.window.metric}")
    if peak:
        value = peak.total_bytes + budgets.memory.system_overhead_bytes
    if is_crowded(report) and isinstance(start, Start):
        together = f"memory was full while {start.crowded} containers started at once"
        again = f"started {start.parallel} at a time, the stack takes {format_mb(total.bytes)}"
        state, advice = State.NO_GO, "COMPOSE_PARALLEL_LIMIT does not limit starts"
        message = f"{together}; {again} ({advice})"
    elif peak and isinstance(value, int):
        remark = tightness(value, limit, budgets.memory)
        state = State.NO_GO if value > limit else State.WARN if remark else State.GO
        if state is State.NO_GO and is_spared(report, value, limit):
            state, remark = State.WARN, _spared(report)
        message = f"{describe_boot(report, peak)}: {compare(value, limit)}{remark}"
    else:
        return
    where = budgets.where("memory.limit")
    yield make_check("memory.boot", "stack", value, limit, state, message, where)


def _spared(report: MemoryReport) -> str:
    where = "on the twin" if isinstance(report.twin, TwinMemory) else "when squeezed"
    return f"; {SPARED} {where}"


def starting_peak(budgets: Budgets, report: MemoryReport) -> BootPeak | None:
    """Return the highest total since `compose up`, or None if it was within a window.

    If it was measured by another metric, only the RSS of that moment is known.
    """
    peak, metric = report.boot, budgets.memory.metric
    if isinstance(peak, Missing):
        return None
    if report.window.metric != metric:
        if metric is not Metric.RSS:
            return None
        peak = replace(peak, total_bytes=peak.rss_bytes)
    return peak if peak.starting or is_crowded(report) else None


def describe_boot(report: MemoryReport, peak: BootPeak) -> str:
    """Describe the cause and time of the peak: "migrate took 860 MB while the stack started (...)".

    Pages of programs can be read again from the disk: the kernel drops them first. Where only the
    engine fell back after the peak, that is so because memory stayed full, and the total looks
    smaller than what the machine should hold.
    """
    only_engine = [name for name, _ in peak.causes] == ["engine"]
    largest = max(report.services, key=lambda service: service.cost_bytes, default=None)
    if only_engine and report.box.cost_bytes >= report.box.cap_bytes * FULL_SHARE:
        most = f"{largest.name} took {format_mb(largest.cost_bytes)} and " if largest else ""
        return f"{most}memory was full until the kernel dropped parts of the engine"
    causes = [
        f"{'the engine' if name == 'engine' else name} took {format_mb(taken)}"
        for name, taken in peak.causes[:CAUSES]
    ]
    if only_engine and largest:
        causes.append(f"{largest.name} {format_mb(largest.cost_bytes)}")
    largest_parts = " and ".join(causes) or "engine and stack were at their largest"
    return f"{largest_parts} while the stack started (after {duration(round(peak.offset_seconds))})"
