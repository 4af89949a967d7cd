"""Memory judged: the total against the limit, and beside it the tier's real machine."""

from collections.abc import Iterator

from onegig.judge.boot_checks import (
    check_boot,
    check_growth,
    describe_boot,
    starting_peak,
)
from onegig.judge.figures import compare, listed, memory, percent, reason, span
from onegig.judge.noise import FEW_WINDOWS, is_noise
from onegig.judge.service_checks import check_services
from onegig.judge.tier import WHERE, name_tier
from onegig.judge.totals import Total, consumption
from onegig.model.budgets import Budgets, Metric
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.state import State
from onegig.model.tiers import Tier
from onegig.model.verdict import Check, Unit


def check_memory(
    budgets: Budgets, report: MemoryReport, total: Total, tier: Tier | None
) -> Iterator[Check]:
    """Yield every check of a stack that was measured."""
    yield _total(budgets, report, total)
    if budgets.memory.metric is not Metric.RSS:
        yield _rss(total)
    yield from check_boot(budgets, report, total)
    if tier:
        yield check_tier(budgets, report, total, tier)
    yield from check_services(budgets, report)
    yield from check_growth(report, budgets, total)
    for why in filter(None, (*report.incomplete, total.doubt)):
        yield gap("memory", "Memory measured in full", why)


def missing_memory(budgets: Budgets, missing: Missing) -> Check:
    """Return the one check of a stack that was not measured."""
    return Check(
        id="memory.total",
        subject="stack",
        title="Memory of the stack",
        unit=Unit.MEMORY,
        value=missing,
        limit=budgets.memory.limit_bytes,
        state=State.INCOMPLETE,
        message=reason(missing, "memory", "measured"),
        where=budgets.where("memory.limit"),
    )


def check_tier(budgets: Budgets, report: MemoryReport, total: Total, tier: Tier) -> Check:
    """Check the same stack on the tier's real machine, of which a share must stay free as well.

    The highest total since `compose up` counts. WARN at worst.
    """
    taken = total.engine_bytes + total.stack_bytes
    peak = starting_peak(budgets, report)
    starting = f"; {describe_boot(report, peak)}" if peak and peak.total_bytes > taken else ""
    needed = system_on(tier, total) + max(taken, peak.total_bytes if peak else 0)
    most = tier.memory_bytes if tier.memtotal_bytes is None else tier.memtotal_bytes
    figures = compare(needed, most)
    wanted, tight = budgets.memory.headroom_share, ""
    if needed <= most and most - needed < most * wanted:
        tight = f", less than the {percent(wanted)} asked for"
    if tier.memtotal_bytes is None:
        message = (
            f"what {tier.name} really has (MemTotal) is not confirmed; "
            f"of the memory as sold: {figures.of}, {figures.room}"
        )
    else:
        system = f"its OS takes {memory(system_on(tier, total))}"
        message = (
            f"{name_tier(budgets, tier)} really has {figures.limit:,} MB, {system}: "
            f"{figures.of}, {figures.room}"
        )
    return Check(
        id="memory.tier",
        subject="stack",
        title=f"Memory on {tier.name}",
        unit=Unit.MEMORY,
        value=needed,
        limit=tier.memtotal_bytes,
        blocking=False,
        state=State.WARN if tight or needed > most else State.GO,
        message=f"{message}{tight}{starting}",
        where=WHERE,
    )


def system_on(tier: Tier, total: Total) -> int:
    """Return what the idle OS takes on the tier; the budget's assumption if not known."""
    return total.system_bytes if tier.os_idle_bytes is None else tier.os_idle_bytes


def _total(budgets: Budgets, report: MemoryReport, total: Total) -> Check:
    limit = budgets.memory.limit_bytes
    state, remark = _judge_total(budgets, report, total)
    figures = compare(total.bytes, limit)
    message = f"{figures.of}, {figures.room}{remark}"
    room = budgets.memory.room_bytes
    if report.box.cap_bytes != room:
        box = memory(report.box.cap_bytes)
        message += f" (measured in a box of {box}, not {memory(room)})"
    return Check(
        id="memory.total",
        subject="stack",
        title="Memory of the stack",
        unit=Unit.MEMORY,
        value=total.bytes,
        limit=limit,
        state=state,
        message=message,
        where=budgets.where("memory.limit"),
    )


def _rss(total: Total) -> Check:
    """Return the total by RSS, shown beside the one that is judged."""
    return Check(
        id="memory.rss",
        subject="stack",
        title="The same by total RSS",
        unit=Unit.MEMORY,
        value=total.rss_bytes,
        limit=None,
        blocking=False,
        state=State.GO,
        message=f"{memory(total.rss_bytes)} by total RSS, shared pages counted for every process",
    )


def _judge_total(budgets: Budgets, report: MemoryReport, total: Total) -> tuple[State, str]:
    """Return the state, and what to say behind the figures.

    Over the limit is a NO-GO; only a hair's breadth, as much as two windows may differ by, that not
    every sample was over is a WARN, which says so.
    """
    limit, wanted = budgets.memory.limit_bytes, budgets.memory.headroom_share
    over = total.bytes - limit
    if over <= 0:
        if -over < limit * wanted:
            return State.WARN, f", less than the {percent(wanted)} asked for"
        return State.GO, ""
    if not isinstance(total.spread, Missing) and is_noise(*total.spread, limit):
        return State.WARN, f", within noise {_seen(total.peaks, total.spread)}"
    biggest = _biggest(report, budgets.memory.metric)
    return State.NO_GO, f"; {biggest}" if biggest else ""


def _seen(peaks: tuple[int, ...], spread: tuple[int, int]) -> str:
    """Describe what was measured, where it does not decide."""
    if len(peaks) > FEW_WINDOWS:
        return f"({len(peaks)} windows peaked at {span(min(peaks), max(peaks))})"
    if len(peaks) > 1:
        return f"(windows peaked at {listed(peaks)})"
    return f"(samples from {span(*spread)}): measure again"


def _biggest(report: MemoryReport, metric: Metric) -> str:
    if not report.services:
        return ""
    service = max(report.services, key=lambda one: consumption(one, metric))
    return f"{service.name} takes {memory(consumption(service, metric))}"


def gap(subject: str, title: str, message: str) -> Check:
    """Something that was not measured as it should have been."""
    return Check(
        id="measure.complete",
        subject=subject,
        title=title,
        unit=Unit.COUNT,
        value=1,
        limit=0,
        state=State.INCOMPLETE,
        message=message,
    )
