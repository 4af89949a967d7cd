"""Progress on standard error: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.markup import escape

from onegig.text import log_line, plain

Say = Callable[[str], None]


class Progress(Protocol):
    """The receiver of steps' progress; `color` says whether its user wants colours."""

    color: bool

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Show a step of the pipeline; the yielded function says what it is at."""

    def note(self, text: str) -> None:
        """Show a line that stays, between two steps."""


@dataclass(kw_only=True)
class Quiet:
    """Says nothing."""

    color: bool

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Show nothing."""
        yield lambda _text: None

    def note(self, text: str) -> None:
        """Show nothing."""


@dataclass(kw_only=True)
class Plain:
    """One line for every change, with the seconds since the start: for logs and CI."""

    color: bool
    write: Callable[[str], object] = sys.stderr.write
    _started: float = field(default_factory=time.monotonic, init=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Write lines of the step, and one at its end."""
        self.note(title)
        started = time.monotonic()
        yield lambda text: self.note(f"  {text}")
        self.note(f"  done in {time.monotonic() - started:.1f} s")

    def note(self, text: str) -> None:
        """Write a line."""
        self.write(f"[{time.monotonic() - self._started:5.1f}s] {log_line(text)}\n")
        sys.stderr.flush()


@dataclass(kw_only=True)
class Live:
    """A spinner with the latest word; finished steps stay as one line each."""

    color: bool
    console: Console

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Show a spinner that leaves a line behind."""
        started = time.monotonic()
        width = max(20, self.console.width - len(title) - 8)
        title = escape(plain(title))
        with self.console.status(f"[bold]{title}") as status:
            yield lambda text: status.update(f"[bold]{title}[/] [dim]{escape(plain(text, width))}")
        elapsed = time.monotonic() - started
        self.console.print(f"[green]✓[/] {title} [dim]{elapsed:.1f} s")

    def note(self, text: str) -> None:
        """Leave a line behind."""
        self.console.print(f"[yellow]![/] {escape(plain(text))}")


def choose_progress(*, quiet: bool, color: bool) -> Progress:
    """Return the kind that suits where standard error goes."""
    if quiet:
        return Quiet(color=color)
    console = Console(stderr=True, no_color=not color)
    if console.is_terminal:
        return Live(color=color, console=console)
    return Plain(color=color)
