"""Time for a machine that is slow, as the start of its engine has shown. Pure.

A burstable machine without credits does a tenth of its work, and so does one that many share: what
takes seconds elsewhere takes minutes there, and nothing has failed.
"""

from dataclasses import replace

from onegig.engine.engine import CALL_SECONDS, NESTED_CALL_SECONDS
from onegig.machine.machine import BootPlan

STARTS_PER_CALL = 5  # a call gets so many times what the engine took to start: usually 2 to 3 s
SLOW_SECONDS = 10.0  # for the start of an engine; longer ones tell of a slow machine
MOST_SLOWDOWN = 10.0


def call_seconds(start_seconds: float) -> int:
    """Return the time limit of the engine's calls, from the time that it took to start."""
    return min(CALL_SECONDS, max(NESTED_CALL_SECONDS, round(STARTS_PER_CALL * start_seconds)))


def allow_time(plan: BootPlan, start_seconds: float) -> tuple[BootPlan, tuple[str, ...]]:
    """Return the plan with time for so slow a machine, and a remark if that changes it."""
    slowdown = min(MOST_SLOWDOWN, start_seconds / SLOW_SECONDS)
    if slowdown <= 1:
        return plan, ()
    seconds = plan.budgets.measure.healthy_timeout_seconds * slowdown
    measure = replace(plan.budgets.measure, healthy_timeout_seconds=seconds)
    remark = (
        f"This machine is slow: an engine took {start_seconds:.0f} s to start, so the stack got "
        f"{seconds:.0f} s to become healthy."
    )
    return replace(plan, budgets=replace(plan.budgets, measure=measure)), (remark,)
