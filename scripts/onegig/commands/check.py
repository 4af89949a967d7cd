"""`onegig check` and its steps, each of which also runs alone, from and to files."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from onegig import pipeline
from onegig.commands.options import (
    EXISTING_FILE,
    SOME_FILE,
    progress_options,
    project_options,
    scan_options,
    service_options,
    verify_options,
    window_options,
)
from onegig.commands.output import (
    append,
    client_of,
    print_error,
    print_or_write,
    read_document,
    terminal_width,
)
from onegig.errors import GithubError, InspectError, MeasureError
from onegig.files import refuse_outside, remove_file, write_file
from onegig.github.job import Job, read_job
from onegig.judge.build import running_bytes
from onegig.model.codec import from_json, to_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.options import Options
from onegig.model.report import Report
from onegig.model.verdict import Baseline
from onegig.progress import Progress
from onegig.report import BADGES, RENDERERS, TABLES, annotations, html, terminal
from onegig.report.build import render_build
from onegig.report.comment import render as render_comment
from onegig.report.inspection import render_images
from onegig.trials import try_plan

COMMENT, PAGE = "comment.md", "report.html"


@click.command()
@project_options
@window_options
@scan_options
@verify_options
@progress_options
@click.option(
    "--report",
    "directory",
    type=SOME_FILE,
    default=Path("report"),
    help="Folder for report.json, comment.md and report.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--github",
    is_flag=True,
    help="Run as a GitHub Actions job: compare with the base, write summary and annotations.",
)
@click.option(
    "--numbers",
    type=SOME_FILE,
    default=Path("numbers"),
    help="With --github: folder for the numbers that `onegig comment` reads.",
)
@click.option(
    "--inspected",
    type=EXISTING_FILE,
    multiple=True,
    help="JSON written by `onegig inspect` on another machine; its images are not inspected again. "
    "May be repeated.",
)
def check(
    *,
    options: Options,
    progress: Progress,
    directory: Path,
    as_json: bool,
    github: bool,
    numbers: Path,
) -> None:
    """Build, inspect, boot, measure and judge the whole stack."""
    refuse_outside(directory)  # before the minutes that measuring takes
    if github:
        local = replace(options, typed="")  # what a reader of the comment would type
        code = check_as_job(local, progress, directory, numbers)
        click.get_current_context().exit(code)
    report = try_plan(pipeline.check(options, progress), options, progress)
    _write_data(report, directory)
    if as_json:
        click.echo(to_json(report), nl=False)
    else:
        _show(report, progress)
    _write_documents(report, directory, progress)
    click.get_current_context().exit(report.verdict.state.exit_code)


def check_as_job(options: Options, progress: Progress, directory: Path, numbers: Path) -> int:
    """Check as a job of GitHub Actions; return the exit code of the check, or of its error."""
    from onegig.github.gate import announce, run_gate, write_numbers

    job = read_job(os.environ)
    with _quoted():
        announce(job, options, numbers)
        gate = run_gate(options, progress, job, lambda *base: _baseline(job, *base))
        _write_data(gate.report, directory)
        write_numbers(gate, numbers)
        if gate.error:
            print_error(gate.error)
        _show(gate.report, progress)
    remarks = annotations.annotations(gate.report, gate.places)
    click.echo(annotations.render(remarks), nl=False)
    append(job.summary, render_comment(gate.report))
    append(job.output, f"verdict={gate.report.verdict.state}\n")
    _write_documents(gate.report, directory, progress)
    return int(gate.error.exit_code if gate.error else gate.report.verdict.state.exit_code)


def _baseline(job: Job, commit: str, branch: str) -> tuple[Baseline, int] | Missing:
    """Return the numbers to compare with. A failing request to GitHub gives Unknown, no error."""
    from onegig.github.history import find_baseline

    if not job.token:
        return Skipped(reason="GITHUB_TOKEN is not set, so earlier numbers can't be read")
    try:
        with client_of(job) as client:
            return find_baseline(client, commit, branch)
    except GithubError as error:
        return Unknown(reason=error.message)


@contextmanager
def _quoted() -> Iterator[None]:
    """Keep GitHub from running commands that a log contains."""
    token = secrets.token_hex(16)
    click.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        click.echo(f"\n::{token}::")


def _write_data(report: Report, directory: Path) -> None:
    """Write report.json, and remove the other documents of an earlier run."""
    write_file(directory / "report.json", to_json(report))
    for name in (COMMENT, PAGE):
        remove_file(directory / name)


def _write_documents(report: Report, directory: Path, progress: Progress) -> None:
    write_file(directory / COMMENT, render_comment(report))
    with progress.step(f"draw {directory / PAGE}"):
        write_file(directory / PAGE, html.render(report))


def _show(report: Report, progress: Progress) -> None:
    color = progress.color and sys.stdout.isatty()
    text = terminal.render(report, width=terminal_width(), color=color)
    click.echo(text, color=color)


@click.command()
@project_options
@service_options
@progress_options
@click.option(
    "--measure",
    "measured",
    is_flag=True,
    help="Build everything from scratch in the box and measure it, to see whether the build fits "
    "on the machine. Exits with 1 if it does not.",
)
@click.option(
    "--beside",
    "running",
    type=EXISTING_FILE,
    help="With --measure: JSON of `onegig measure`, to build while that stack is running.",
)
@click.option("--json", "as_json", is_flag=True, help="With --measure: print JSON.")
@click.option("--output", type=SOME_FILE, help="With --measure: also write the JSON here.")
def build(
    *,
    options: Options,
    progress: Progress,
    measured: bool,
    running: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Build the image of every service that has a build section; pull missing images.

    In a GitHub Actions job that passes on ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL, layers are
    read from and written to GitHub's build cache, if the buildx builder supports it (the driver
    docker-container, or the engine's own with containerd's image store). A failing cache never
    fails the build.
    """
    if not measured and (as_json or output or running):
        raise click.UsageError("--beside, --json and --output need --measure")
    taken = running_bytes(read_document(MemoryReport, running, "--beside"))
    budgets, stack = pipeline.load(options)
    with pipeline.session(progress) as (engine, run):
        if not measured:
            pipeline.build(stack, budgets, run, progress)
            return
        report = pipeline.measure_build(engine, stack, budgets, run, progress, taken)
    if output:
        write_file(output, to_json(report))
    color = progress.color and sys.stdout.isatty()
    text = render_build(report, width=terminal_width(), color=color)
    click.echo(to_json(report) if as_json else text, nl=False, color=color)
    click.get_current_context().exit(report.state.exit_code)


@click.command()
@project_options
@service_options
@scan_options
@progress_options
@click.option("--image", help="Inspect this image instead of the stack's.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, exists=True),
    help="Inspect the images of a `docker save` file or an OCI layout (file or folder); needs no "
    "engine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--output", type=SOME_FILE, help="Also write the JSON here.")
def inspect(
    *,
    options: Options,
    progress: Progress,
    image: str | None,
    archive: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Account for the bytes of the stack's images."""
    if sum(map(bool, (image, archive, options.services))) > 1:
        raise click.UsageError("use only one of --image, --archive and --service")
    report: ImagesReport | Missing
    if archive:
        from onegig.archives import inspect_archive

        scanner = pipeline.find_scanner(options, progress)
        report = inspect_archive(archive, scanner, progress, weigh=options.weigh)
    else:
        stack = None if image else pipeline.load(options)[1]
        with pipeline.session(progress) as (engine, _):
            if stack:
                report = pipeline.inspect_stack(engine, stack, options, progress)
            else:
                report = pipeline.inspect(engine, {str(image): ()}, options, progress)
    if not isinstance(report, ImagesReport):
        raise InspectError(report.reason)
    if output:
        write_file(output, to_json(report))
    text = to_json(report) if as_json else render_images(report, terminal_width())
    click.echo(text, nl=False)


@click.command()
@project_options
@window_options
@progress_options
@click.option("--output", type=SOME_FILE, help="Write the JSON here instead of to stdout.")
def measure(*, options: Options, progress: Progress, output: Path | None) -> None:
    """Boot the stack, measure its memory and print it as JSON."""
    budgets, stack = pipeline.load(options)
    pipeline.warn_of_host_access(stack, progress)
    with pipeline.session(progress) as (engine, run):
        report = pipeline.measure_stack(engine, stack, budgets, run, progress)
    if not isinstance(report, MemoryReport):
        raise MeasureError(report.reason)
    print_or_write(to_json(report), output)


@click.command()
@project_options
@click.option("--images", type=EXISTING_FILE, help="JSON of `onegig inspect`.")
@click.option("--memory", type=EXISTING_FILE, help="JSON of `onegig measure`.")
@click.option("--output", type=SOME_FILE, help="Write the JSON here instead of to stdout.")
def judge(
    *, options: Options, images: Path | None, memory: Path | None, output: Path | None
) -> None:
    """Judge the JSON of `inspect` and `measure` against budgets.yml, and print a JSON report."""
    report = pipeline.judge_reports(
        options,
        pipeline.load_limits(options),
        read_document(ImagesReport, images, "--images"),
        read_document(MemoryReport, memory, "--memory"),
    )
    print_or_write(to_json(report), output)
    click.get_current_context().exit(report.verdict.state.exit_code)


@click.command()
@click.argument("report", type=EXISTING_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice((*RENDERERS, *TABLES, *BADGES)),
    default="terminal",
    help="Form of the output.",
)
@click.option("--output", type=SOME_FILE, help="Write here instead of to stdout.")
def render(*, report: Path, form: str, output: Path | None) -> None:
    """Render an existing report.json without measuring anything."""
    document = from_json(Report, report.read_bytes(), str(report))
    print_or_write({**RENDERERS, **TABLES, **BADGES}[form](document), output)
