"""Judges a checkout and its repository's settings: what keeps the gate from working, and the cure.

Pure: what it looks at was read before, by `checkout` and `hosted`.
"""

from onegig.errors import ExitCode
from onegig.github.doctor.checkout import Checkout
from onegig.github.doctor.data import data_branch
from onegig.github.doctor.findings import Finding, Mark, Section, count, good, must, unknown
from onegig.github.doctor.forks import forks
from onegig.github.doctor.hosted import Hosted
from onegig.github.doctor.permissions import permissions
from onegig.github.doctor.required import required_check
from onegig.github.doctor.workflows import workflows
from onegig.model.measured import Skipped, Unknown


def examine(checkout: Checkout, hosted: Hosted | Unknown | Skipped) -> tuple[Section, ...]:
    """Everything that was found, section by section."""
    there = hosted if isinstance(hosted, Hosted) else None
    sections = [
        Section(title="repository", findings=_repository(hosted)),
        Section(title="workflows", findings=tuple(workflows(checkout, there))),
        Section(title="permissions", findings=tuple(permissions(checkout, there))),
    ]
    if there:
        sections += [
            Section(title="required check", findings=tuple(required_check(checkout, there))),
            Section(title="forks", findings=tuple(forks(checkout, there))),
            Section(title="data branch", findings=tuple(data_branch(there))),
        ]
    return (*sections, Section(title="budgets", findings=(_budgets(checkout),)))


def exit_code(sections: tuple[Section, ...], hosted: Hosted | Unknown | Skipped) -> ExitCode:
    """2 where something must be changed, 4 where GitHub could not be asked, else 0."""
    if count(sections, Mark.MUST):
        return ExitCode.CONFIG
    return ExitCode.INCOMPLETE if isinstance(hosted, Unknown) else ExitCode.OK


def _repository(hosted: Hosted | Unknown | Skipped) -> tuple[Finding, ...]:
    if not isinstance(hosted, Hosted):
        return (unknown("settings, required check, forks and data branch", hosted.reason),)
    if hosted.archived:
        where = f"{hosted.page}/settings, at its end"
        return (
            must(f"{hosted.repository} is archived: no workflow runs", f"unarchive it: {where}"),
        )
    kind = "private" if hosted.private else "public"
    return (good(f"{hosted.repository} is {kind}; its default branch is {hosted.default_branch}"),)


def _budgets(checkout: Checkout) -> Finding:
    if checkout.budgets_problem:
        return must(checkout.budgets_problem.message, _cure(checkout))
    return good(f"{checkout.budgets} is valid")


def _cure(checkout: Checkout) -> str:
    problem = checkout.budgets_problem
    return "\n".join(filter(None, [problem.detail, problem.advice])) if problem else ""
