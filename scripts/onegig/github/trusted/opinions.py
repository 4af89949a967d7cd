"""Form an opinion on a pull request: it passes, it fails, or a maintainer has to decide.

The opinion is the worst of what the numbers say by the base branch's limits, of how the gate's own
job ended (GitHub says so, not the artifact), and of how much the numbers can be trusted:

- NO-GO and INCOMPLETE are failures, whoever measured: nobody forges their own failure, and what was
  not measured was not passed.
- A gate that did not succeed is a failure, even where the numbers are within the base branch's
  limits: by the pull request's own limits they may not be, or the job broke afterwards.
- GO and WARN are a success only where onegig can vouch for the job that measured. It can't for a
  fork, nor for a pull request that changes how is measured, nor where a service may reach the
  machine that measures (`allow_host_access`). They stay pending, which keeps a branch
  that requires them from being merged into, until a maintainer confirms the numbers.
- A pull request that only loosens its own limits gains nothing: the base branch's limits judge.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from onegig.errors import ArtifactError, OnegigError
from onegig.github.trusted.runs import SUCCESS
from onegig.model.budgets import Budgets, Forks
from onegig.model.report import Report, Review
from onegig.model.state import State

_MEASURING = ("measure", "load", "compose", "profiles")  # of budgets.yml
_FAILING = (State.NO_GO, State.INCOMPLETE)


class Standing(StrEnum):
    """The states of a commit status, the worst first."""

    ERROR = "error"
    FAILURE = "failure"
    PENDING = "pending"
    SUCCESS = "success"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """A state and why; `to_confirm`: a maintainer can make it a success."""

    state: Standing
    text: str
    to_confirm: bool = False


def judge_run(
    report: Report, run_conclusion: str, budgets: Budgets, confirmed_by: str = ""
) -> Opinion:
    """Return the opinion on a judged report, `report.review` included.

    `budgets` are the base branch's; `confirmed_by` is the login of a maintainer, "" without one.
    """
    sentence = report.verdict.sentence
    if report.verdict.state in _FAILING:
        return Opinion(state=Standing.FAILURE, text=sentence)
    if run_conclusion != SUCCESS:
        text = f"the gate's own job ended as {run_conclusion}; by its numbers {sentence}"
        return Opinion(state=Standing.FAILURE, text=text)
    doubts = _doubts(report, budgets)
    if not doubts:
        return Opinion(state=Standing.SUCCESS, text=sentence)
    if confirmed_by:
        return Opinion(state=Standing.SUCCESS, text=f"{sentence}; confirmed by @{confirmed_by}")
    text = f"{doubts[0]}: a maintainer confirms it; by its numbers {sentence}"
    return Opinion(state=Standing.PENDING, text=text, to_confirm=True)


def wait(reason: str) -> Opinion:
    """Return the opinion while nothing is known."""
    return Opinion(state=Standing.PENDING, text=reason)


def refuse(error: OnegigError) -> Opinion:
    """Return the opinion where there is nothing to judge: numbers are refused, or an error."""
    refused = isinstance(error, ArtifactError)
    state = Standing.FAILURE if refused else Standing.ERROR
    return Opinion(state=state, text=f"INCOMPLETE: {error.message}")


def worst(opinions: Iterable[Opinion]) -> Opinion:
    """Return the first of the worst."""
    return min(opinions, key=lambda one: tuple(Standing).index(one.state))


def _doubts(report: Report, budgets: Budgets) -> list[str]:
    """Return why onegig does not vouch for the numbers."""
    review = report.review
    if review is None:
        return []
    found = []
    if review.self_reported and budgets.forks is not Forks.TRUST:
        found.append("self-reported")
    if review.measuring_changes or _measured_otherwise(review):
        found.append("measured in a way that this pull request changes")
    if review.unverified:
        found.append(review.unverified)
    if review.host_access:
        found.append("services can reach the machine that measured")
    return found


def _measured_otherwise(review: Review) -> bool:
    """Return whether its own budgets.yml, which the gate's job reads, measures differently."""
    return any(change.key.partition(".")[0] in _MEASURING for change in review.limit_changes)
