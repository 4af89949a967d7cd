"""Read GitHub's lists alone: enough for a run that begins, or that measured nothing.

A run that begins makes its commit wait. One that has ended already is told of when its end is: that
is another event, so there is nothing to say now. A run that was skipped, as a new title's is,
changes nothing where the status still speaks of what would be judged. That it may not be taken for
granted: a pull request may have changed its base branch and bring a gate that skips its run.
"""

from collections.abc import Sequence

from onegig.github.client import Client
from onegig.github.trusted.decisive import why_waiting
from onegig.github.trusted.evaluation import (
    MOST_COUNTING,
    Counting,
    Evaluation,
    find_counting,
    too_many,
)
from onegig.github.trusted.opinions import Standing
from onegig.github.trusted.pulls import Pull
from onegig.github.trusted.runs import ENDED, PULL_REQUEST, GateRun, list_runs
from onegig.github.trusted.settings import Settings
from onegig.github.trusted.statuses import MOST_BRANCH, Status, describe, newest
from onegig.github.trusted.trigger import RunEvent
from onegig.text import plain

_JUDGED = (Standing.SUCCESS, Standing.FAILURE)


def glance(
    client: Client, trigger: RunEvent, settings: Settings, *, is_first: bool
) -> Evaluation | None:
    """Return what is to be said without numbers; None where all has to be judged.

    After it has been said, which a later look is for, nothing is left to other events.
    """
    head_sha = trigger.run.head_sha
    found = find_counting(client, trigger.home, head_sha, settings)
    if found.reason:
        return Evaluation(status=None, reason=found.reason)
    if len(found.counting) > MOST_COUNTING:
        return Evaluation(status=too_many(len(found.counting)))
    here = trigger.home.repository
    runs = list_runs(client, here, settings.workflow, head_sha, PULL_REQUEST)
    for pull in found.counting:
        if status := _waiting(pull, runs):
            return Evaluation(status=status)
    if not is_first:
        return None
    if not trigger.is_completed:
        return Evaluation(status=None, reason="no run is going on: its end is told by itself")
    if _still_stands(client, head_sha, found, settings):
        return Evaluation(status=None, reason="nothing was measured, and what was said stands")
    return None


def _waiting(pull: Pull, runs: Sequence[GateRun]) -> Status | None:
    """Return the status of a pull request whose newest run, but for those skipped, goes on."""
    own = [run for run in runs if pull.is_from(run)]
    run = next((run for run in own if why_waiting(run) or run.conclusion in ENDED), None)
    why = why_waiting(run) if run else ""
    if run is None or not why:
        return None
    description = describe(f"#{pull.number}", pull.base.name, why)
    return Status(state=Standing.PENDING, description=description, url="")


def _still_stands(client: Client, head_sha: str, found: Counting, settings: Settings) -> bool:
    """Return whether the status is ours, and of the only pull request into its present base."""
    said = newest(client, head_sha, settings.status)
    if said is None or len(found.counting) != 1:
        return False
    author, state, description = said
    (pull,) = found.counting
    subject = describe(f"#{pull.number}", pull.base.name, "")
    return (
        author == settings.author
        and state in _JUDGED
        and plain(pull.base.name, MOST_BRANCH) == pull.base.name  # so it is there in full
        and description.startswith(subject)
    )
