"""Where a machine's memory goes: as sold, minus kernel, OS, engine and stack, is what is left."""

from onegig.judge.memory_checks import system_on
from onegig.judge.totals import Total
from onegig.model.budgets import METRIC_NAMES, Budgets, Metric
from onegig.model.sizes import mb_down
from onegig.model.tiers import Tier
from onegig.model.verdict import Step, Waterfall

_ENGINE = dict.fromkeys(Metric, "PSS") | {Metric.COST: "PSS and its kernel memory"}
ASSUMED = "assumed: memory.system_overhead"


def waterfalls(budgets: Budgets, total: Total, tier: Tier | None) -> tuple[Waterfall, ...]:
    """Return the budget's own machine, then the tier's; each adds up: sold = steps + headroom."""
    limit = budgets.memory.limit_bytes
    system = Step(name="kernel and OS", bytes=total.system_bytes, note=ASSUMED)
    own = _waterfall(f"the budget's {mb_down(limit):,} MB", limit, (system,), budgets, total)
    if tier is None:
        return (own,)
    steps = (_kernel(tier), _idle_system(tier, total))
    return (own, _waterfall(tier.name, tier.memory_bytes, steps, budgets, total))


def _waterfall(
    machine: str, sold_bytes: int, system: tuple[Step, ...], budgets: Budgets, total: Total
) -> Waterfall:
    steps = (
        *system,
        Step(name="engine", bytes=total.engine_bytes, note=_ENGINE[budgets.memory.metric]),
        Step(name="stack", bytes=total.stack_bytes, note=METRIC_NAMES[budgets.memory.metric]),
    )
    return Waterfall(
        machine=machine,
        sold_bytes=sold_bytes,
        steps=steps,
        headroom_bytes=sold_bytes - sum(step.bytes for step in steps),
    )


def _kernel(tier: Tier) -> Step:
    """Return what the kernel keeps for itself: memory as sold that MemTotal does not show."""
    if tier.memtotal_bytes is None:
        return Step(name="kernel", bytes=0, note="not confirmed")
    return Step(name="kernel", bytes=tier.memory_bytes - tier.memtotal_bytes)


def _idle_system(tier: Tier, total: Total) -> Step:
    note = ASSUMED if tier.os_idle_bytes is None else "when idle"
    return Step(name="OS", bytes=system_on(tier, total), note=note)
