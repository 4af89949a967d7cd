"""Output of results: standard output, files, error messages, and GitHub's job files."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onegig.errors import OnegigError
from onegig.files import write_file
from onegig.github.job import API_URL, Job
from onegig.model.codec import D, from_json
from onegig.model.measured import Skipped
from onegig.text import log_line

if TYPE_CHECKING:
    from onegig.github.client import Client

NARROWEST, WIDEST = 60, 120


def terminal_width() -> int:
    """Return the terminal's width in columns, between NARROWEST and WIDEST."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def print_or_write(text: str, path: Path | None) -> None:
    """Write the text to `path`, or print it if there is none."""
    if path:
        write_file(path, text)
    else:
        click.echo(text, nl=False)


def read_document(kind: type[D], path: Path | None, option: str) -> D | Skipped:
    """Return a document from a file; Skipped when no file was given."""
    if path is None:
        return Skipped(reason=f"no {option} was given")
    return from_json(kind, path.read_bytes(), str(path))


def print_error(error: OnegigError) -> None:
    """Print an error: the failed command's output, the message, the command and the advice."""
    detail = error.detail.splitlines()
    command = f"  command: {error.command}".splitlines() if error.command else []
    advice = f"  next: {error.advice}".splitlines() if error.advice else []
    for line in (*detail, *f"onegig: {error.message}".splitlines(), *command, *advice):
        click.echo(log_line(line), err=True)


def append(path: Path | None, text: str) -> None:
    """Append to one of the files that GitHub gives a job, if `path` is set."""
    if path:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)


@contextmanager
def open_client(repository: str, token: str, api_url: str = "") -> "Iterator[Client]":
    """Yield a client for one repository that reports its waits on standard error."""
    import requests

    from onegig.github.client import Client, SystemClock

    with requests.Session() as session:
        yield Client(
            api_url=api_url or API_URL,
            repository=repository,
            token=token,
            session=session,
            clock=SystemClock(),
            report=lambda text: click.echo(log_line(f"onegig: {text}"), err=True),
        )


@contextmanager
def client_of(job: Job) -> "Iterator[Client]":
    """Yield the client of a job, for its own repository."""
    with open_client(job.repository, job.token, job.api_url) as client:
        yield client
