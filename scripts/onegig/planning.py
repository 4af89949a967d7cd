"""The plan of a judged report: the project's files are read here, all else is in plan/."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from onegig.errors import ConfigError
from onegig.files import read_text
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing, Skipped
from onegig.model.report import Report
from onegig.model.stack import Stack
from onegig.plan.case import Case
from onegig.plan.edit import OWN_FILE
from onegig.plan.options import make_plan

NO_STACK = Skipped(reason="the compose project was not read")


def with_plan(report: Report, budgets: Budgets, stack: Stack | Missing, today: date) -> Report:
    """Return the report with its plan; without one where memory was not measured."""
    case = read_case(report, budgets, stack, today)
    return replace(report, plan=case if isinstance(case, Missing) else make_plan(case))


def read_case(
    report: Report, budgets: Budgets, stack: Stack | Missing, today: date
) -> Case | Missing:
    """Return a judged report as a case, with the texts of the project's files."""
    if isinstance(report.memory, Missing):
        return Skipped(reason="memory was not measured")
    paths: tuple[str, ...] = ()
    if not isinstance(stack, Missing):
        earlier = Path(stack.files[-1]).with_name(OWN_FILE)  # of an earlier plan
        paths = (budgets.path, *stack.files, str(earlier))
    return Case(
        report=report,
        memory=report.memory,
        stack=stack,
        budgets=budgets,
        today=today,
        files={path: read_text(Path(path)) or "" for path in paths},
    )


def check_same_stack(report: Report, stack: Stack) -> None:
    """Raise ConfigError unless the report can be one of this project, if of an earlier state."""
    if isinstance(report.memory, Missing):
        return
    measured = {service.name for service in report.memory.services}
    names = {service.name for service in stack.services}
    if measured & names and (report.stack == stack.name or measured <= names):
        return
    raise ConfigError(
        f"the report is of {report.stack}, but {stack.files[0]} has {stack.name}",
        advice=f"run this where the compose file of {report.stack} is",
    )
