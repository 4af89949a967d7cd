"""`onegig doctor`: find what keeps the gate of a repository from working, and how to fix it."""

from collections.abc import Iterable

from onegig.errors import ExitCode
from onegig.github.doctor.checkout import Checkout
from onegig.github.doctor.findings import Finding, Mark, Sections, count, good, must, unknown
from onegig.github.doctor.hosted import Hosted
from onegig.github.doctor.settings_checks import (
    check_actions_policy,
    check_data_branch,
    check_forks,
    check_required,
)
from onegig.github.doctor.workflow_checks import check_permissions, check_workflows
from onegig.model.measured import Missing, Unknown


def examine(checkout: Checkout, hosted: Hosted | Missing) -> Sections:
    """Return every finding about a checkout and its repository's settings, by section."""
    known = hosted if isinstance(hosted, Hosted) else None
    sections: dict[str, Iterable[Finding]] = {
        "repository": (_check_repository(hosted),),
        "workflows": check_workflows(checkout, known),
        "permissions": check_permissions(checkout, known),
    }
    if known:
        sections |= {
            "allowed actions": check_actions_policy(checkout, known),
            "required check": check_required(checkout, known),
            "forks": check_forks(checkout, known),
            "data branch": check_data_branch(known),
        }
    budgets = good(f"{checkout.budgets} is valid")
    if problem := checkout.budgets_problem:
        fix = "\n".join(filter(None, (problem.detail, problem.advice)))
        budgets = must(problem.message, fix)
    sections["budgets"] = (budgets,)
    return {subject: tuple(findings) for subject, findings in sections.items()}


def exit_code(sections: Sections, hosted: Hosted | Missing) -> ExitCode:
    """Return 2 if something must be changed, 4 if GitHub could not be asked, else 0."""
    if count(sections, Mark.MUST):
        return ExitCode.CONFIG
    return ExitCode.INCOMPLETE if isinstance(hosted, Unknown) else ExitCode.OK


def _check_repository(hosted: Hosted | Missing) -> Finding:
    if not isinstance(hosted, Hosted):
        return unknown("settings, required check, forks and data branch", hosted.reason)
    if hosted.archived:
        return must(
            f"{hosted.repository} is archived: no workflow runs",
            f"unarchive it: {hosted.page}/settings, at its end",
        )
    kind = "private" if hosted.private else "public"
    return good(f"{hosted.repository} is {kind}; its default branch is {hosted.default_branch}")
