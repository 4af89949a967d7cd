"""`check --github`: the check's results where a job of GitHub Actions shows and keeps them."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from onegig.commands.init import append, client_of
from onegig.commands.output import print_error, show_report, write_data, write_documents
from onegig.errors import GithubError
from onegig.github.gate import announce, run_gate, write_numbers
from onegig.github.history import find_baseline
from onegig.github.job import Job, read_job
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.verdict import Baseline
from onegig.pipeline import Options
from onegig.progress import Progress
from onegig.report import annotations, comment


def check_as_job(options: Options, progress: Progress, directory: Path, numbers: Path) -> int:
    """Check as a job; the exit code is the check's, or that of the error that ended it."""
    job = read_job(os.environ)
    with _quoted():
        announce(job, options, numbers)
        gate = run_gate(options, progress, job, lambda *base: _baseline(job, *base))
        write_data(gate.report, directory)
        write_numbers(gate, numbers)
        if gate.error:
            print_error(gate.error)
        show_report(gate.report, color=progress.color)
    remarks = annotations.annotations(gate.report, gate.places)
    click.echo(annotations.render(remarks), nl=False)
    append(job.summary, comment.render(gate.report))
    append(job.output, f"verdict={gate.report.verdict.state}\n")
    write_documents(gate.report, directory, progress)
    return int(gate.error.exit_code if gate.error else gate.report.verdict.state.exit_code)


def _baseline(job: Job, commit: str, branch: str) -> tuple[Baseline, int] | Missing:
    """The numbers to compare with; that GitHub does not give them is no reason to fail."""
    if not job.token:
        return Skipped(reason="no GITHUB_TOKEN to read the numbers of an earlier commit with")
    try:
        with client_of(job) as client:
            return find_baseline(client, commit, branch)
    except GithubError as error:
        return Unknown(reason=error.message)


@contextmanager
def _quoted() -> Iterator[None]:
    """Keep GitHub from taking a line of somebody's log for a command of ours."""
    token = secrets.token_hex(16)
    click.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        click.echo(f"\n::{token}::")
