"""`onegig publish`: add the numbers of a commit of the default branch to the data branch."""

import os
import random
from dataclasses import replace
from pathlib import Path

import click

from onegig import pipeline
from onegig.commands.init import client_of
from onegig.commands.options import EXISTING_FILE, project_options
from onegig.commands.output import read_document
from onegig.errors import ConfigError
from onegig.git import ask_git, run_git
from onegig.github.client import SystemClock
from onegig.github.data_branch import Published, Target, publish, web_address
from onegig.github.job import ARTIFACT, DATA_BRANCH, GATE_WORKFLOW, SERVER_URL, read_job
from onegig.github.pushes import make_entry, make_report, read_push, why_foreign
from onegig.github.trusted.runs import Ignored
from onegig.model.codec import from_json
from onegig.model.images import ImagesReport
from onegig.model.memory import MemoryReport
from onegig.model.report import Report, RunReport
from onegig.model.verdict import Baseline
from onegig.pipeline import Options
from onegig.process import CommandError
from onegig.text import log_line

EXISTING_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("publish")
@project_options
@click.option("--report", type=EXISTING_FILE, help="report.json of the commit.")
@click.option(
    "--numbers",
    type=EXISTING_FOLDER,
    help="Folder with run.json, images.json and memory.json of the commit, to be judged again.",
)
@click.option("--seed", is_flag=True, help='Only create the branch, with an "unknown" badge.')
@click.option(
    "--remote", help="Repository to push to: a URL or path. Default: this job's, or `origin`."
)
@click.option(
    "--branch", default=DATA_BRANCH, show_default=True, help="The branch that holds the data."
)
@click.option(
    "--workflow",
    default=GATE_WORKFLOW,
    show_default=True,
    help="The file of the workflow whose runs are published.",
)
@click.option(
    "--artifact",
    default=ARTIFACT,
    show_default=True,
    help="The name of the artifact that holds the numbers.",
)
def publish_command(
    *,
    options: Options,
    report: Path | None,
    numbers: Path | None,
    seed: bool,
    remote: str | None,
    branch: str,
    workflow: str,
    artifact: str,
) -> None:
    """Add a commit's numbers to the data branch: history, baseline, badge and trend.

    Without --report, --numbers or --seed it takes those of the run in the workflow_run event, if
    that was a push to the default branch. GITHUB_TOKEN needs `contents: write`.
    """
    if bool(report) + bool(numbers) + seed > 1:
        raise click.UsageError("--report, --numbers and --seed exclude each other")
    target = Target(
        remote=remote or _remote(),
        branch=branch,
        server_url=os.environ.get("GITHUB_SERVER_URL") or SERVER_URL,
        token=os.environ.get("GITHUB_TOKEN", ""),
    )
    entry = None
    if report:
        entry = _of_commit(from_json(Report, report.read_bytes(), str(report)), options)
    elif numbers:
        entry = _of_commit(_judged(numbers, options), options)
    elif not seed:
        entry = _of_event(options, workflow, artifact)
        if entry is None:
            return
    done = publish(entry, target, clock=SystemClock(), jitter=random.random, tell=_say)
    _say(_describe(done, entry, target))


def _remote() -> str:
    """Return the repository to push to: the job's, or where the checkout comes from."""
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL') or SERVER_URL}/{repository}"
    try:
        return run_git(Path(), "remote", "get-url", "origin").stdout.strip()
    except CommandError as error:
        raise ConfigError(
            "there is no repository to publish to", advice="name one with --remote"
        ) from error


def _of_event(options: Options, workflow: str, artifact: str) -> Baseline | None:
    """Return the entry of the run that this job was started for; None when it makes no history."""
    job = read_job(os.environ)
    push = read_push(job.event, workflow)
    if isinstance(push, Ignored):
        _say(f"nothing was published: {push.reason}")
        return None
    with client_of(job) as client:
        foreign = why_foreign(client, push)
        if foreign:
            _say(f"nothing was published: {foreign}")
            return None
        return make_entry(make_report(client, push, options, artifact), push.created)


def _judged(directory: Path, options: Options) -> Report:
    claim = read_document(RunReport, directory / "run.json", "run.json")
    if not isinstance(claim, RunReport) or claim.event == "pull_request":
        raise ConfigError(
            f"{directory} has the numbers of a pull request",
            advice="publish what was measured of the default branch",
        )
    images, memory = directory / "images.json", directory / "memory.json"
    report = pipeline.judge_reports(
        options,
        pipeline.load_limits(options),
        read_document(ImagesReport, images if images.exists() else None, "images.json"),
        read_document(MemoryReport, memory if memory.exists() else None, "memory.json"),
    )
    return replace(report, commit=claim.measured_sha)


def _of_commit(report: Report, options: Options) -> Baseline:
    """Return the entry of a report, dated by its commit where the checkout has it.

    The end of a run is not enough: that of an older commit may come last.
    """
    entry = make_entry(report)
    arguments = ("show", "--no-patch", "--format=%cI", entry.commit, "--")
    created = ask_git(options.budgets.parent, *arguments).strip()
    return replace(entry, created=created) if created else entry


def _describe(done: Published, entry: Baseline | None, target: Target) -> str:
    where = f"{target.branch} of {web_address(target.remote) or target.remote}"
    if not done.commit:
        return f"{where} is up to date"
    what = f"{entry.commit[:12]} {entry.state}" if entry else "no numbers yet"
    verb = "created" if done.created else "updated"
    return f"{where} {verb}: {what}; badge: {done.kept.badge.message}"


def _say(text: str) -> None:
    click.echo(log_line(f"onegig: {text}"))
