"""Why the numbers of a run can't be compared with those of a baseline."""

from onegig.judge.words import memory, one_line
from onegig.model.baseline import Baseline
from onegig.model.budgets import METRIC_NAMES, MemoryBudget
from onegig.model.environment import Environment
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport

METRIC_TEXTS = {metric.value: name for metric, name in METRIC_NAMES.items()}


def other_total(baseline: Baseline, metric: str, limit_bytes: int) -> Skipped | None:
    """Return why the baseline's total is of another kind; None where it is of the same."""
    if baseline.metric != metric:
        names = [METRIC_TEXTS.get(one, one_line(one)) for one in (baseline.metric, metric)]
        return Skipped(reason=f"the baseline adds up {names[0]}, not {names[1]}")
    if baseline.limit_bytes != limit_bytes:
        boxes = f"{memory(baseline.limit_bytes)}, not {memory(limit_bytes)}"
        return Skipped(reason=f"the baseline was measured against a limit of {boxes}")
    return None


def other_memory(baseline: Baseline, report: MemoryReport, budget: MemoryBudget) -> Skipped | None:
    """Return why memory can't be compared: metric, limit, box or architecture differ."""
    if not baseline.is_complete:
        return Skipped(reason="the baseline was not measured in full")
    cap = report.box.cap_bytes
    if cap != budget.room_bytes:
        boxes = f"{memory(cap)}, not {memory(budget.room_bytes)}"
        return Skipped(reason=f"this run was measured in a box of {boxes}")
    return other_total(baseline, budget.metric.value, budget.limit_bytes) or other_architecture(
        baseline, report.environment
    )


def other_architecture(baseline: Baseline, environment: Environment) -> Skipped | None:
    """Return why programs differ in size anyway: they are of another architecture."""
    before = baseline.environment
    if isinstance(before, Missing) or before.architecture == environment.architecture:
        return None
    names = one_line(f"{before.architecture}, not {environment.architecture}")
    return Skipped(reason=f"the baseline was measured on {names}")
