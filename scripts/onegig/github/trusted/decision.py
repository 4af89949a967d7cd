"""Decide about a pull request: it passes, it fails, or a maintainer has to confirm it.

The decision is the worst of what the numbers say by the base branch's limits, of how the gate's own
job ended (GitHub says so, not the artifact), and of how much the numbers can be trusted:

- NO-GO and INCOMPLETE are failures, whoever measured: nobody forges their own failure, and what was
  not measured was not passed.
- A gate that did not succeed is a failure, even where the numbers are within the base branch's
  limits: by the pull request's own limits they may not be, or the job broke afterwards.
- GO and WARN are a success only if onegig can vouch for the job that measured. It can't for a
  fork, nor for a pull request that changes how it is measured, nor if a service may reach the
  machine that measures (`allow_host_access`). They stay pending, which keeps a branch
  that requires them from being merged into, until a maintainer confirms the numbers.
- A pull request that only loosens its own limits gains nothing: the base branch's limits judge.

The decision becomes a commit status, which a branch can require. A job or a check run of the same
name can't stand in for it: GitHub wants both to pass. No job of a fork may write statuses.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from onegig.errors import ArtifactError, GithubPermissionError, OnegigError
from onegig.github.client import Client
from onegig.github.trusted.runs import SUCCESS
from onegig.judge.limits import MEASURING, has_change
from onegig.model.budgets import Budgets, Forks
from onegig.model.report import Report, Review
from onegig.text import plain

MOST_STATUSES = 1000  # GitHub takes no more for a commit and context
MOST_DESCRIPTION = 140
MOST_BRANCH = 40


class StatusState(StrEnum):
    """The states of a commit status, the worst first."""

    ERROR = "error"
    FAILURE = "failure"
    PENDING = "pending"
    SUCCESS = "success"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A state and why; `to_confirm`: a maintainer can make it a success."""

    state: StatusState
    text: str
    to_confirm: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """A commit's status, and the page with more about it."""

    state: StatusState
    description: str
    url: str = ""


def judge_run(
    report: Report, run_conclusion: str, budgets: Budgets, confirmed_by: str = ""
) -> Decision:
    """Return the decision on a judged report, `report.review` included.

    `budgets` are the base branch's; `confirmed_by` is the login of a maintainer, "" without one.
    """
    sentence = report.verdict.sentence
    if not report.verdict.state.passes:
        return Decision(state=StatusState.FAILURE, text=sentence)
    if run_conclusion != SUCCESS:
        text = f"the gate's own job ended as {run_conclusion}; by its numbers {sentence}"
        return Decision(state=StatusState.FAILURE, text=text)
    doubts = _doubts(report.review, budgets) if report.review else []
    if not doubts:
        return Decision(state=StatusState.SUCCESS, text=sentence)
    if confirmed_by:
        text = f"{sentence}; confirmed by @{confirmed_by}"
        return Decision(state=StatusState.SUCCESS, text=text)
    text = f"{doubts[0]}: a maintainer confirms it; by its numbers {sentence}"
    return Decision(state=StatusState.PENDING, text=text, to_confirm=True)


def _doubts(review: Review, budgets: Budgets) -> list[str]:
    """Return why onegig does not vouch for the numbers."""
    is_changed = has_change(review.limit_changes, MEASURING)
    doubts = {
        "self-reported": review.self_reported and budgets.forks is not Forks.TRUST,
        "this pull request changes how it is measured": review.measuring_changes or is_changed,
        review.unverified: review.unverified,
        "services have access to the machine that measured": review.host_access,
    }
    return [text for text, applies in doubts.items() if applies]


def wait(reason: str) -> Decision:
    """Return the decision while nothing is known."""
    return Decision(state=StatusState.PENDING, text=reason)


def refuse(error: OnegigError) -> Decision:
    """Return the decision if there is nothing to judge: numbers are refused, or an error."""
    is_refused = isinstance(error, ArtifactError)
    state = StatusState.FAILURE if is_refused else StatusState.ERROR
    return Decision(state=state, text=f"INCOMPLETE: {error.message}")


def worst(decisions: Iterable[Decision]) -> Decision:
    """Return the first of the worst."""
    return min(decisions, key=lambda item: tuple(StatusState).index(item.state))


def describe(subject: str, base: str, text: str) -> str:
    """Return a description that names what was judged, and by whose limits."""
    return plain(f"{subject} into {plain(base, MOST_BRANCH)}: {text}", MOST_DESCRIPTION)


def set_status(client: Client, sha: str, status: Status, *, name: str, author: str) -> bool:
    """Set the status unless the newest of that name says the same; return whether it was set."""
    if newest(client, sha, name) == (author, status.state, status.description):
        return False
    link = {"target_url": status.url} if status.url else {}
    body = {"state": status.state, "context": name, "description": status.description, **link}
    client.send("POST", f"statuses/{sha}", body)
    return True


def newest(client: Client, sha: str, name: str) -> tuple[str, str, str] | None:
    """Return the author, state and description of a status; GitHub lists the newest first.

    A token that may not read them may not set one either, which is the error worth raising.
    """
    try:
        for status in client.pages(f"commits/{sha}/statuses", most=MOST_STATUSES):
            if status["context"] == name:
                login = (status["creator"] or {}).get("login", "")
                return str(login), str(status["state"]), str(status["description"] or "")
    except GithubPermissionError:
        return None
    return None
