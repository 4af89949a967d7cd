"""Leaks: growth over time of each service and of the whole, judged by what it does to the machine.

A limit (`max_growth: 1MB/h`) is exceeded if the whole interval of the slope lies above it, so
that noise is no NO-GO. Without a limit, growth that would fill the machine soon is a WARN.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from onegig.judge.checks import Case, duration
from onegig.judge.memory import add_up
from onegig.model.keys import write_growth
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.service import Trend
from onegig.model.sizes import PERIODS, Convention, Growth
from onegig.model.state import State
from onegig.model.verdict import Check, make_check

SOON_SECONDS = 30 * 86_400  # few machines run longer without a restart of their services
SETTLED_SECONDS = 600  # of windows, from which on growth of the engine is reported
MOST_DECIMALS = 6  # of a rate
LONGER = "a longer --settle and --window will tell"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Series:
    """Something that may grow, and the limits of its growth over time."""

    id: str  # of its check
    subject: str
    name: str  # in a sentence
    trend: Trend | Missing
    limits: tuple[Growth, ...]
    key: str  # of the limits in budgets.yml


def check_leaks(case: Case) -> Iterator[Check]:
    """Yield a check for everything that grows, or whose growth over time is limited."""
    if isinstance(case.memory, Missing):
        return
    limit = case.budgets.memory.limit_bytes
    left_bytes = max(0, limit - add_up(case.memory, case.budgets.memory).bytes)
    for series in _all_series(case, case.memory):
        trend = series.trend
        if not isinstance(trend, Trend) or not (series.limits or trend.grows):
            continue
        if not _is_known(series, case.memory):
            where = case.budgets.where(series.key) if series.limits else ""
            yield _check(series, trend, left_bytes, where)


def leak_notes(case: Case) -> Iterator[str]:
    """Yield reasons why limited growth over time could not be judged."""
    if isinstance(case.memory, Missing):
        return
    for series in _all_series(case, case.memory):
        if series.limits and isinstance(series.trend, Missing):
            yield f"growth over time of {series.name} could not be judged: {series.trend.reason}"


def _all_series(case: Case, report: MemoryReport) -> Iterator[_Series]:
    key, most = "memory.max_growth", case.budgets.memory.max_growth
    yield _Series(
        id="memory.growth",
        subject="stack",
        name="memory",
        trend=report.box.trend,
        limits=_over_time(most),
        key=key,
    )
    for service in report.services:
        most, key = case.budgets.growth_of(service.name)
        yield _Series(
            id="service.growth",
            subject=service.name,
            name=service.name,
            trend=service.trend,
            limits=_over_time(most),
            key=key,
        )


def _over_time(limits: tuple[Growth, ...]) -> tuple[Growth, ...]:
    return tuple(limit for limit in limits if limit.per_seconds)


def _is_known(series: _Series, report: MemoryReport) -> bool:
    """Return whether growth of the whole, without a limit, says nothing new.

    It grows wherever a service does; in the first minutes, so does the engine's own heap.
    """
    if series.limits or series.subject != "stack":
        return False
    seconds = report.window.seconds * max(1, len(report.windows))
    services = (service.trend for service in report.services)
    return seconds < SETTLED_SECONDS or any(isinstance(t, Trend) and t.grows for t in services)


def _check(series: _Series, trend: Trend, left_bytes: int, where: str) -> Check:
    """Return the check by the strictest limit, if there is one."""
    limit = min(series.limits, key=lambda limit: limit.bytes_per_second, default=None)
    full_seconds = left_bytes / trend.rate if trend.grows else SOON_SECONDS
    state, text = _judge(trend, limit)
    if state is State.GO and full_seconds < SOON_SECONDS:
        state = State.WARN
    full = f": the machine would be full in {duration(full_seconds)}" if trend.grows else ""
    cause = f"; a leak, or caches that are still filling ({LONGER})" if trend.grows else ""
    most = int(limit.bytes_per_second * PERIODS["h"]) if limit else None
    hourly = int(trend.rate * PERIODS["h"])
    message = f"{series.name} {text}{full}{cause}"
    check = make_check(series.id, series.subject, hourly, most, state, message, where)
    return replace(check, blocking=limit is not None)


def _judge(trend: Trend, limit: Growth | None) -> tuple[State, str]:
    """Return the state by the limit alone, and the growth beside it."""
    period = limit.period if limit else _period(trend)
    allowed = f", at most {write_growth(limit, Convention.MEMORY)} allowed" if limit else ""
    most = limit.bytes_per_second if limit else float("inf")
    if not trend.grows:
        text = "does not grow beyond noise"
        if trend.high_bytes_per_second > most:
            shown = format_rate(trend.high_bytes_per_second, period)
            text += f", but windows this short only rule out growth above {shown}"
        return State.GO, text + allowed
    low, high = trend.low_bytes_per_second, trend.high_bytes_per_second
    state = State.NO_GO if low > most else State.WARN if trend.rate > most else State.GO
    compared = {State.NO_GO: low, State.WARN: trend.rate}.get(state)
    decimals = 0 if compared is None else _telling_decimals(compared, most, period)
    rate, *ends = (format_rate(each, period, decimals) for each in (trend.rate, low, high))
    span = " to ".join(end.partition(" ")[0] for end in ends)
    return state, f"grows by {rate} ({span}){allowed}"


def _telling_decimals(rate: float, most: float, period: str) -> int:
    """Return the fewest decimals that show a rate to be more than is allowed."""
    for decimals in range(MOST_DECIMALS):
        if format_rate(rate, period, decimals) != format_rate(most, period, decimals):
            return decimals
    return MOST_DECIMALS


def _period(trend: Trend) -> str:
    """Return a minute, or an hour for what would round to nothing in it."""
    return "min" if trend.rate * PERIODS["min"] >= Convention.MEMORY.mb / 2 else "h"


def format_rate(bytes_per_second: float, period: str, least_decimals: int = 0) -> str:
    """Write "3.1 MB/min"."""
    mb = bytes_per_second * PERIODS[period] / Convention.MEMORY.mb
    decimals = max(least_decimals, 0 if abs(mb) >= 100 else 1 if abs(mb) >= 1 else 2)
    return f"{mb:,.{decimals}f} MB/{period}"
