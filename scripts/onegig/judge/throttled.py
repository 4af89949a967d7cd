"""The stack judged on a machine that has used up its processor's credits.

A service that fails only there, and memory beyond the limit, are a NO-GO: whoever asks wants to
know whether the stack outlives its credits.
"""

from collections.abc import Iterator

from onegig.judge.checks import Case, compare, duration
from onegig.judge.memory import add_up
from onegig.judge.squeeze import describe_newly_failed
from onegig.judge.tier import NO_IMAGES, choose_tier
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import (
    HEALTH_CHECKS,
    NOT_THROTTLED,
    MemoryReport,
    Start,
    Throttle,
    Throttled,
)
from onegig.model.service import ServiceState
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.verdict import Check, make_check
from onegig.text import plain

EMULATED = "tcg"  # as Guest.accelerator
NOTED_SHARE = 0.1  # of the total: health checks that take so much are named in any case
CAUSE_SHARE = 0.5  # of what a throttled stack takes more: health checks are named from there on


def plan_throttle(budgets: Budgets, report: MemoryReport) -> Throttle | Skipped:
    """Return the share of its processors that the tier's machine always has.

    Skipped if that is all of them, if nobody asked, and if the stack was measured on an
    emulated processor: that one does less than any tier's.
    """
    if not budgets.measure.throttled:
        return NOT_THROTTLED
    if not isinstance(report.twin, Missing) and report.twin.guest.accelerator == EMULATED:
        return Skipped(reason="the twin's emulated processor is already slower than any tier's")
    tier = choose_tier(budgets, report, NO_IMAGES)
    if tier is None:
        return Skipped(reason="no tier is known, so neither is its CPU baseline")
    if tier.baseline_vcpus >= tier.vcpus:
        return Skipped(reason=f"{tier.name} can always use all of its CPUs")
    return Throttle(cpus=tier.baseline_vcpus, machine=tier.name)


def check_throttled(case: Case) -> Iterator[Check]:
    """Yield a check of the stack without CPU credits, or nothing if it was not throttled."""
    report, limit = case.memory, case.budgets.memory.limit_bytes
    if isinstance(report, Missing) or isinstance(report.throttled, Skipped):
        return
    throttled, where = report.throttled, case.budgets.where("memory.limit")
    if isinstance(throttled, Unknown):
        message = f"the stack could not be throttled: {plain(throttled.reason)}"
        yield make_check("memory.throttled", "stack", throttled, limit, State.WARN, message, where)
        return
    machine = plain(throttled.machine)
    has = f"without CPU credits {machine} has {throttled.cpus:g} CPUs"
    total = _total(case.budgets, report, throttled)
    failures = list(_failures(report, throttled))
    over = isinstance(total, int) and total > limit
    state = State.NO_GO if failures or over else State.WARN if throttled.gaps else State.GO
    parts = [
        *(failures or [*map(plain, throttled.gaps)] or _ready(report, throttled)),
        *_memory(case.budgets, report, throttled),
    ]
    message = f"{has}: {'; '.join(parts)}"
    yield make_check("memory.throttled", "stack", total, limit, state, message, where)


def throttled_notes(case: Case) -> Iterator[str]:
    """Yield notes about a throttled boot that was skipped, and about overlapping health checks."""
    report = case.memory
    if isinstance(report, Missing):
        return
    if isinstance(report.throttled, Skipped) and report.throttled != NOT_THROTTLED:
        yield f"the stack was not throttled: {plain(report.throttled.reason)}"
    count, taken = _health_checks(report)
    if taken >= add_up(report, case.budgets.memory).bytes * NOTED_SHARE:
        overlapping = (
            f"at the peak, {count} overlapping health-check processes took {format_mb(taken)}"
        )
        yield f"{overlapping}; run them less often, or make them cheaper"


def _total(budgets: Budgets, report: MemoryReport, throttled: Throttled) -> int | Missing:
    """Return the highest total since `compose up`; it is known by one metric only."""
    if report.window.metric != budgets.memory.metric:
        return Unknown(reason=f"measured by {plain(report.window.metric)}")
    if isinstance(throttled.total_bytes, Missing):
        return throttled.total_bytes
    return throttled.total_bytes + budgets.memory.system_overhead_bytes


def _failures(report: MemoryReport, throttled: Throttled) -> Iterator[str]:
    """Describe what failed for lack of processor, the clearest first."""
    if throttled.problem:
        yield plain(throttled.problem)
    if throttled.engine_kills:
        yield "the kernel killed a process of the engine"
    if isinstance(throttled.start, Start) and throttled.start.crowded:
        yield f"memory was full while {throttled.start.crowded} containers started at once"
    yield from describe_newly_failed(throttled.services, report)


def _ready(report: MemoryReport, throttled: Throttled) -> Iterator[str]:
    if isinstance(throttled.start, Start):
        seconds = duration(round(throttled.start.seconds))
        usual = report.start
        beside = f" instead of {duration(round(usual.seconds))}" if isinstance(usual, Start) else ""
        states = {service.state for service in throttled.services}
        holds = "health checks pass" if ServiceState.HEALTHY in states else "all services stay up"
        yield f"ready after {seconds}{beside}, and {holds}"


def _memory(budgets: Budgets, report: MemoryReport, throttled: Throttled) -> Iterator[str]:
    total, system = _total(budgets, report, throttled), budgets.memory.system_overhead_bytes
    if isinstance(total, Missing) or isinstance(throttled.window_bytes, Missing):
        return
    now, usual = throttled.window_bytes + system, add_up(report, budgets.memory).bytes
    yield f"{format_mb(now)} in operation instead of {format_mb(usual)}"
    _, before = _health_checks(report)
    more = throttled.health_check_bytes - before
    if more > 0 and more >= (now - usual) * CAUSE_SHARE:
        taken, usual_checks = format_mb(throttled.health_check_bytes), format_mb(before)
        processes = f"{throttled.health_checks} overlapping health-check processes"
        yield f"{processes} take {taken}{f' instead of {usual_checks}' if before else ''}"
    yield f"at most {compare(total, budgets.memory.limit_bytes).of}"


def _health_checks(report: MemoryReport) -> tuple[int, int]:
    """Return the processes of health checks at the peak of the window, and their PSS in bytes."""
    parts = [part for part in report.engine if part.name in HEALTH_CHECKS]
    return sum(part.processes for part in parts), sum(part.pss_bytes for part in parts)
