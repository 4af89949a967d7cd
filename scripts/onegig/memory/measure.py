"""`measure`: the boots of a stack, their order, and their combined result."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, cycle

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.machine.machine import BootPlan
from onegig.memory.boot import boot
from onegig.memory.repeats import Doubt, Say, no_doubt, repeat
from onegig.memory.squeeze import PlanSqueeze, no_squeeze, squeeze_stack
from onegig.memory.throttled import PlanThrottle, no_throttle, throttle_stack
from onegig.model.budgets import Budgets
from onegig.model.measured import Environment, Missing, Skipped
from onegig.model.memory import MemoryReport, Squeeze, SqueezePlan, Throttle, Throttled
from onegig.model.settings import UNKNOWN
from onegig.model.stack import Stack
from onegig.model.tiers import tier_for

Adapt = Callable[[BootPlan], BootPlan]
LEAST_CAP_BYTES = 160 * 1024**2  # so that the engine starts and a tiny limit gets its NO-GO


def as_planned(plan: BootPlan) -> BootPlan:
    """Return the plan as it is."""
    return plan


def measure(
    engine: Engine,
    stack: Stack,
    budgets: Budgets,
    environment: Environment,
    run: Run,
    say: Say,
    *,
    doubt: Doubt = no_doubt,
    squeeze: PlanSqueeze = no_squeeze,
    throttle: PlanThrottle = no_throttle,
    adapt: Adapt = as_planned,
) -> MemoryReport:
    """Boot the stack on machines of the budgets' size, under load, and measure it.

    At the end each Redis on the first machine is audited and that machine is rebooted, if the
    budgets ask for that. The stack is booted more often than planned while there is `doubt`, and
    again each if `squeeze` and `throttle` plan that. `adapt` changes the plan of all boots. Raises
    BootError when machine or stack cannot start, MeasureError when nothing was sampled.
    """
    plan = adapt(plan_boot(engine, stack, budgets, run, say, environment.architecture))
    first = replace(plan, reboot=budgets.measure.reboot, audit=budgets.redis is not None)
    boots = chain((first,), cycle((plan,)))
    report = repeat(lambda: boot(next(boots), environment), budgets.measure.repeats, say, doubt)
    return replace(
        report,
        squeeze=_squeezed(plan, environment, report, squeeze(report)),
        throttled=_throttled(plan, environment, throttle(report)),
    )


def _squeezed(
    plan: BootPlan, environment: Environment, report: MemoryReport, planned: SqueezePlan | Skipped
) -> Squeeze | Missing:
    if isinstance(planned, Skipped):
        return planned
    planned = replace(planned, room_bytes=max(LEAST_CAP_BYTES, planned.room_bytes))
    return squeeze_stack(plan, environment, report, planned)


def _throttled(
    plan: BootPlan, environment: Environment, planned: Throttle | Skipped
) -> Throttled | Missing:
    return planned if isinstance(planned, Skipped) else throttle_stack(plan, environment, planned)


def plan_boot(
    engine: Engine, stack: Stack, budgets: Budgets, run: Run, say: Say, architecture: str
) -> BootPlan:
    """Return the plan of a boot according to the budgets; use `replace` to vary it."""
    tier = tier_for(budgets.tier, budgets.memory.limit_bytes, architecture)
    settings = tier.settings if tier else UNKNOWN
    return BootPlan(
        engine=engine,
        run=run,
        stack=stack,
        budgets=budgets,
        cap_bytes=max(LEAST_CAP_BYTES, budgets.memory.room_bytes),
        memtotal_bytes=machine_bytes(budgets, architecture),
        sold_bytes=sold_bytes(budgets, architecture),
        say=say,
        vcpus=settings.vcpus or 0,
        cpus=settings.cpus or 0.0,
        settings=settings,
    )


def machine_bytes(budgets: Budgets, architecture: str) -> int:
    """Return the MemTotal of the simulated machine: the tier's, within the limit."""
    limit = budgets.memory.limit_bytes
    tier = tier_for(budgets.tier, limit, architecture)
    return min(limit, (tier.memtotal_bytes if tier else None) or limit)


def sold_bytes(budgets: Budgets, architecture: str) -> int:
    """Return the memory of that machine as it is sold, within the limit."""
    limit = budgets.memory.limit_bytes
    tier = tier_for(budgets.tier, limit, architecture)
    return min(limit, tier.memory_bytes) if tier else limit
