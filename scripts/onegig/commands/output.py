"""Where results go: files, standard output, and errors with what to do next."""

import shutil
import sys
from pathlib import Path

import click

from onegig.errors import OnegigError
from onegig.files import remove_file, write_file
from onegig.model.codec import D, from_json, to_json
from onegig.model.measured import Skipped
from onegig.model.report import Report
from onegig.progress import Progress
from onegig.report.comment import render as render_markdown
from onegig.report.html import render as render_page
from onegig.report.terminal import render as render_terminal
from onegig.text import log_line

DATA, COMMENT, PAGE = "report.json", "comment.md", "report.html"
NARROWEST, WIDEST = 60, 120


def write_data(report: Report, directory: Path) -> None:
    """Write report.json, and remove what an earlier run has left beside it."""
    write_file(directory / DATA, to_json(report))
    for name in (COMMENT, PAGE):
        remove_file(directory / name)


def write_documents(report: Report, directory: Path, progress: Progress) -> None:
    """Write comment.md and report.html beside report.json."""
    write_file(directory / COMMENT, render_markdown(report))
    with progress.step(f"draw {directory / PAGE}"):
        write_file(directory / PAGE, render_page(report))


def show_report(report: Report, *, color: bool) -> None:
    """Print the report for the terminal it goes to."""
    show_color = color and sys.stdout.isatty()
    text = render_terminal(report, width=terminal_width(), color=show_color)
    click.echo(text, color=show_color)


def terminal_width() -> int:
    """Columns of the terminal that is printed to, within reason."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def print_or_write(text: str, path: Path | None) -> None:
    """Write to the file that was asked for, or print."""
    if path:
        write_file(path, text)
    else:
        click.echo(text, nl=False)


def read_document(kind: type[D], path: Path | None, option: str) -> D | Skipped:
    """A document from a file; Skipped when no file was given."""
    if path is None:
        return Skipped(reason=f"no {option} was given")
    return from_json(kind, path.read_bytes(), str(path))


def print_error(error: OnegigError) -> None:
    """Say what happened, which command failed and what to do next, after that command's output."""
    detail = error.detail.splitlines()
    command = f"  command: {error.command}".splitlines() if error.command else []
    advice = f"  next: {error.advice}".splitlines() if error.advice else []
    for line in (*detail, *f"onegig: {error.message}".splitlines(), *command, *advice):
        click.echo(log_line(line), err=True)
