"""`onegig comment`: report what the gate's runs for a commit found, from trusted code only.

    event -> commit -> pull requests -> runs -> numbers -> reports -> comments and the status

Nothing of a pull request is checked out or run. Nothing is taken over from a comment, a status or a
check: each job computes the answer afresh from what GitHub has recorded. (Where a run was skipped,
as for a new title, a status that names the same pull request and base may stay as it is.) Jobs need
not run one after the other either. After writing, each reads everything again and writes again if
the answer has changed: so whoever writes last has also read last. Who has written nothing leaves it
to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from onegig.errors import GithubError, GithubPermissionError, OnegigError
from onegig.github.client import Client, Clock
from onegig.github.trusted.comment import NotPosted, Posted, upsert
from onegig.github.trusted.decision import (
    MOST_BRANCH,
    Status,
    StatusState,
    describe,
    newest,
    set_status,
)
from onegig.github.trusted.evaluation import (
    MOST_COUNTING,
    Answer,
    Counting,
    Evaluation,
    evaluate,
    evaluate_group,
    find_counting,
    too_many,
    waiting_reason,
)
from onegig.github.trusted.pulls import Pull, check_confirmation, stale_reason
from onegig.github.trusted.runs import (
    ENDED,
    PULL_REQUEST,
    Confirmation,
    GateRun,
    Ignored,
    RunEvent,
    Settings,
    list_runs,
    read_trigger,
)
from onegig.report.comment import render
from onegig.text import markdown, plain

MOST_ROUNDS = 5
_JUDGED = (StatusState.SUCCESS, StatusState.FAILURE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Lines that say what was done, and the text for the job's summary."""

    lines: tuple[str, ...]
    summary: str
    has_written: bool = False


def post(client: Client, event: Mapping[str, Any], settings: Settings, clock: Clock) -> Outcome:
    """Answer the payload of a `workflow_run`, or of a `workflow_dispatch` that confirms.

    Nothing to say is an outcome. Raises OnegigError: ArtifactError when the numbers are refused,
    GithubError when GitHub does not do its part; the status says so, too.
    """
    trigger = read_trigger(event, settings.workflow)
    if isinstance(trigger, Ignored):
        line = f"nothing posted: {trigger.reason}"
        return Outcome(lines=(line,), summary=_note(line))
    if isinstance(trigger, Confirmation):
        check_confirmation(client, trigger)
    else:
        settings = replace(settings, own_run="")  # which confirms nothing
    rounds: list[Outcome] = []
    decided: tuple[object, ...] = ()
    for _ in range(MOST_ROUNDS):
        with client.look():
            evaluation = _evaluate(client, trigger, settings, clock, is_first=not rounds)
        if rounds and evaluation.decided == decided:
            break
        decided = evaluation.decided
        rounds.append(_write(client, trigger, evaluation, settings))
        if not rounds[-1].has_written:
            break
    lines = (line for each in rounds for line in each.lines)
    return Outcome(lines=tuple(dict.fromkeys(lines)), summary=rounds[-1].summary)


def _evaluate(
    client: Client,
    trigger: RunEvent | Confirmation,
    settings: Settings,
    clock: Clock,
    *,
    is_first: bool,
) -> Evaluation:
    if isinstance(trigger, RunEvent) and trigger.is_group:
        return evaluate_group(client, trigger.home, trigger.head_sha, settings)
    if isinstance(trigger, RunEvent) and trigger.has_no_numbers:
        evaluation = glance(client, trigger, settings, is_first=is_first)
        if evaluation:
            return evaluation

    def wants_comment(pull: Pull) -> bool:
        if isinstance(trigger, Confirmation):
            return pull.number == trigger.pull
        return trigger.is_completed and pull.is_from(trigger.run)

    now = datetime.fromtimestamp(clock.now(), UTC)
    return evaluate(client, trigger.home, trigger.head_sha, settings, now, wants_comment)


def glance(
    client: Client, trigger: RunEvent, settings: Settings, *, is_first: bool
) -> Evaluation | None:
    """Return the status that GitHub's lists alone allow, or None if the numbers are needed.

    A run that begins makes its commit wait. One that has ended already is left to the event of
    its end. A run that was skipped, as a new title's is, changes nothing if the
    status still speaks of what would be judged: a pull request may have changed its base branch and
    bring a gate that skips its run. Once it is said, nothing is left to other events.
    """
    head_sha = trigger.head_sha
    commit = find_counting(client, trigger.home, head_sha, settings)
    if commit.reason:
        return Evaluation(status=None, reason=commit.reason)
    if len(commit.counting) > MOST_COUNTING:
        return Evaluation(status=too_many(len(commit.counting)))
    here = trigger.home.repository
    runs = list_runs(client, here, settings.workflow, head_sha, PULL_REQUEST)
    for pull in commit.counting:
        if why := _waiting_reason(pull, runs):
            description = describe(f"#{pull.number}", pull.base.name, why)
            return Evaluation(status=Status(state=StatusState.PENDING, description=description))
    if not is_first:
        return None
    if not trigger.is_completed:
        return Evaluation(status=None, reason="the run has not ended yet")
    if _still_stands(client, head_sha, commit, settings):
        return Evaluation(status=None, reason="nothing was measured, so the status does not change")
    return None


def _waiting_reason(pull: Pull, runs: Sequence[GateRun]) -> str:
    """Return what a pull request's newest run (not counting skipped ones) is waiting for."""
    own = (run for run in runs if pull.is_from(run))
    run = next((run for run in own if waiting_reason(run) or run.conclusion in ENDED), None)
    return waiting_reason(run) if run else ""


def _still_stands(client: Client, head_sha: str, commit: Counting, settings: Settings) -> bool:
    """Return whether the status is ours, and of the only pull request into its present base."""
    status = newest(client, head_sha, settings.status)
    if status is None or len(commit.counting) != 1:
        return False
    author, state, description = status
    (pull,) = commit.counting
    return (
        author == settings.author
        and state in _JUDGED
        and plain(pull.base.name, MOST_BRANCH) == pull.base.name  # so it is there in full
        and description.startswith(describe(f"#{pull.number}", pull.base.name, ""))
    )


def _write(
    client: Client, trigger: RunEvent | Confirmation, evaluation: Evaluation, settings: Settings
) -> Outcome:
    """Write comments and status; if one fails, the others are written anyway."""
    lines: list[str] = []
    errors = [answer.error for answer in evaluation.answers if answer.error]
    url, summary, has_written = "", "", False
    for answer in evaluation.answers:
        if answer.report is None:
            continue
        summary = summary or render(answer.report)
        try:
            comment = _comment(client, answer, settings)
        except GithubError as error:
            errors.append(error)
            continue
        if isinstance(comment, NotPosted):
            lines.append(f"no comment: {comment.reason}")
            continue
        url = url or comment.url
        has_written |= comment.action != "unchanged"
        lines.append(f"comment on #{answer.pull.number} {comment.action}: {comment.url}")
    if evaluation.uncommented:
        lines.append(f"no comment on {evaluation.uncommented} more pull requests of this commit")
    try:
        line, is_set = _status(client, trigger.head_sha, evaluation, settings, url)
        has_written |= is_set
        lines.append(line)
    except GithubError as error:
        errors.append(error)
    if errors:
        raise _together(errors)
    return Outcome(lines=tuple(lines), summary=summary or _note(lines[-1]), has_written=has_written)


def _comment(client: Client, answer: Answer, settings: Settings) -> Posted | NotPosted:
    report, run = answer.report, answer.run
    if report is None or run is None:
        return NotPosted(reason=answer.decision.text)
    if stale := stale_reason(client, answer.pull):
        return NotPosted(reason=stale)
    shorter = (
        f"### {markdown(report.verdict.sentence)}\n\n"
        f"_The rest is too long for a comment: [the run]({run.url}) has it._\n"
    )
    number, key = answer.pull.number, settings.key
    return upsert(client, number, key, render(report), shorter, author=settings.author)


def _status(
    client: Client, head_sha: str, evaluation: Evaluation, settings: Settings, comment_url: str
) -> tuple[str, bool]:
    """Return a line about the status, and whether it was set."""
    status, name = evaluation.status, settings.status
    if status is None:
        return f"no status {name}: {evaluation.reason}", False
    status = replace(status, url=comment_url or status.url)
    is_set = set_status(client, head_sha, status, name=name, author=settings.author)
    unchanged = "" if is_set else " (unchanged)"
    return f"status {name}: {status.state}{unchanged}, {status.description}", is_set


def _together(errors: Sequence[OnegigError]) -> OnegigError:
    """Return one error that says all; the first that is not GitHub's decides its kind.

    Of GitHub's own it is a missing permission, which can be granted.
    """
    if len(errors) == 1:
        return errors[0]
    advice = "\n".join(dict.fromkeys(filter(None, (error.advice for error in errors))))
    own = next((error for error in errors if not isinstance(error, GithubError)), None)
    if own:
        others = (f"nor was it written: {error.message}" for error in errors if error is not own)
        own.detail, own.advice = "\n".join(filter(None, (own.detail, *others))), advice
        return own
    lacking = any(isinstance(error, GithubPermissionError) for error in errors)
    return (GithubPermissionError if lacking else GithubError)(
        "; and ".join(dict.fromkeys(error.message for error in errors)),
        status=getattr(errors[0], "status", 0),
        command="; ".join(error.command for error in errors),
        advice=advice,
    )


def _note(text: str) -> str:
    return f"**onegig**: {markdown(text)}\n"
