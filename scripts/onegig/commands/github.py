"""Commands that use GitHub: `onegig comment`, `publish`, `doctor` and `shards`."""

import json
import os
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import click

from onegig import pipeline
from onegig.commands.options import EXISTING_FILE, SOME_FILE, project_options
from onegig.commands.output import append, client_of, open_client, read_document
from onegig.errors import ConfigError, GithubError, OnegigError
from onegig.files import append_file
from onegig.github.client import SystemClock
from onegig.github.data_branch import Published, Target, web_address
from onegig.github.data_branch import publish as publish_entry
from onegig.github.doctor import examine, exit_code
from onegig.github.doctor.checkout import read_checkout, repository_of
from onegig.github.doctor.findings import render
from onegig.github.doctor.hosted import Hosted, read_hosted
from onegig.github.history import READ
from onegig.github.job import (
    ARTIFACT,
    COMMENT_WORKFLOW,
    DATA_BRANCH,
    GATE_WORKFLOW,
    SERVER_URL,
    Job,
    read_job,
)
from onegig.github.pushes import foreign_reason, make_entry, make_report, read_push
from onegig.github.transport import RAW
from onegig.github.trusted.comment import check_key
from onegig.github.trusted.poster import Outcome, post
from onegig.github.trusted.runs import Ignored, Settings
from onegig.images.shards import Costs, Shard, costs_of, plan_shards
from onegig.model.codec import from_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.options import Options
from onegig.model.report import Report, RunReport
from onegig.model.verdict import Baseline
from onegig.process import CommandError, ask_git, run_git
from onegig.text import log_line, markdown

SETTINGS = Settings()
COMMENT_OPTIONS = {  # of `onegig comment`: fields of Settings
    "workflow": "File of the workflow that measures.",
    "budgets": "Path of the budgets file in the repository. It is read from the base branch.",
    "measuring": "File or folder that affects the gate's measurement, in addition to those its "
    "workflow runs. May be repeated.",
    "key": "Key of the comment, in a repository with several stacks.",
    "status": "Name of the commit status to set.",
    "artifact": "Name of the artifact that holds the numbers.",
    "author": "Login that GITHUB_TOKEN writes as.",
}


def _comment_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, text in reversed(COMMENT_OPTIONS.items()):
        names = ("--status", "--check", "status") if name == "status" else (f"--{name}",)
        default = getattr(SETTINGS, name)
        multiple = isinstance(default, tuple)
        command = click.option(*names, default=default, multiple=multiple, help=text)(command)
    return command


@click.command()
@_comment_options
def comment(**options: str | tuple[str, ...]) -> None:
    """Comment on a pull request with the gate's results; runs in a workflow_run job.

    Reads the run's artifact as data, judges it by the base branch's budgets, writes one comment and
    sets a status on the head commit or the merge group's commit. When started by workflow_dispatch
    with the inputs `pull` and `head`, it records that a maintainer confirms a fork's numbers. Never
    checks out or runs anything from the pull request. Exits with 0 if it could write the verdict,
    whichever it is.
    """
    settings = Settings(**options)  # type: ignore[arg-type]  # click has made each what it is
    check_key(settings.key)
    job = read_job(os.environ)
    settings = replace(
        settings, own_workflow=job.workflow or settings.own_workflow, own_run=job.run_id
    )
    try:
        outcome = _post(job, settings)
    except OnegigError as error:
        append(job.summary, f"**onegig**: {markdown(error.message)}\n")
        raise
    for line in outcome.lines:
        click.echo(log_line(f"onegig: {line}"))
    append(job.summary, outcome.summary)


def _post(job: Job, settings: Settings) -> Outcome:
    if not job.token:
        raise ConfigError(
            "GITHUB_TOKEN is not set", advice="env:\n      GITHUB_TOKEN: ${{ github.token }}"
        )
    with client_of(job) as client:
        return post(client, job.event, settings, SystemClock())


@click.command()
@project_options
@click.option("--report", type=EXISTING_FILE, help="report.json of the commit.")
@click.option(
    "--numbers",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the commit's run.json, images.json and memory.json, to judge again.",
)
@click.option("--seed", is_flag=True, help='Only create the branch, with an "unknown" badge.')
@click.option(
    "--remote", help="Repository to push to (URL or path). Default: this job's, or `origin`."
)
@click.option("--branch", default=DATA_BRANCH, help="Branch that holds the data.")
@click.option("--workflow", default=GATE_WORKFLOW, help="Workflow whose runs are published.")
@click.option("--artifact", default=ARTIFACT, help=COMMENT_OPTIONS["artifact"])
def publish(
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

    Without --report, --numbers or --seed, it publishes the numbers of the run in the workflow_run
    event, if that was a push to the default branch. GITHUB_TOKEN needs `contents: write`.
    """
    if bool(report) + bool(numbers) + seed > 1:
        raise click.UsageError("use only one of --report, --numbers and --seed")
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
    done = publish_entry(entry, target, clock=SystemClock(), jitter=random.random, report=_say)
    _say(_describe(done, entry, target))


def _remote() -> str:
    """Return the repository to push to: the job's, or where the checkout comes from."""
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL') or SERVER_URL}/{repository}"
    try:
        return run_git(Path(), "remote", "get-url", "origin").stdout.strip()
    except CommandError as error:
        raise ConfigError(
            "no repository to publish to is known", advice="name one with --remote"
        ) from error


def _of_event(options: Options, workflow: str, artifact: str) -> Baseline | None:
    """Return the entry of the run that started this job, or None if it is not to be published."""
    job = read_job(os.environ)
    push = read_push(job.event, workflow)
    if isinstance(push, Ignored):
        _say(f"nothing was published: {push.reason}")
        return None
    with client_of(job) as client:
        if foreign := foreign_reason(client, push):
            _say(f"nothing was published: {foreign}")
            return None
        return make_entry(make_report(client, push, options, artifact), push.run.created)


def _judged(directory: Path, options: Options) -> Report:
    claim = read_document(RunReport, directory / "run.json", "run.json")
    if not isinstance(claim, RunReport) or claim.event == "pull_request":
        raise ConfigError(
            f"{directory} has the numbers of a pull request",
            advice="publish the numbers of the default branch instead",
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
    """Return the entry of a report, dated by its commit if the checkout has it.

    The time of the run is not enough: the run of an older commit may end last.
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
    return f"{where} {verb}: {what}; badge: {done.record.badge.message}"


def _say(text: str) -> None:
    click.echo(log_line(f"onegig: {text}"))


DOCTOR_EXIT_CODES = """\b
Exit codes:
  0  the gate can work
  2  something must be changed
  4  GitHub could not be reached
"""
ANONYMOUS = "without a token settings can't be read: GITHUB_TOKEN=$(gh auth token) onegig doctor"


@click.command(epilog=DOCTOR_EXIT_CODES)
@click.option(
    "--repository", help="owner/name on GitHub. Default: GITHUB_REPOSITORY, or that of `origin`."
)
@click.option("--budgets", default="budgets.yml", help="Budgets file of the gate.")
@click.option("--gate", default=GATE_WORKFLOW, help="Workflow that measures.")
@click.option("--comment", default=COMMENT_WORKFLOW, help="Workflow that comments.")
@click.option("--data-branch", default=DATA_BRANCH, help="Branch that holds the data.")
@click.option("--offline", is_flag=True, help="Check only the local checkout.")
def doctor(
    *,
    repository: str | None,
    budgets: str,
    gate: str,
    comment: str,
    data_branch: str,
    offline: bool,
) -> None:
    """Check the set-up of the gate on GitHub and print what to change.

    Checks the workflows and their actions, the permissions of their jobs, the required status, pull
    requests from forks, the data branch and the budgets. Changes nothing. The token is read from
    GITHUB_TOKEN or GH_TOKEN; an administrator's can read the most, and settings that it can't read
    are marked with a question mark. For general problems of workflows, such as unpinned actions or
    excessive permissions, run `zizmor`.
    """
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""
    root = Path(ask_git(Path(), "rev-parse", "--show-toplevel").strip() or ".")
    checkout = read_checkout(root, gate, comment, budgets)
    origin = repository_of(ask_git(Path(), "remote", "get-url", "origin").strip())
    name = repository or os.environ.get("GITHUB_REPOSITORY") or origin
    hosted: Hosted | Missing
    if offline:
        hosted = Skipped(reason="--offline was given")
    elif not name:
        hosted = Unknown(reason="the repository is not known: set --repository owner/name")
    else:
        hosted = _hosted(name, token, (gate, comment), data_branch)
    sections = examine(checkout, hosted)
    remark = f" ({ANONYMOUS})" if name and not token and not offline else ""
    click.echo(render(f"onegig doctor: {name or 'this checkout'}{remark}", sections), nl=False)
    click.get_current_context().exit(exit_code(sections, hosted))


def _hosted(name: str, token: str, workflows: tuple[str, ...], branch: str) -> Hosted | Unknown:
    try:
        with open_client(name, token, os.environ.get("GITHUB_API_URL", "")) as client:
            return read_hosted(client, workflows, branch, READ)
    except GithubError as error:
        return Unknown(reason=f"{error.message}; {error.advice}")


BASELINE = "baseline.json"  # on the data branch
MOST_BASELINE_BYTES = 4_000_000
MOST_OUTPUT_BYTES = 1_000_000  # of a job, counted in UTF-16: docs.github.com/actions, job outputs


@click.command()
@project_options
@click.option(
    "--baseline",
    type=SOME_FILE,
    help="baseline.json of the data branch, with the build times of images. By default it is read "
    "from GitHub if GITHUB_TOKEN and GITHUB_REPOSITORY are set.",
)
@click.option(
    "--output", type=SOME_FILE, help="Append shards=JSON to this file, such as $GITHUB_OUTPUT."
)
@click.option("--github", is_flag=True, help="The same as --output $GITHUB_OUTPUT.")
def shards(*, options: Options, baseline: Path | None, output: Path | None, github: bool) -> None:
    """Distribute the services over machines that build and inspect their images.

    Prints JSON for a job matrix: a list of {"name", "services"} with every service once, about the
    same amount of work for each machine, and services that share an image together. The list is
    empty if one machine is enough: for fewer than `shards.start` images, or if starting machines
    would take longer than it saves.

    Needs no engine, and works without known build times, as in the first run.
    """
    budgets, stack = pipeline.load(options)
    text = _json(plan_shards(stack, _costs(baseline), budgets.shards))
    click.echo(text)
    path = output or (os.environ.get("GITHUB_OUTPUT") if github else None)
    if path:
        append_file(Path(path), f"shards={text}\n")
    elif github:
        raise ConfigError(
            "--github: GITHUB_OUTPUT is not set, so this is not a job of GitHub Actions",
            advice="leave --github out, or name a file with --output",
        )


def _json(shards: tuple[Shard, ...]) -> str:
    """Return one line of ASCII, so that no name can begin another output."""
    text = json.dumps([asdict(shard) for shard in shards])
    if 2 * len(text) > MOST_OUTPUT_BYTES:
        raise ConfigError(
            f"{len(text):,} characters are more than the output of a GitHub job may have",
            advice="split the stack",
        )
    return text


def _costs(path: Path | None) -> Costs:
    """Return the build times of images, from a file or the data branch; empty if unknown."""
    token, repository = (os.environ.get(f"GITHUB_{name}", "") for name in ("TOKEN", "REPOSITORY"))
    if not path and not (token and repository):
        return Costs()
    try:
        if path:
            text = path.read_bytes()
        else:
            with open_client(repository, token, os.environ.get("GITHUB_API_URL", "")) as client:
                text = client.download(
                    f"contents/{BASELINE}",
                    accept=RAW,
                    most_bytes=MOST_BASELINE_BYTES,
                    ref=DATA_BRANCH,
                )
        return costs_of(from_json(Baseline, text, str(path or f"{BASELINE} of {DATA_BRANCH}")))
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror}"
    except (ConfigError, GithubError) as error:
        reason = error.message
    click.echo(f"build times of images are not known: {reason}", err=True)
    return Costs()
