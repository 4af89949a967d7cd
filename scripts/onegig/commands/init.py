"""`onegig init`: budgets.yml from measured values, and the workflows of a gate on GitHub."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from onegig import pipeline
from onegig.commands import init_files as examples
from onegig.commands.init_files import (
    MARGIN,
    Source,
    default_branch_of,
    find_source,
    origin_of,
    ran_well,
    write_budgets,
)
from onegig.commands.options import EXISTING_FILE, progress_options, project_options, window_options
from onegig.errors import ConfigError
from onegig.files import write_new_file
from onegig.git import ask_git
from onegig.model.codec import from_json
from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.model.sizes import format_mb
from onegig.pipeline import Options
from onegig.progress import Progress
from onegig.text import plain

NOBODY = "OWNER/NAME"
EPILOG = """\b
Exit codes:
  0  something was written
  2  nothing was: all of it is there already
  others as those of `onegig check`
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """The files to write, chosen before anything is measured."""

    budgets: bool
    workflows: tuple[Path, ...]
    present: tuple[Path, ...]  # which are left alone


@click.command(epilog=EPILOG)
@project_options
@window_options
@progress_options
@click.option(
    "--report",
    "source",
    type=EXISTING_FILE,
    help="report.json of an earlier `onegig check`, whose values to take: nothing is measured.",
)
@click.option(
    "--workflows/--no-workflows",
    default=None,
    help="Also write gate.yml and comment.yml for GitHub Actions, or don't. Default: where this is "
    "the top folder of a checkout whose `origin` is on GitHub.",
)
def init(
    *, options: Options, progress: Progress, source: Path | None, workflows: bool | None
) -> None:
    """Write budgets.yml from measured values, and the two workflows of a gate on GitHub.

    Measures the stack as `onegig check` does. Each limit is the measured value and a quarter of it
    more. No file is written over.
    """
    repository = origin_of(Path())
    plan = _plan(options.budgets, wanted=_is_hosted(repository) if workflows is None else workflows)
    if plan.budgets:
        report = _read(source) if source else pipeline.check(options, progress)
        _write_budgets(options, report)
    if plan.workflows:
        _write_workflows(plan.workflows, find_source(), options.budgets)
    for path in plan.present:
        click.echo(f"left alone, as it is there already: {plain(str(path))}")
    if plan.workflows:
        _print_badge(repository)
    also = ", then `onegig doctor`" if plan.workflows else ""
    click.echo(f"Next: read {plain(str(options.budgets))} and run `onegig check`{also}")


def _plan(budgets: Path, *, wanted: bool) -> _Plan:
    paths = [Path(examples.FOLDER, name) for name in examples.NAMES] if wanted else []
    present = tuple(path for path in (budgets, *paths) if os.path.lexists(path))
    plan = _Plan(
        budgets=budgets not in present,
        workflows=tuple(path for path in paths if path not in present),
        present=present,
    )
    if not plan.budgets and not plan.workflows:
        verb = "is" if len(present) == 1 else "are"
        raise ConfigError(
            f"nothing was written: {', '.join(map(str, present))} {verb} there already",
            advice="delete or rename a file to have it written anew",
        )
    return plan


def _is_hosted(repository: str) -> bool:
    """Return whether this is the top folder of a checkout that comes from GitHub."""
    return bool(repository) and ask_git(Path(), "rev-parse", "--show-prefix").strip() == ""


def _read(path: Path) -> Report:
    report = from_json(Report, path.read_bytes(), str(path))
    if isinstance(report.memory, Missing) and isinstance(report.images, Missing):
        raise ConfigError(
            f"nothing was measured in {path}: {report.memory.reason}",
            advice="give the report of a check that measured something",
        )
    return report


def _write_budgets(options: Options, report: Report) -> None:
    path, files = options.budgets, options.compose
    compose = os.path.relpath(files[0], path.parent) if len(files) == 1 else ""
    today = datetime.now(UTC).date()
    text = write_budgets(report, compose=compose, tier=options.tier or "", today=today)
    write_new_file(path, text)
    click.echo(plain(report.verdict.sentence))
    click.echo(f"written: {plain(str(path))}, with measured values + {MARGIN} as limits")
    if len(files) > 1:
        _note(f"`compose:` takes one file: give all {len(files)} to each check with --compose")
    if isinstance(report.memory, Missing):
        _note(f"memory was not measured, so its limits are the defaults: {report.memory.reason}")
    elif not ran_well(report.memory):
        _note("not every service ran as it should, so memory has the default limit only")
    elif (
        isinstance(total := report.verdict.total_bytes, int) and total > report.verdict.limit_bytes
    ):
        limit = format_mb(report.verdict.limit_bytes, down=True)
        _note(f"the stack takes more than {limit}, so memory.limit is of a larger machine")


def _write_workflows(paths: tuple[Path, ...], source: Source, budgets: Path) -> None:
    for path in paths:
        write_new_file(path, examples.workflow(path.name, source, default_branch_of(Path())))
        click.echo(f"written: {path}")
    if not examples.is_complete(source):
        owner = "" if source.repository else "OWNER (the account that has onegig) and "
        _note(
            f"replace {owner}the zeros (a commit of it) in them; `onegig doctor` names each place"
        )
    if budgets != Options().budgets:
        _note(f"give onegig's steps in them `with: budgets: {budgets.as_posix()}`")


def _print_badge(repository: str) -> None:
    click.echo("The badge, for README.md, once `onegig publish --seed` has made its branch:\n")
    click.echo(f"  {plain(examples.badge(repository or NOBODY))}\n")
    if not repository:
        _note(f"this checkout has no `origin` on GitHub: replace {NOBODY} by your repository")


def _note(text: str) -> None:
    click.echo(f"note: {plain(text)}", err=True)
