"""Options that several commands share, and what becomes of them."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from onegig.pipeline import Options
from onegig.progress import choose_progress

Command = Callable[..., Any]
SOME_FILE = click.Path(path_type=Path)
EXISTING_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
DEFAULT_BUDGETS = Options().budgets

PROJECT = (
    click.option(
        "--budgets",
        type=SOME_FILE,
        default=DEFAULT_BUDGETS,
        show_default=True,
        help="The budgets file.",
    ),
    click.option(
        "--compose",
        type=SOME_FILE,
        multiple=True,
        help="A compose file instead of the one budgets.yml names; may be repeated.",
    ),
    click.option("--tier", help="A machine of the tier catalogue to show beside the limit."),
)
WINDOW = (
    click.option(
        "--window", type=click.FloatRange(min=0, min_open=True), help="Seconds to measure."
    ),
    click.option("--settle", type=click.FloatRange(min=0), help="Seconds to wait before that."),
    click.option(
        "--repeats", type=click.IntRange(1, 20), help="Windows to measure; the highest counts."
    ),
    click.option(
        "--rate",
        type=click.FloatRange(min=0, min_open=True),
        help="What {rate} in load.command stands for.",
    ),
)
PROGRESS = (
    click.option("--quiet", is_flag=True, help="No progress on standard error."),
    click.option("--no-color", is_flag=True, help="No colours, as with NO_COLOR set."),
)


def project_options(command: Command) -> Command:
    """Give a command `options`: which project it reads."""

    @wraps(command)
    def wrapped(
        *, budgets: Path, compose: tuple[Path, ...], tier: str | None, **others: Any
    ) -> Any:
        options = Options(
            budgets=budgets,
            compose=compose,
            tier=tier,
            window_seconds=others.pop("window", None),
            settle_seconds=others.pop("settle", None),
            repeats=others.pop("repeats", None),
            rate=others.pop("rate", None),
        )
        return command(options=options, **others)

    return _decorated(wrapped, PROJECT)


def window_options(command: Command) -> Command:
    """Let a command with `options` choose the windows and the load, too."""
    return _decorated(command, WINDOW)


def progress_options(command: Command) -> Command:
    """Give a command `progress`, to tell what it is at."""

    @wraps(command)
    def wrapped(*, quiet: bool, no_color: bool, **others: Any) -> Any:
        color = not no_color and not os.environ.get("NO_COLOR")
        return command(progress=choose_progress(quiet=quiet, color=color), **others)

    return _decorated(wrapped, PROGRESS)


def _decorated(command: Command, options: tuple[Command, ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
