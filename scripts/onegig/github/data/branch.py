"""The data branch: an orphan that holds the default branch's numbers, its badge and its trend.

Each push replaces the branch by one commit without parents: its history is in history.jsonl, and a
clone of the repository gets only what is there now. `--force-with-lease` makes that safe: the push
is refused unless the branch is still what was read. Then it is read again, and what somebody else
added meanwhile is kept.

A report as an entry of the history: of which commit, and from when.

A finished run of the gate for a push to the default branch: its numbers, judged from here.

Only such runs make history: a pull request's numbers are about a commit that may never be one of
the branch, and a fork's are its own word.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from onegig import pipeline
from onegig.errors import ArtifactError, ConfigError, PublishError
from onegig.github.client import Client
from onegig.github.data.history import READ, Kept, read_files, write_files
from onegig.github.data.plumbing import PassingError, Plumbing, Target
from onegig.github.trees import branch_tip, contains
from onegig.github.trusted.artifact import Numbers
from onegig.github.trusted.numbers import ARTIFACT, fetch_numbers
from onegig.github.trusted.review import Measured
from onegig.github.trusted.runs import PUSH, WORKFLOW, GateRun, Ignored, read_run
from onegig.github.waiting import Clock
from onegig.judge.baseline import make_baseline
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.measured import Unknown
from onegig.model.report import Report
from onegig.model.verdict import Baseline
from onegig.pipeline import Options

MOST_ATTEMPTS = 8
MOST_PAUSE_SECONDS = 20.0
_RULES = re.compile(r"protected branch|rule violations|GH013|GH006")
_SSH = (
    re.compile(r"ssh://(?:[^/@]+@)?(?P<host>[\w.-]+)(?::\d+)?/(?P<path>.+)"),
    re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What is on the branch now. `commit` is "" where nothing had to be changed."""

    commit: str
    created: bool  # whether the branch is new
    attempts: int
    kept: Kept


def publish(
    entry: Baseline | None,
    target: Target,
    *,
    clock: Clock,
    jitter: Callable[[], float],
    tell: Callable[[str], None] = lambda _text: None,
) -> Published:
    """Add an entry to the branch and push it; None only makes sure that the branch is there.

    `jitter` gives numbers from 0 to 1. Raises HistoryError and PublishError, both without having
    changed anything; GithubPermissionError when the token may not write.
    """
    with tempfile.TemporaryDirectory(prefix="onegig-data-") as directory:
        git = Plumbing(Path(directory), target)
        problem: PublishError = _refused("it was never tried")
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                outcome = _attempt(git, entry, target, attempt)
            except PassingError as error:
                outcome = error
            if isinstance(outcome, Published):
                return outcome
            problem = outcome
            if attempt < MOST_ATTEMPTS:
                tell(f"{problem.message}; trying again")
                clock.sleep(min(MOST_PAUSE_SECONDS, 2.0**attempt) * (0.5 + jitter() / 2))
        raise problem


def _attempt(
    git: Plumbing, entry: Baseline | None, target: Target, attempt: int
) -> Published | PublishError:
    """Read, add, push once; what came in between as the error it is unless it passes."""
    base = git.fetch()
    read = {path: git.read(base, path) for path in READ} if base else {}
    files = {path: text for path, text in read.items() if text is not None}
    kept = read_files(files, target.branch) if base else Kept()
    if entry:
        kept = kept.with_entry(entry)
    commit = git.commit(
        base, write_files(kept, web_address(target.remote), target.branch), _message(entry)
    )
    refusal = git.push(commit, base) if commit else ""
    if not refusal:
        return Published(commit=commit, created=not base, attempts=attempt, kept=kept)
    if _RULES.search(refusal):
        raise PublishError(
            f"a rule of the repository forbids to replace {target.branch}",
            advice="except this branch from the rule: it must allow creating and force pushes",
            detail=refusal,
        )
    return _refused(refusal)


def web_address(remote: str) -> str:
    """The repository's address for a browser: https://github.com/owner/name; "" for a path."""
    plain = remote.removesuffix("/").removesuffix(".git")
    if re.match(r"https?://", plain):
        return re.sub(r"(?<=://)[^/@]*@", "", plain)
    found = filter(None, (pattern.fullmatch(plain) for pattern in _SSH))
    return next((f"https://{ssh['host']}/{ssh['path']}" for ssh in found), "")


def _message(entry: Baseline | None) -> str:
    return f"Numbers of {entry.commit}" if entry else "Before the first numbers"


def _refused(detail: str) -> PublishError:
    return PublishError(
        "the push was refused, because somebody else pushed or a hook said no",
        advice="run this command again; nothing on the branch was changed",
        detail=detail,
    )


_COMMIT = re.compile(r"[0-9a-f]{40}")


def make_entry(report: Report, created: str = "") -> Baseline:
    """The entry of a report; `created` is when its commit was pushed, where that is known.

    ConfigError when the report is of no commit that a branch could have.
    """
    if not _COMMIT.fullmatch(report.commit):
        raise ConfigError(
            "the report does not say which commit it is of",
            advice="measure in a git checkout",
        )
    if report.review and report.review.head_sha != report.commit:
        raise ConfigError(
            "the report is of a pull request, not of a commit of the branch",
            advice="publish what was measured of the default branch",
        )
    entry = replace(report, created=created or report.created)
    if not _is_time(entry.created):
        raise ConfigError(
            f"the report is from {entry.created!r}, which is no time with its zone",
            advice="measure again",
        )
    return make_baseline(entry, dict(_costs(report)))


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _costs(report: Report) -> Iterator[tuple[str, float]]:
    """Seconds that building each service's image took, where it was built from nothing."""
    if not isinstance(report.images, ImagesReport):
        return
    for image in report.images.images:
        if isinstance(image.build_seconds, (int, float)):
            yield from ((name, image.build_seconds) for name in image.services)


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """A run for a push to the default branch of this repository."""

    run: GateRun
    branch: str  # the default branch
    created: str  # ISO 8601: when it was pushed; running again does not change it


def read_push(event: Mapping[str, Any], workflow: str = WORKFLOW) -> Push | Ignored:
    """The push of a `workflow_run` payload; Ignored with the reason when it makes no history.

    ConfigError when it is no such payload.
    """
    run = read_run(event, workflow, trigger=PUSH)
    if isinstance(run, Ignored):
        return run
    try:
        branch = str(event["repository"]["default_branch"])
        created = str(event["workflow_run"]["created_at"])
    except (KeyError, TypeError) as error:
        raise ConfigError(f"the event has no {error}", advice="is it a workflow_run?") from error
    home = run.head_repository
    if home is None or home.id != run.repository.id:
        name = home.name if home else "a repository that has been deleted"
        return Ignored(reason=f"the push was to {name}, not to {run.repository.name}")
    if run.head_branch != branch:
        return Ignored(reason=f"the push was to {run.head_branch}, not to {branch}")
    return Push(run=run, branch=branch, created=created)


def why_foreign(client: Client, push: Push) -> str:
    """Return why the commit is not one of the default branch; "" if it is.

    A tag may have the branch's name, and be of a commit with a workflow of its own.
    """
    if contains(client, branch_tip(client, push.branch), push.run.head_sha):
        return ""
    return f"{push.run.head_sha[:12]} is not a commit of the branch {push.branch}"


def make_report(client: Client, push: Push, options: Options, artifact: str = ARTIFACT) -> Report:
    """The push's numbers, judged by the budgets of this checkout.

    What is missing, refused or can't be judged makes the report INCOMPLETE: a badge must not stay
    green because the gate is broken. Raises GithubError when GitHub does not do its part.
    """
    measured = Measured.of(_numbers(client, push, artifact))
    try:
        budgets = pipeline.load_limits(options)
    except ConfigError as error:
        budgets = Budgets(path=str(options.budgets), compose="")
        measured = Measured.of(Unknown(reason=error.message))
    report = pipeline.judge_reports(options, budgets, measured.images, measured.memory)
    return replace(report, commit=push.run.head_sha)


def _numbers(client: Client, push: Push, artifact: str) -> Numbers | Unknown:
    try:
        return fetch_numbers(client, push.run, artifact, trigger=PUSH)
    except ArtifactError as error:
        return Unknown(reason=error.message)
