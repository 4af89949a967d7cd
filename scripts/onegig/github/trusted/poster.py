"""`onegig comment`: says what the gate's runs for a commit found, from trusted code only.

    event -> commit -> pull requests -> runs -> numbers -> reports -> comments and the status

Nothing of a pull request is checked out or run. Nothing is taken over from a comment, a status or a
check: each job computes the answer afresh from what GitHub has recorded. (Where a run was skipped,
as for a new title, a status that names the same pull request and base may stay as it is.) Jobs need
not run one after the other either. After writing, each reads everything again and writes again if
the answer has changed: so whoever writes last has also read last. Who has written nothing leaves it
to them.

Read GitHub's lists alone: enough for a run that begins, or that measured nothing.

A run that begins makes its commit wait. One that has ended already is told of when its end is: that
is another event, so there is nothing to say now. A run that was skipped, as a new title's is,
changes nothing where the status still speaks of what would be judged. That it may not be taken for
granted: a pull request may have changed its base branch and bring a gate that skips its run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

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
    why_waiting,
)
from onegig.github.trusted.pulls import Pull, check_confirmation, why_stale
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
from onegig.model.report import Report
from onegig.report.markdown import render
from onegig.text import markdown, plain

MOST_ROUNDS = 5
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """List what was done, a line each, with the text for the job's own summary."""

    lines: tuple[str, ...]
    summary: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    """Hold what was written after one look."""

    lines: tuple[str, ...]
    summary: str
    errors: tuple[OnegigError, ...]
    has_written: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _StatusLine:
    """Describe what became of the status."""

    line: str
    has_written: bool


def post(client: Client, event: Mapping[str, Any], settings: Settings, clock: Clock) -> Outcome:
    """Answer the payload of a `workflow_run`, or of a `workflow_dispatch` that confirms.

    Nothing to say is an outcome. Raises OnegigError: ArtifactError when the numbers are refused,
    GithubError when GitHub does not do its part; the status says so, too.
    """
    trigger = read_trigger(event, settings.workflow)
    if isinstance(trigger, Ignored):
        return _nothing(trigger.reason)
    if isinstance(trigger, Confirmation):
        check_confirmation(client, trigger)
    else:
        settings = replace(settings, own_run="")  # which confirms nothing
    rounds: list[_Round] = []
    decided: tuple[object, ...] = ()
    for _ in range(MOST_ROUNDS):
        with client.look():
            found = _evaluate(client, trigger, settings, clock, is_first=not rounds)
        if rounds and found.decided == decided:
            break
        decided = found.decided
        rounds.append(_write(client, trigger, found, settings))
        if rounds[-1].errors:
            raise _together(rounds[-1].errors)
        if not rounds[-1].has_written:
            break
    lines = (line for one in rounds for line in one.lines)
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
        return evaluate_group(client, trigger.home, trigger.run.head_sha, settings)
    if isinstance(trigger, RunEvent) and trigger.has_no_numbers:
        seen = glance(client, trigger, settings, is_first=is_first)
        if seen:
            return seen

    def wants_comment(pull: Pull) -> bool:
        if isinstance(trigger, Confirmation):
            return pull.number == trigger.pull
        return trigger.is_completed and pull.is_from(trigger.run)

    now = datetime.fromtimestamp(clock.now(), UTC)
    return evaluate(client, trigger.home, _head(trigger), settings, now, wants_comment)


def _head(trigger: RunEvent | Confirmation) -> str:
    return trigger.head_sha if isinstance(trigger, Confirmation) else trigger.run.head_sha


def _write(
    client: Client, trigger: RunEvent | Confirmation, found: Evaluation, settings: Settings
) -> _Round:
    """Write comments and status; where one fails the others are written all the same."""
    lines, errors, url, summary = [], [], "", ""
    has_written = False
    for answer in found.answers:
        if answer.error:
            errors.append(answer.error)
        elif answer.report:
            summary = summary or render(answer.report)
            comment = _attempt(partial(_comment, client, answer, settings))
            if isinstance(comment, GithubError):
                errors.append(comment)
            else:
                url = url or (comment.url if isinstance(comment, Posted) else "")
                has_written |= isinstance(comment, Posted) and comment.action != "unchanged"
                lines.append(_comment_line(comment, answer.pull))
    if found.untold:
        lines.append(f"no comment on {found.untold} more pull requests of this commit")
    status = _attempt(partial(_status, client, _head(trigger), found, settings, url))
    if isinstance(status, GithubError):
        errors.append(status)
    else:
        has_written |= status.has_written
        lines.append(status.line)
    return _Round(
        lines=tuple(lines),
        summary=summary or _note(lines[-1] if lines else ""),
        errors=tuple(errors),
        has_written=has_written,
    )


def _comment(client: Client, answer: Answer, settings: Settings) -> Posted | NotPosted:
    if answer.report is None or answer.run is None:
        return NotPosted(reason=answer.opinion.text)
    if stale := why_stale(client, answer.pull):
        return NotPosted(reason=stale)
    return upsert(
        client,
        answer.pull.number,
        settings.key,
        render(answer.report),
        _shorter(answer.report, answer.run.url),
        author=settings.author,
    )


def _status(
    client: Client, head_sha: str, found: Evaluation, settings: Settings, comment_url: str
) -> _StatusLine:
    status, name = found.status, settings.status
    if status is None:
        return _StatusLine(line=f"no status {name}: {found.reason}", has_written=False)
    status = replace(status, url=comment_url or status.url)
    is_set = set_status(client, head_sha, status, name=name, author=settings.author)
    unchanged = "" if is_set else " (unchanged)"
    line = f"status {name}: {status.state}{unchanged}, {status.description}"
    return _StatusLine(line=line, has_written=is_set)


def _attempt(action: Callable[[], T]) -> T | GithubError:
    try:
        return action()
    except GithubError as error:
        return error


def _together(errors: tuple[OnegigError, ...]) -> OnegigError:
    """Return one error that says all; the first that is not GitHub's decides its kind.

    Of GitHub's own it is a missing permission, which can be granted.
    """
    if len(errors) == 1:
        return errors[0]
    advice = "\n".join(dict.fromkeys(filter(None, (error.advice for error in errors))))
    own = next((error for error in errors if not isinstance(error, GithubError)), None)
    if own:
        others = (f"nor was it written: {error.message}" for error in errors if error is not own)
        own.detail = "\n".join(filter(None, (own.detail, *others)))
        own.advice = advice
        return own
    lacking = any(isinstance(error, GithubPermissionError) for error in errors)
    return (GithubPermissionError if lacking else GithubError)(
        "; and ".join(dict.fromkeys(error.message for error in errors)),
        status=getattr(errors[0], "status", 0),
        command="; ".join(error.command for error in errors),
        advice=advice,
    )


def _comment_line(comment: Posted | NotPosted, pull: Pull) -> str:
    if isinstance(comment, Posted):
        return f"comment on #{pull.number} {comment.action}: {comment.url}"
    return f"no comment: {comment.reason}"


def _shorter(report: Report, run_url: str) -> str:
    return (
        f"### {markdown(report.verdict.sentence)}\n\n"
        f"_All the rest is too long for a comment: [the run]({run_url}) has it._\n"
    )


def _nothing(reason: str) -> Outcome:
    return Outcome(lines=(f"nothing posted: {reason}",), summary=_note(f"nothing posted: {reason}"))


def _note(text: str) -> str:
    return f"**onegig**: {markdown(text)}\n"


_JUDGED = (StatusState.SUCCESS, StatusState.FAILURE)


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
    return Status(state=StatusState.PENDING, description=description, url="")


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
