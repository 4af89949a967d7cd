"""Where results go: standard output, files, errors with what to do next, and GitHub."""

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
    """Return the columns of the terminal that is printed to, within reason."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def print_or_write(text: str, path: Path | None) -> None:
    """Write to the file that was asked for, or print."""
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
    """Print a failed command's output, what happened, the command, and what to do next."""
    detail = error.detail.splitlines()
    command = f"  command: {error.command}".splitlines() if error.command else []
    advice = f"  next: {error.advice}".splitlines() if error.advice else []
    for line in (*detail, *f"onegig: {error.message}".splitlines(), *command, *advice):
        click.echo(log_line(line), err=True)


def append(path: Path | None, text: str) -> None:
    """Add to one of the files that GitHub gives a job, if it gave it."""
    if path:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)


@contextmanager
def open_client(repository: str, token: str, api_url: str = "") -> "Iterator[Client]":
    """Yield a client for one repository, which prints on standard error what it waits for."""
    import requests

    from onegig.github.client import Client, SystemClock

    with requests.Session() as session:
        yield Client(
            api_url=api_url or API_URL,
            repository=repository,
            token=token,
            session=session,
            clock=SystemClock(),
            tell=lambda text: click.echo(log_line(f"onegig: {text}"), err=True),
        )


@contextmanager
def client_of(job: Job) -> "Iterator[Client]":
    """Yield the client of a job, for its own repository."""
    with open_client(job.repository, job.token, job.api_url) as client:
        yield client
