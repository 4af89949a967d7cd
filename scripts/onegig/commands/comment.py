"""`onegig comment`: the trusted half of the gate, started by `workflow_run` or a maintainer."""

import os
from dataclasses import replace

import click

from onegig.commands.init import append, client_of
from onegig.errors import ConfigError, OnegigError
from onegig.github.client import SystemClock
from onegig.github.job import Job, read_job
from onegig.github.trusted.comment import check_key
from onegig.github.trusted.poster import Outcome, post
from onegig.github.trusted.runs import Settings
from onegig.text import log_line, markdown

DEFAULTS = Settings()


@click.command()
@click.option(
    "--workflow",
    default=DEFAULTS.workflow,
    show_default=True,
    help="The file of the workflow whose runs to tell of.",
)
@click.option(
    "--budgets",
    default=DEFAULTS.budgets,
    show_default=True,
    help="The budgets file's path in the repository; the base branch's is read.",
)
@click.option(
    "--measuring",
    multiple=True,
    default=DEFAULTS.measuring,
    show_default=True,
    help="What else decides how is measured than what the gate's workflow runs of the repository: "
    "a file or folder; may be repeated.",
)
@click.option(
    "--key",
    default=DEFAULTS.key,
    show_default=True,
    help="Tells comments apart where a repository has several stacks.",
)
@click.option(
    "--status",
    "--check",
    "status",
    default=DEFAULTS.status,
    show_default=True,
    help="The name of the commit status to set.",
)
@click.option(
    "--artifact",
    default=DEFAULTS.artifact,
    show_default=True,
    help="The name of the artifact that holds the numbers.",
)
@click.option(
    "--author",
    default=DEFAULTS.author,
    show_default=True,
    help="The login that GITHUB_TOKEN writes as.",
)
def comment(**options: str | tuple[str, ...]) -> None:
    """Say what the gate's run for a pull request found; in a job on workflow_run.

    Reads the run's artifact as data, judges it by the base branch's budgets, writes one comment and
    sets a status on the head commit, or on that of a merge group. Started by workflow_dispatch with
    the inputs `pull` and `head`, it notes that a maintainer confirms the numbers of a fork. Checks
    out and runs nothing of the pull request. A verdict of any kind that could be written is a
    success.
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
