"""Telling what goes on, on standard error: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape

from onegig.text import log_line, plain

Say = Callable[[str], None]


class Progress(Protocol):
    """What long-running steps report to; `color` says whether its user wants colours."""

    color: bool

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """A step of the pipeline; the yielded function tells what it is at."""

    def note(self, text: str) -> None:
        """Show a line that stays, between two steps."""


class Quiet:
    """Says nothing."""

    def __init__(self, *, color: bool) -> None:
        self.color = color

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Nothing to show."""
        yield lambda _text: None

    def note(self, text: str) -> None:
        """Show nothing."""


class Plain:
    """One line for every change, with the seconds since the start: for logs and CI."""

    def __init__(self, *, color: bool, write: Callable[[str], object] = sys.stderr.write) -> None:
        self.color = color
        self._write = write
        self._started = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Lines of the step, and one at its end."""
        self._line(title)
        started = time.monotonic()
        yield lambda text: self._line(f"  {text}")
        self._line(f"  done in {time.monotonic() - started:.1f} s")

    def note(self, text: str) -> None:
        """Write a line."""
        self._line(text)

    def _line(self, text: str) -> None:
        self._write(f"[{time.monotonic() - self._started:5.1f}s] {log_line(text)}\n")
        sys.stderr.flush()


class Live:
    """A spinner with the latest word; finished steps stay as one line each."""

    def __init__(self, *, color: bool, console: Console) -> None:
        self.color = color
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """The step as a spinner that leaves a line behind."""
        started = time.monotonic()
        width = max(20, self._console.width - len(title) - 8)
        title = escape(plain(title))
        with self._console.status(f"[bold]{title}") as status:
            yield lambda text: status.update(f"[bold]{title}[/] [dim]{escape(plain(text, width))}")
        elapsed = time.monotonic() - started
        self._console.print(f"[green]✓[/] {title} [dim]{elapsed:.1f} s")

    def note(self, text: str) -> None:
        """Leave a line behind."""
        self._console.print(f"[yellow]![/] {escape(text)}")


def choose_progress(*, quiet: bool, color: bool) -> Progress:
    """The kind that suits where standard error goes."""
    if quiet:
        return Quiet(color=color)
    console = Console(stderr=True, no_color=not color)
    if console.is_terminal:
        return Live(color=color, console=console)
    return Plain(color=color)
