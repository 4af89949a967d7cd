"""A finished run of the gate for a push to the default branch, as an entry of the history.

Only such runs make history: the numbers of a pull request are about a commit that may never be on
the branch, and those of a fork are self-reported.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from onegig import pipeline
from onegig.errors import ArtifactError, ConfigError
from onegig.github.client import Client
from onegig.github.job import ARTIFACT, GATE_WORKFLOW
from onegig.github.trees import branch_tip, contains
from onegig.github.trusted.artifact import fetch_numbers, no_numbers
from onegig.github.trusted.runs import ENDED, PUSH, Ignored, RunEvent, read_run
from onegig.judge.baseline import make_baseline
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.options import Options
from onegig.model.report import Report
from onegig.model.verdict import Baseline

_COMMIT = re.compile(r"[0-9a-f]{40}")


def make_entry(report: Report, created: str = "") -> Baseline:
    """Return the entry of a report; `created` is when its commit was pushed, if that is known.

    Raises ConfigError when the report is not about a commit of a branch.
    """
    if not _COMMIT.fullmatch(report.commit):
        raise ConfigError("the report does not name its commit", advice="measure in a git checkout")
    if report.review and report.review.head_sha != report.commit:
        raise ConfigError(
            "the report is about a pull request, not a commit of the branch",
            advice="publish the numbers of the default branch instead",
        )
    entry = replace(report, created=created or report.created)
    try:
        has_zone = datetime.fromisoformat(entry.created).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        raise ConfigError(
            f"the report is from {entry.created!r}, which is not a time with its zone",
            advice="measure again",
        )
    images = report.images.images if isinstance(report.images, ImagesReport) else ()
    seconds = {  # that building each service's image from scratch took
        name: image.build_seconds
        for image in images
        for name in image.services
        if isinstance(image.build_seconds, (int, float))
    }
    return make_baseline(entry, seconds)


def read_push(event: Mapping[str, Any], workflow: str = GATE_WORKFLOW) -> RunEvent | Ignored:
    """Return the run for a push to the default branch; Ignored when it does not make history.

    Raises ConfigError when the event is not a `workflow_run`.
    """
    push = read_run(event, workflow, PUSH)
    if isinstance(push, Ignored):
        return push
    run, branch = push.run, push.home.default_branch
    if not push.is_completed or run.conclusion not in ENDED:
        return Ignored(reason=f"the run ended as {run.conclusion or event['action']}")
    home = run.head_repository
    if home is None or home.id != run.repository.id:
        name = home.name if home else "a repository that has been deleted"
        return Ignored(reason=f"the push was to {name}, not to {run.repository.name}")
    if run.head_branch != branch:
        return Ignored(reason=f"the push was to {run.head_branch}, not to {branch}")
    return push


def foreign_reason(client: Client, push: RunEvent) -> str:
    """Return why the commit is not one of the default branch, or "" if it is.

    A tag may have the branch's name, and be of a commit with a workflow of its own.
    """
    branch = push.home.default_branch
    if contains(client, branch_tip(client, branch), push.head_sha):
        return ""
    return f"{push.head_sha[:12]} is not a commit of the branch {branch}"


def make_report(
    client: Client, push: RunEvent, options: Options, artifact: str = ARTIFACT
) -> Report:
    """Judge the push's numbers by the budgets of this checkout.

    What is missing, refused or can't be judged makes the report INCOMPLETE: a badge must not stay
    green because the gate is broken. Raises GithubError when GitHub does not do its part.
    """
    try:
        numbers = fetch_numbers(client, push.run, artifact, trigger=PUSH)
    except ArtifactError as error:
        numbers = no_numbers(error.message)
    try:
        budgets = pipeline.load_limits(options)
    except ConfigError as error:
        budgets = Budgets(path=str(options.budgets), compose="")
        numbers = no_numbers(error.message)
    report = pipeline.judge_reports(options, budgets, numbers.images, numbers.memory)
    return replace(report, commit=push.head_sha)
