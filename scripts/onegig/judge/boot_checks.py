"""The way up and what comes after: the peak since `compose up`, and services that still grow."""

from collections.abc import Iterator

from onegig.judge.figures import compare, duration, memory, percent
from onegig.judge.totals import Total
from onegig.model.budgets import Budgets, Metric
from onegig.model.measured import Missing
from onegig.model.memory import BootPeak, MemoryReport, ServiceMemory, Start
from onegig.model.state import State
from onegig.model.verdict import Check, Unit

MINUTE = 60
CAUSES = 2  # that are named
FULL_SHARE = 0.95  # of the box's cap: little is left then for the programs' own pages
SOON_SECONDS = 365 * 86_400  # a machine that is full later than this is not worth a sentence


def check_boot(budgets: Budgets, report: MemoryReport, total: Total) -> Iterator[Check]:
    """Judge the highest total since `compose up`, where it was not within a window.

    A job that runs once, or a service that is large while it starts, ends a small machine as surely
    as one that stays large.
    """
    peak, start, limit = starting_peak(budgets, report), report.start, budgets.memory.limit_bytes
    if peak is None:
        return
    value = boot_bytes(budgets, peak)
    figures = compare(value, limit)
    if not isinstance(start, Missing) and start.crowded:
        state, message = State.NO_GO, _crowded(start, total)
    else:
        message = f"{describe_boot(report, peak)}: {figures.of}, {figures.room}"
        state = State.NO_GO if value > limit else State.GO
        if value <= limit < value + limit * budgets.memory.headroom_share:
            state = State.WARN
            message += f", less than the {percent(budgets.memory.headroom_share)} asked for"
    yield Check(
        id="memory.boot",
        subject="stack",
        title="Peak while starting",
        unit=Unit.MEMORY,
        value=value,
        limit=limit,
        state=state,
        message=message,
        where=budgets.where("memory.limit"),
    )


def starting_peak(budgets: Budgets, report: MemoryReport) -> BootPeak | None:
    """Return the highest total since `compose up`; None where it was within a window.

    What was measured by another metric cannot be judged by this one.
    """
    peak, start = report.boot, report.start
    if isinstance(peak, Missing) or Metric(report.window.metric) is not budgets.memory.metric:
        return None
    crowded = not isinstance(start, Missing) and start.crowded > 0
    return peak if peak.starting or crowded else None


def boot_bytes(budgets: Budgets, peak: BootPeak) -> int:
    """Return the peak as a total of the machine: with kernel and operating system."""
    return peak.total_bytes + budgets.memory.system_overhead_bytes


def describe_boot(report: MemoryReport, peak: BootPeak) -> str:
    """Say who made the peak, and when: "migrate took 860 MB while the stack started (at 3 s)"."""
    if _is_full(report, peak):
        return _pushed_out(report)
    when = f"while the stack started (after {duration(round(peak.offset_seconds))})"
    causes = [f"{_name(name)} took {memory(taken)}" for name, taken in peak.causes[:CAUSES]]
    return f"{' and '.join(causes) or 'engine and stack were largest'} {when}"


def _is_full(report: MemoryReport, peak: BootPeak) -> bool:
    """Tell whether only the engine fell back after the peak, because memory stayed full.

    Pages of programs can be read again from the disk: the kernel drops them first, and the total
    looks smaller than what the machine should hold.
    """
    only_engine = [name for name, _ in peak.causes] == ["engine"]
    return only_engine and report.box.cost_bytes >= report.box.cap_bytes * FULL_SHARE


def _pushed_out(report: MemoryReport) -> str:
    biggest = max(report.services, key=lambda service: service.cost_bytes, default=None)
    most = f"{biggest.name} took {memory(biggest.cost_bytes)} and " if biggest else ""
    return f"{most}memory was full until parts of the engine were pushed out of it"


def check_growth(report: MemoryReport, budgets: Budgets, total: Total) -> Iterator[Check]:
    """Warn of every service that still grew when the last window closed."""
    left = max(0, budgets.memory.limit_bytes - total.bytes)
    for service in report.services:
        rate = service.growth_bytes_per_second
        if rate > 0:
            yield Check(
                id="service.growth",
                subject=service.name,
                title=f"Growth of {service.name} in a minute",
                unit=Unit.MEMORY,
                value=int(rate * MINUTE),
                limit=None,
                blocking=False,
                state=State.WARN,
                message=_grows(service, left),
                where="",
            )


def _grows(service: ServiceMemory, left_bytes: int) -> str:
    rate = service.growth_bytes_per_second
    seconds = left_bytes / rate
    full = f": the machine would be full in {duration(seconds)}" if seconds < SOON_SECONDS else ""
    doubt = "a leak, or memory that still fills (a longer --settle and --window tell)"
    return f"{service.name} grows by {memory(int(rate * MINUTE))} a minute{full}; {doubt}"


def _crowded(start: Start, total: Total) -> str:
    together = f"memory was full while {start.crowded} containers started at once"
    again = f"started {start.parallel} at a time, the stack takes {memory(total.bytes)}"
    return f"{together}; {again} (COMPOSE_PARALLEL_LIMIT does not limit starts)"


def _name(cause: str) -> str:
    return "the engine" if cause == "engine" else cause
