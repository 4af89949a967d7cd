"""What commands share that ask GitHub: a client, and telling what it waits for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import requests

from onegig.publish.github.client import Client
from onegig.publish.github.clock import SystemClock
from onegig.publish.github.job import API_URL, Job
from onegig.report.escape import log_line


def say(text: str) -> None:
    """A line on standard error that no text from outside can make into more than one."""
    click.echo(log_line(f"onegig: {text}"), err=True)


@contextmanager
def open_client(repository: str, token: str, api_url: str = "") -> Iterator[Client]:
    """A client for one repository; it tells on standard error what it waits for."""
    with requests.Session() as session:
        yield Client(
            api_url=api_url or API_URL,
            repository=repository,
            token=token,
            session=session,
            clock=SystemClock(),
            tell=say,
        )


@contextmanager
def client_of(job: Job) -> Iterator[Client]:
    """The client of a job, for its own repository."""
    with open_client(job.repository, job.token, job.api_url) as client:
        yield client


def append(path: Path | None, text: str) -> None:
    """Add to one of the files that GitHub gives a job, if it gave it."""
    if path:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
