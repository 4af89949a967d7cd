"""`onegig plan`: what to do so that the stack fits, and what it saves."""

import sys
from pathlib import Path

import click

from onegig import pipeline
from onegig.commands.options import (
    EXISTING_FILE,
    SOME_FILE,
    progress_options,
    project_options,
    scan_options,
    verify_options,
    window_options,
)
from onegig.commands.output import terminal_width
from onegig.errors import ExitCode, MeasureError, OnegigError
from onegig.files import write_file
from onegig.model.codec import from_json, to_json
from onegig.model.options import Options
from onegig.model.plan import Plan
from onegig.model.report import Report
from onegig.model.stack import Stack
from onegig.plan.edit import merged_override, override_text
from onegig.plan.limits import ID as LIMITS_ID
from onegig.planning import NO_STACK, check_same_stack
from onegig.progress import Progress
from onegig.report.plan import render_plan
from onegig.trials import verify_report


@click.command()
@project_options
@window_options
@scan_options
@verify_options
@progress_options
@click.argument("report", type=EXISTING_FILE, required=False)
@click.option(
    "--limits-file",
    type=SOME_FILE,
    help="Write the recommended memory limits here, as a compose file to be read last.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(
    *,
    options: Options,
    progress: Progress,
    report: Path | None,
    limits_file: Path | None,
    as_json: bool,
) -> None:
    """List what to change so that the stack fits: megabytes saved, price and exact change.

    REPORT is a report.json of `onegig check`, which is judged again by the budgets file; without
    one the stack is checked first. Options are the smallest sets of actions that fit: A (squeeze),
    engine, B (consolidate) and C (a larger machine). Exits with 1 where none fits.
    """
    measured = (
        _judge_again(report, options, progress) if report else pipeline.check(options, progress)
    )
    if options.verify:
        measured = verify_report(measured, options, progress, is_built=report is None)
    made = measured.plan
    if not isinstance(made, Plan):
        raise MeasureError(f"there is no plan: {made.reason}")
    if limits_file:
        _write_limits(made, limits_file)
    color = progress.color and sys.stdout.isatty()
    text = render_plan(made, width=terminal_width(), color=color)
    click.echo(to_json(made) if as_json else text, nl=False, color=color)
    fits = made.best or made.left_bytes >= 0
    click.get_current_context().exit(ExitCode.OK if fits else ExitCode.NO_GO)


def _write_limits(plan: Plan, path: Path) -> None:
    """Write the action that limits every service; an empty project where today's are right."""
    actions = [action for action in plan.actions if action.id == LIMITS_ID]
    heading = actions[0].title if actions else "Today's limits are right"
    override = merged_override(actions) or {"services": {}}
    write_file(path, f"# {heading}.\n{override_text(override)}")


def _judge_again(path: Path, options: Options, progress: Progress) -> Report:
    """Return a report judged by the budgets as they are now; without its stack, no files change."""
    report = from_json(Report, path.read_bytes(), str(path))
    stack: Stack | None = None
    try:
        budgets, stack = pipeline.load(options)
        check_same_stack(report, stack)
    except OnegigError as error:
        stack = None
        progress.note(f"the plan's changes are not fitted to your files: {error.message}")
        budgets = pipeline.load_limits(options)
    return pipeline.judge_reports(
        options, budgets, report.images, report.memory, stack=stack or NO_STACK
    )
