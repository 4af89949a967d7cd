"""A finished run of the gate for a push to the default branch: its numbers, judged from here.

Only such runs make history: a pull request's numbers are about a commit that may never be one of
the branch, and a fork's are its own word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from onegig import pipeline
from onegig.errors import ArtifactError, ConfigError
from onegig.model.budgets import Budgets
from onegig.model.measured import Unknown
from onegig.model.report import Report
from onegig.pipeline import Options
from onegig.publish.github.branches import branch_tip, contains
from onegig.publish.github.client import Client
from onegig.publish.trusted.artifact import Numbers
from onegig.publish.trusted.numbers import ARTIFACT, fetch_numbers
from onegig.publish.trusted.review import Measured
from onegig.publish.trusted.runs import PUSH, WORKFLOW, GateRun, Ignored, read_run


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
