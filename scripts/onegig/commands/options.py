"""Options that several commands share."""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from onegig.model.budgets import Budgets
from onegig.model.keys import BOUNDS, DURATION, Key, Kind, walk
from onegig.model.options import Options
from onegig.plan.verify import BEST, parse_wanted
from onegig.progress import choose_progress

Command = Callable[..., Any]
SOME_FILE = click.Path(path_type=Path)
EXISTING_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
DEFAULT_BUDGETS = Options().budgets


TYPED = "onegig.typed"  # in click's meta: the command line
LAUNCHER, TYPED_COUNT = "ONEGIG_LAUNCHER", "ONEGIG_TYPED"  # set by scripts/check


class _Tried(click.ParamType[str]):
    """A part of a plan to try."""

    name = "best|all|OPTION|ACTION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, "" without the option; a usage error for what no plan has."""
        try:
            return parse_wanted(str(value)) if value else ""
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Value(click.ParamType[Any]):
    """A value written as in budgets.yml: 15s, 10m."""

    def __init__(self, key: Key) -> None:
        self.name = key.kind.name if isinstance(key.kind, Kind) and key.kind.name else "number"
        self._choices = key.kind.schema.get("enum") if isinstance(key.kind, Kind) else None
        self._parse = key.parse

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Return the values to choose from; None leaves it to the name."""
        return f"[{'|'.join(self._choices)}]" if self._choices else None

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; a usage error says how to write it."""
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _of_budgets(option: str, field: str, key: str, **more: Any) -> Command:
    """Return an option that overrides a key of budgets.yml."""
    declared = dict(walk(Budgets))[key]
    return click.option(option, field, type=_Value(declared), help=_help(declared), **more)


def _help(key: Key) -> str:
    """Return the help of a key: its meaning, the form of its values, and their bounds."""
    bounds = (f"{BOUNDS[bound][0]} {limit:g}" for bound, limit in key.bounds.items())
    form = ", ".join((*(("such as 15s or 2m",) if key.kind is DURATION else ()), *bounds))
    return f"{key.meaning} {form.capitalize()}." if form else key.meaning


def _decorated(command: Command, options: tuple[Command, ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


PROJECT = (
    click.option(
        "--budgets",
        type=SOME_FILE,
        default=DEFAULT_BUDGETS,
        help="The budgets file. If it does not exist, the defaults apply.",
    ),
    click.option(
        "--compose",
        type=SOME_FILE,
        multiple=True,
        help="Compose file to use instead of those in budgets.yml. May be repeated.",
    ),
    click.option(
        "--profile",
        "profiles",
        multiple=True,
        help="Compose profile to activate instead of those in budgets.yml. May be repeated.",
    ),
    click.option("--tier", help=dict(walk(Budgets))["tier"].meaning),
)
PROGRESS = (
    click.option("--quiet", is_flag=True, help="Do not show progress."),
    click.option("--no-color", is_flag=True, help="Do not use colours; the same as NO_COLOR=1."),
)


def project_options(command: Command) -> Command:
    """Give a command its `options`: the project to read, and the settings to read it with."""

    @wraps(command)
    def wrapped(**given: Any) -> Any:
        context = click.get_current_context()
        missing = context.get_parameter_source("budgets") is ParameterSource.DEFAULT
        names = [each.name for each in fields(Options) if each.name in given]
        chosen = {name: given.pop(name) for name in names}
        typed = context.meta.get(TYPED, "")
        options = Options(**chosen, budgets_may_be_missing=missing, typed=typed)
        return command(options=options, **given)

    return _decorated(wrapped, PROJECT)


def progress_options(command: Command) -> Command:
    """Give a command its `progress`, which shows the current step."""

    @wraps(command)
    def wrapped(*, quiet: bool, no_color: bool, **others: Any) -> Any:
        color = not no_color and not os.environ.get("NO_COLOR")
        return command(progress=choose_progress(quiet=quiet, color=color), **others)

    return _decorated(wrapped, PROGRESS)


def typed_command(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the command line as its user typed it.

    A launcher passes on its own name and the number of arguments that its user gave it.
    """
    launcher, count = environment.get(LAUNCHER), environment.get(TYPED_COUNT, "")
    if launcher and count.isdecimal():
        return shlex.join((launcher, *arguments[max(0, len(arguments) - int(count)) :]))
    return shlex.join(("onegig", *arguments))


# more fields of `options`, for commands that have it
window_options = partial(
    _decorated,
    options=(
        _of_budgets("--on", "machine", "machine"),
        _of_budgets("--engine", "engine", "engine"),
        click.option(
            "--throttled",
            is_flag=True,
            default=None,
            help=dict(walk(Budgets))["measure.throttled"].meaning,
        ),
        click.option(
            "--reboot",
            is_flag=True,
            default=None,
            help=dict(walk(Budgets))["measure.reboot"].meaning,
        ),
        _of_budgets("--squeeze", "squeeze", "measure.squeeze", is_flag=False, flag_value="always"),
        _of_budgets("--window", "window_seconds", "measure.window"),
        _of_budgets("--settle", "settle_seconds", "measure.settle"),
        _of_budgets("--repeats", "repeats", "measure.repeats"),
        _of_budgets("--rate", "rate", "load.rate"),
    ),
)
verify_options = click.option(
    "--verify",
    type=_Tried(),
    metavar="[best|all|OPTION|ACTION]",
    is_flag=False,
    flag_value=BEST,
    default="",
    help="Boot what the plan proposes and print what it takes beside what was predicted: best (the "
    "default), all, an option (A, engine, B, C) or an action by its id. Each takes as long as the "
    "first boot.",
)
service_options = click.option(
    "--service",
    "services",
    multiple=True,
    help="Build or inspect only this service's image (see `onegig shards`). May be repeated.",
)
scan_options = partial(
    _decorated,
    options=(
        click.option(
            "--update-database",
            is_flag=True,
            help="Update trivy's vulnerability database first, and its Java database if an image "
            "has Java archives. Without a database, vulnerabilities are not scanned.",
        ),
        click.option(
            "--weigh",
            is_flag=True,
            help="Compress layers that are not in a registry yet, to measure the size of a pull. "
            "This takes longer than everything else.",
        ),
    ),
)
