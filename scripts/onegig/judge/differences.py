"""What else differs between two runs than the commit: reasons to distrust a comparison.

Why the numbers of a run can't be compared with those of a baseline.

A run has two halves, memory and images; either may be missing while the other is judged.
"""

from collections.abc import Iterator, Sequence

from onegig.judge.baseline import environment_of
from onegig.judge.figures import memory
from onegig.model.budgets import METRIC_NAMES, MemoryBudget
from onegig.model.measured import Environment, Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.verdict import Baseline, Check, PastCheck
from onegig.text import plain


def differences(report: Report, baseline: Baseline) -> tuple[str, ...]:
    """Such as "engine 29.1, was 28.0"; empty where the two runs were alike.

    Engine and kernel count to their second number. Of GitHub's runner images only the name does:
    they are renewed every week, and what matters of that is listed here by itself.
    """
    now, before = environment_of(report), baseline.environment
    if isinstance(before, Missing):
        return () if isinstance(now, Missing) else ("the baseline's environment is not known",)
    if isinstance(now, Missing):
        return ("this run's environment is not known",)
    told = dict(_told(before))
    return tuple(
        plain(f"{name} {value}, was {told[name]}")
        for name, value in _told(now)
        if value != told[name]
    )


def _told(env: Environment) -> Iterator[tuple[str, str]]:
    yield "engine", _minor(env.engine_version)
    yield "kernel", _minor(env.kernel)
    yield "cgroup", f"v{env.cgroup_version}"
    yield "architecture", env.architecture
    yield "base images", env.bases
    yield "runner", env.runner.partition(" ")[0]
    yield "onegig", env.onegig_version


def _minor(version: str) -> str:
    """Major and minor: "28.0" of "28.0.4"."""
    return ".".join(version.split(".")[:2])


METRIC_TEXTS = {metric.value: name for metric, name in METRIC_NAMES.items()}


def other_total(baseline: Baseline, metric: str, limit_bytes: int) -> Skipped | None:
    """Return why the baseline's total is of another kind; None where it is of the same."""
    if baseline.metric != metric:
        names = [METRIC_TEXTS.get(one, plain(one)) for one in (baseline.metric, metric)]
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
    names = plain(f"{before.architecture}, not {environment.architecture}")
    return Skipped(reason=f"the baseline was measured on {names}")


_OF_MEMORY = ("memory.", "service.memory", "service.max_growth", "service.state", "tier.cpus")
_OF_IMAGES = ("image.", "images.", "disk.", "service.image", "tier.architecture")


def missing_half(identity: str, lines: Sequence[Check] | Sequence[PastCheck]) -> Missing | None:
    """Why a run can't know of this check: the half of the report that it belongs to is missing."""
    total = ""
    if identity.startswith(_OF_MEMORY):
        total = "memory.total"
    elif identity.startswith(_OF_IMAGES):
        total = "images.total"
    values = [line.value for line in lines if line.id == total]
    return next((value for value in values if isinstance(value, Missing)), None)
