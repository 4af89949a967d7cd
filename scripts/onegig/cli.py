"""The command line: parse, build options, call one function, print."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from onegig import __version__, pipeline
from onegig.errors import ConfigError, ExitCode, InspectError, MeasureError, OnegigError
from onegig.model.codec import D, from_json, to_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Skipped
from onegig.model.memory import MemoryReport
from onegig.model.verdict import Report, State
from onegig.pipeline import Options
from onegig.progress import choose_progress
from onegig.report import RENDERERS
from onegig.report.images import render_images
from onegig.report.terminal import render as render_terminal

EXIT_CODES = """\b
Exit codes:
  0    GO or WARN
  1    NO-GO
  2    bad configuration or usage
  3    build or boot failed, or no usable engine
  4    INCOMPLETE: something could not be measured
  70   a bug in onegig
  130  interrupted
"""
FILES = {"json": "report.json", "markdown": "comment.md", "html": "report.html"}
_EXITS = {
    State.GO: ExitCode.OK,
    State.WARN: ExitCode.OK,
    State.NO_GO: ExitCode.NO_GO,
    State.INCOMPLETE: ExitCode.INCOMPLETE,
}
Command = Callable[..., Any]
EXISTING_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


class Root(click.Group):
    """Turns errors into messages and exit codes, once for all commands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print what happened, the command that failed and what to do next."""
        try:
            return super().invoke(ctx)
        except OnegigError as error:
            _print_error(error)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; everything was cleaned up", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("ONEGIG_TRACEBACK"):
                raise
            click.echo(
                f"onegig has a bug: {type(error).__name__}: {error}\n"
                "ONEGIG_TRACEBACK=1 shows where; please report it with the command you ran.",
                err=True,
            )
            ctx.exit(ExitCode.BUG)


def project_options(command: Command) -> Command:
    """Options of every command that reads the project."""
    for decorate in (
        click.option(
            "--budgets",
            type=click.Path(path_type=Path),
            default=Path("budgets.yml"),
            show_default=True,
            help="The budgets file.",
        ),
        click.option(
            "--compose",
            type=click.Path(path_type=Path),
            multiple=True,
            help="A compose file instead of the one budgets.yml names; may be repeated.",
        ),
        click.option("--tier", help="A machine of the tier catalogue to show beside the limit."),
    ):
        command = decorate(command)
    return command


def output_options(command: Command) -> Command:
    """Options of every command that prints."""
    for decorate in (
        click.option("--quiet", is_flag=True, help="No progress on standard error."),
        click.option("--no-color", is_flag=True, envvar="NO_COLOR", help="No colours."),
    ):
        command = decorate(command)
    return command


def window_options(command: Command) -> Command:
    """Options of every command that measures."""
    for decorate in (
        click.option("--window", type=float, help="Seconds to measure."),
        click.option("--settle", type=float, help="Seconds to wait before measuring."),
    ):
        command = decorate(command)
    return command


@click.group(cls=Root, epilog=EXIT_CODES, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="onegig")
def main() -> None:
    """Will this compose stack fit a one-gigabyte cloud machine? onegig measures it."""


@main.command(epilog=EXIT_CODES)
@project_options
@window_options
@output_options
@click.option(
    "--report",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder for report.json, comment.md and report.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(
    budgets: Path,
    compose: tuple[Path, ...],
    tier: str | None,
    window: float | None,
    settle: float | None,
    directory: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Build, inspect, boot, measure and judge the whole stack."""
    options = Options(
        budgets=budgets, compose=compose, tier=tier, window_seconds=window, settle_seconds=settle
    )
    report = pipeline.check(options, choose_progress(quiet=quiet, color=not no_color))
    write_report(report, directory)
    _finish(report, directory, as_json=as_json, color=not no_color)


@main.command()
@project_options
@output_options
def build(
    budgets: Path, compose: tuple[Path, ...], tier: str | None, quiet: bool, no_color: bool
) -> None:
    """Build the image of every service that has a build section."""
    progress = choose_progress(quiet=quiet, color=not no_color)
    settings, stack = pipeline.load(Options(budgets=budgets, compose=compose, tier=tier))
    with pipeline.session(progress) as (_, current):
        pipeline.build(stack, settings, current, progress)


@main.command()
@project_options
@output_options
@click.option("--image", help="A single image instead of the stack's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write the JSON here.")
def inspect(
    budgets: Path,
    compose: tuple[Path, ...],
    tier: str | None,
    image: str | None,
    as_json: bool,
    output: Path | None,
    quiet: bool,
    no_color: bool,
) -> None:
    """Account for the bytes of the stack's images, or of any single one."""
    progress = choose_progress(quiet=quiet, color=not no_color)
    users: dict[str, tuple[str, ...]] = {image: ()} if image else {}
    name = ""
    if not image:
        _, stack = pipeline.load(Options(budgets=budgets, compose=compose, tier=tier))
        users, name = stack.users_by_image, stack.name
    with pipeline.session(progress) as (client, _):
        report = pipeline.inspect(client, users, name, progress)
    if not isinstance(report, ImagesReport):
        raise InspectError(report.reason)
    if output:
        _write(output, to_json(report))
    click.echo(to_json(report) if as_json else render_images(report), nl=False)


@main.command()
@project_options
@window_options
@output_options
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the JSON here, not to stdout."
)
def measure(
    budgets: Path,
    compose: tuple[Path, ...],
    tier: str | None,
    window: float | None,
    settle: float | None,
    output: Path | None,
    quiet: bool,
    no_color: bool,
) -> None:
    """Boot the stack in the box and measure its memory; prints JSON."""
    options = Options(
        budgets=budgets, compose=compose, tier=tier, window_seconds=window, settle_seconds=settle
    )
    progress = choose_progress(quiet=quiet, color=not no_color)
    settings, stack = pipeline.load(options)
    with pipeline.session(progress) as (client, current):
        report = pipeline.measure_stack(client, stack, settings, current, progress)
    if not isinstance(report, MemoryReport):
        raise MeasureError(report.reason)
    _print_or_write(to_json(report), output)


@main.command(epilog=EXIT_CODES)
@project_options
@click.option("--images", type=EXISTING_FILE, help="JSON of `onegig inspect`.")
@click.option("--memory", type=EXISTING_FILE, help="JSON of `onegig measure`.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the JSON here, not to stdout."
)
def judge(
    budgets: Path,
    compose: tuple[Path, ...],
    tier: str | None,
    images: Path | None,
    memory: Path | None,
    output: Path | None,
) -> None:
    """Judge what was inspected and measured against budgets.yml; prints the report as JSON."""
    options = Options(budgets=budgets, compose=compose, tier=tier)
    report = pipeline.judge_reports(
        options,
        pipeline.load_limits(options),
        _read(ImagesReport, images, "--images"),
        _read(MemoryReport, memory, "--memory"),
    )
    _print_or_write(to_json(report), output)
    click.get_current_context().exit(_EXITS[report.verdict.state])


@main.command()
@click.argument("report", type=EXISTING_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(RENDERERS)),
    default="terminal",
    show_default=True,
    help="What to render.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write here, not to stdout.")
def render(report: Path, form: str, output: Path | None) -> None:
    """Render a report.json again, without measuring anything."""
    document = from_json(Report, report.read_bytes(), str(report))
    _print_or_write(RENDERERS[form](document), output)


def write_report(report: Report, directory: Path) -> None:
    """report.json, comment.md and report.html in one folder."""
    for form, name in FILES.items():
        _write(directory / name, RENDERERS[form](report))


def _finish(report: Report, directory: Path, *, as_json: bool, color: bool) -> None:
    if as_json:
        click.echo(to_json(report), nl=False)
    else:
        width = max(60, min(120, shutil.get_terminal_size().columns))
        show_color = color and sys.stdout.isatty()
        click.echo(render_terminal(report, width=width, color=show_color), color=show_color)
        click.echo(
            f"Report: {directory}/report.html  {directory}/report.json  {directory}/comment.md",
            err=True,
        )
    click.get_current_context().exit(_EXITS[report.verdict.state])


def _read(kind: type[D], path: Path | None, option: str) -> D | Skipped:
    if path is None:
        return Skipped(reason=f"no {option} was given")
    return from_json(kind, path.read_bytes(), str(path))


def _print_or_write(text: str, output: Path | None) -> None:
    if output:
        _write(output, text)
    else:
        click.echo(text, nl=False)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", advice="choose another place"
        ) from error


def _print_error(error: OnegigError) -> None:
    if error.detail:
        click.echo(error.detail, err=True)
    click.echo(f"onegig: {error.message}", err=True)
    if error.command:
        click.echo(f"  command: {error.command}", err=True)
    if error.advice:
        click.echo(f"  next: {error.advice}", err=True)


if __name__ == "__main__":
    main()
