"""`onegig comment`: tells a pull request what the gate's run found, from trusted code only.

    event -> run -> pull requests -> numbers -> the one pull request -> report -> comment and check

Nothing of the pull request is checked out or run. Wherever this ends after the run is known to be
one of an open pull request, the head commit gets its check: a required check that never answers
blocks a merge without saying why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from onegig.errors import GithubError, GithubPermissionError, OnegigError
from onegig.model.report import Report
from onegig.publish.github.client import Client
from onegig.publish.github.clock import Clock
from onegig.publish.trusted.artifact import Numbers
from onegig.publish.trusted.checks import NAME, Opinion, judge_run, refuse, set_check
from onegig.publish.trusted.comment import AUTHOR, KEY, Marker, NotPosted, Posted, upsert
from onegig.publish.trusted.compared import measured_on
from onegig.publish.trusted.numbers import ARTIFACT, fetch_numbers
from onegig.publish.trusted.pulls import Ambiguous, Pull, Stale, choose, find_pulls, why_stale
from onegig.publish.trusted.review import make_report
from onegig.publish.trusted.runs import WORKFLOW, GateRun, Ignored, read_run
from onegig.report.escape import markdown
from onegig.report.markdown import render

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What another stack, or another name for things, needs."""

    workflow: str = WORKFLOW
    budgets: str = "budgets.yml"  # in the repository
    measuring: tuple[str, ...] = ()  # what else decides how is measured than what the gate runs
    key: str = KEY
    check: str = NAME
    artifact: str = ARTIFACT
    author: str = AUTHOR


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What was done, a line each, and the text for the job's own summary."""

    lines: tuple[str, ...]
    summary: str


def post(client: Client, event: Mapping[str, Any], settings: Settings, clock: Clock) -> Outcome:
    """Tell the pull request of a `workflow_run` payload.

    Nothing to tell, or nobody to tell it to, is an outcome. Raises OnegigError: ArtifactError when
    the numbers are refused, GithubError when GitHub does not do its part; the check says so, too.
    """
    run = read_run(event, settings.workflow)
    if isinstance(run, Ignored):
        return _nothing(run.reason)
    try:
        found = _look(client, run, settings, clock)
    except OnegigError as error:
        raise _with_check(client, run, settings, error) from error
    if isinstance(found, Stale):
        return _nothing(found.reason)
    if isinstance(found, Ambiguous):
        line = _check(client, run, settings, refuse(found.reason), comment_url="")
        return Outcome(lines=(f"not posted: {found.reason}", line), summary=_note(found.reason))
    return _tell(client, run, settings, *found)


def _look(
    client: Client, run: GateRun, settings: Settings, clock: Clock
) -> tuple[Pull, Report] | Stale | Ambiguous:
    """Everything that only reads. The head is looked up again at the end, which is much later."""
    pulls = find_pulls(client, run)
    if isinstance(pulls, Stale | Ambiguous):
        return pulls
    numbers = fetch_numbers(client, run, settings.artifact)
    base_sha = ""
    if isinstance(numbers, Numbers):
        base_sha = measured_on(client, numbers.run, run.head_sha)
    pull = choose(client, pulls, base_sha)
    if isinstance(pull, Ambiguous):
        return pull
    now = datetime.fromtimestamp(clock.now(), UTC)
    report = make_report(
        client,
        run,
        pull,
        numbers,
        base_sha,
        budgets_path=settings.budgets,
        workflow=settings.workflow,
        measuring=settings.measuring,
        now=now,
    )
    reason = why_stale(client, pull)
    return Stale(reason=reason) if reason else (pull, report)


def _tell(client: Client, run: GateRun, settings: Settings, pull: Pull, report: Report) -> Outcome:
    """Comment and check; when one fails the other is done all the same, and both are told."""
    text = render(report)
    marker = Marker(key=settings.key, order=run.order, head_sha=run.head_sha)
    comment = _attempt(
        lambda: upsert(
            client, pull.number, marker, text, _shorter(report, run), author=settings.author
        )
    )
    url = comment.url if isinstance(comment, Posted) else ""
    opinion = judge_run(report, run.conclusion)
    check = _attempt(lambda: _check(client, run, settings, opinion, comment_url=url))
    errors = [one for one in (comment, check) if isinstance(one, GithubError)]
    if errors:
        raise _together(errors)
    return Outcome(lines=(_comment_line(comment, pull), str(check)), summary=text)


def _check(
    client: Client, run: GateRun, settings: Settings, opinion: Opinion, *, comment_url: str
) -> str:
    links = {"the comment": comment_url, "the gate's run": run.url}
    url = set_check(
        client, run.head_sha, opinion, order=run.order, links=links, name=settings.check
    )
    if not url:
        return f"check {settings.check} left alone: a newer run has set it"
    return f"check {settings.check}: {opinion.conclusion}, {url}"


def _with_check(
    client: Client, run: GateRun, settings: Settings, error: OnegigError
) -> OnegigError:
    """The error, once the check says why there is no verdict."""
    second = _attempt(lambda: _check(client, run, settings, refuse(error.message), comment_url=""))
    if isinstance(second, GithubError):
        error.detail = "\n".join(filter(None, (error.detail, f"nor the check: {second.message}")))
        error.advice = "\n".join(dict.fromkeys(filter(None, (error.advice, second.advice))))
    return error


def _attempt(action: Callable[[], T]) -> T | GithubError:
    try:
        return action()
    except GithubError as error:
        return error


def _together(errors: list[GithubError]) -> GithubError:
    """One error that tells all; a missing permission, which can be granted, decides its kind."""
    if len(errors) == 1:
        return errors[0]
    lacking = any(isinstance(error, GithubPermissionError) for error in errors)
    return (GithubPermissionError if lacking else GithubError)(
        "; and ".join(dict.fromkeys(error.message for error in errors)),
        status=errors[0].status,
        command="; ".join(error.command for error in errors),
        advice="\n".join(dict.fromkeys(error.advice for error in errors)),
    )


def _comment_line(comment: Posted | NotPosted | GithubError, pull: Pull) -> str:
    if isinstance(comment, Posted):
        return f"comment on #{pull.number} {comment.action}: {comment.url}"
    return f"no comment: {getattr(comment, 'reason', '')}"


def _shorter(report: Report, run: GateRun) -> str:
    return (
        f"### {markdown(report.verdict.sentence)}\n\n"
        f"_All the rest is too long for a comment: [the run]({run.url}) has it._\n"
    )


def _nothing(reason: str) -> Outcome:
    return Outcome(lines=(f"nothing posted: {reason}",), summary=_note(reason))


def _note(reason: str) -> str:
    return f"**onegig**: nothing posted: {markdown(reason)}\n"
