"""The fourth step: what the stack takes while it runs."""

from dataclasses import replace

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import MeasureError
from onegig.judge.limits import describe_host_access
from onegig.memory.measure import measure
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.stack import Stack
from onegig.progress import Progress


def measure_stack(
    engine: Engine, stack: Stack, budgets: Budgets, current: Run, progress: Progress
) -> MemoryReport | Missing:
    """Boot the stack in the box and measure it; Unknown with the reason when it did not work."""
    environment = engine.describe(stack.images)
    with progress.step(f"boot and measure {len(stack.services)} services") as say:
        try:
            report = measure(engine, stack, budgets, environment, current, say)
        except MeasureError as error:
            detail = f": {error.detail.splitlines()[-1]}" if error.detail else ""
            return Unknown(reason=f"{error.message}{detail}")
    warning = describe_host_access(stack.host_access)
    return replace(report, notes=(warning, *report.notes)) if warning else report


def warn_of_host_access(stack: Stack, progress: Progress) -> None:
    """Name the services that can reach this machine, before anything of theirs is built or run."""
    warning = describe_host_access(stack.host_access)
    if warning:
        progress.note(f"{warning}, as with docker compose up")
