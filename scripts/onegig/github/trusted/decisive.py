"""The run whose numbers decide about a pull request: the newest that measured what it would merge.

One head branch may have several pull requests, and one may change its base branch. A run belongs to
those whose base branch contains the commit that the head was merged into to be measured. What was
merged into a commit of both bases is the same content for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from onegig.github.client import Client
from onegig.github.trees import contains
from onegig.github.trusted.artifact import Numbers
from onegig.github.trusted.compared import measured_on
from onegig.github.trusted.numbers import fetch_numbers
from onegig.github.trusted.origins import last_base_change, other_origin
from onegig.github.trusted.pulls import Pull
from onegig.github.trusted.runs import ACTION_REQUIRED, ENDED, GateRun
from onegig.model.measured import Unknown

MEASURING = "being measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisive:
    """A finished run; `base_sha` as `measured_on` gives it, "" where it is not known."""

    run: GateRun
    numbers: Numbers | Unknown
    base_sha: str
    doubt: str = ""  # why it may have been started for another base branch


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Nothing decides yet; `reason` says what is waited for."""

    reason: str


def find_decisive(
    client: Client, pull: Pull, runs: Sequence[GateRun], artifact: str
) -> Decisive | Waiting:
    """Return the run that decides, of all runs for the head, newest first.

    A run that was skipped or cancelled measured nothing: one before it may still decide, but only
    if it measured the merge into the present base branch. ArtifactError where the numbers of the
    newest are refused.
    """
    own = [run for run in runs if pull.is_from(run)]
    changed = last_base_change(client, pull.number) if own else ""
    if own and own[0].created <= changed:
        return Waiting(reason=f"not measured on top of {pull.base.name} yet: run the gate again")
    for run in own:
        if run.created <= changed:
            break
        if why := why_waiting(run):
            return Waiting(reason=why)
        if run.conclusion not in ENDED:
            continue
        numbers = fetch_numbers(client, run, artifact)
        base_sha = ""
        if isinstance(numbers, Numbers):
            base_sha = measured_on(client, numbers.run, run.head_sha)
        # A run that does not show what it was measured on top of is never skipped for an older one
        # that may be better: it decides, and what it can't show is a doubt.
        if not base_sha or contains(client, pull.base.tip, base_sha):
            doubt = other_origin(client, pull)
            return Decisive(run=run, numbers=numbers, base_sha=base_sha, doubt=doubt)
    if own and own[0].conclusion not in ENDED:
        return Waiting(reason=f"not measured, its run ended as {own[0].conclusion}: run it again")
    return Waiting(reason=f"not measured on top of {pull.base.name} yet: run the gate again")


def why_waiting(run: GateRun) -> str:
    """Return what a run waits for; "" for one that has ended."""
    if run.conclusion == ACTION_REQUIRED:
        return "its run waits for an approval"
    return "" if run.conclusion else MEASURING
