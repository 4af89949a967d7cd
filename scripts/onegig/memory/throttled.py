"""The stack booted again with the processor that its machine has left without credits.

Small machines burst: most of the time they may do a tenth of the work that their processors could
do. There a stack starts slowly, and health checks that take longer than the time between two of
them overlap, each with processes and memory of its own.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from onegig.errors import BootError, EngineError, MeasureError
from onegig.machine.machine import BootPlan
from onegig.memory.boot import NO_ANSWER, boot
from onegig.memory.squeeze import engine_kills, outcomes
from onegig.model.measured import Environment, Missing, Skipped, Unknown
from onegig.model.memory import HEALTH_CHECKS, NOT_THROTTLED, MemoryReport, Throttle, Throttled

MOST_PATIENCE = 10.0  # times as long as `measure.healthy_timeout` a throttled start may take
# Decides whether to throttle, and how far.
PlanThrottle = Callable[[MemoryReport], Throttle | Skipped]


def no_throttle(_report: MemoryReport) -> Skipped:
    """Return Skipped: it was not asked for."""
    return NOT_THROTTLED


def throttle_stack(
    plan: BootPlan,
    environment: Environment,
    throttle: Throttle,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Throttled | Unknown:
    """Boot the stack with so little processor and return what happened.

    The start may take as much longer as the processor is slower. A stack that can't be started is
    an answer, too; Unknown if the engine outside fails.
    """
    plan.say(
        f"booting again with {throttle.cpus:g} CPUs, "
        f"which {throttle.machine} has left without credits"
    )
    measure = plan.budgets.measure
    slower = (plan.cpus or plan.vcpus or environment.cpus) / throttle.cpus
    seconds = measure.healthy_timeout_seconds * max(1.0, min(slower, MOST_PATIENCE))
    budgets = replace(
        plan.budgets, measure=replace(measure, windows=1, healthy_timeout_seconds=seconds)
    )
    slow = replace(
        plan,
        budgets=budgets,
        cpus=throttle.cpus,
        say=lambda line: plan.say(f"throttled: {line}"),
    )
    began = clock()
    try:
        report = boot(slow, environment)
    except (BootError, MeasureError) as error:
        return _failed(throttle, error.message, round(clock() - began, 1))
    except EngineError as error:
        return Unknown(reason=error.message)
    return summarise_throttled(report, throttle, seconds=round(clock() - began, 1))


def summarise_throttled(report: MemoryReport, throttle: Throttle, *, seconds: float) -> Throttled:
    """Return the results of a throttled boot that took `seconds`."""
    checks = [part for part in report.engine if part.name in HEALTH_CHECKS]
    total = max(sample.total_bytes for sample in report.samples)
    boot_peak = total if isinstance(report.boot, Missing) else report.boot.total_bytes
    return Throttled(
        cpus=throttle.cpus,
        machine=throttle.machine,
        seconds=seconds,
        start=report.start,
        services=outcomes(report),
        engine_kills=engine_kills(report),
        window_bytes=total,
        total_bytes=max(total, boot_peak),
        health_checks=sum(part.processes for part in checks),
        health_check_bytes=sum(part.pss_bytes for part in checks),
        samples=report.window.samples,
        problem=NO_ANSWER if NO_ANSWER in report.incomplete else "",
        gaps=report.incomplete,
    )


def _failed(throttle: Throttle, problem: str, seconds: float) -> Throttled:
    missing = Unknown(reason=problem)
    return Throttled(
        cpus=throttle.cpus,
        machine=throttle.machine,
        seconds=seconds,
        start=missing,
        services=(),
        window_bytes=missing,
        total_bytes=missing,
        problem=problem,
    )
