"""The command line: parse, build options, call one function, print."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from onegig import __version__, pipeline
from onegig.commands.comment import comment
from onegig.commands.dockerfile import dockerfile
from onegig.commands.doctor import doctor
from onegig.commands.gate import check_as_job
from onegig.commands.init import init
from onegig.commands.install_trivy import install_trivy
from onegig.commands.options import (
    EXISTING_FILE,
    SOME_FILE,
    TYPED,
    progress_options,
    project_options,
    scan_options,
    service_options,
    typed_command,
    window_options,
)
from onegig.commands.output import (
    print_error,
    print_or_write,
    read_document,
    show_report,
    terminal_width,
    write_data,
    write_documents,
)
from onegig.commands.publish import publish_command
from onegig.commands.schema import schema
from onegig.commands.shards import shards
from onegig.errors import ConfigError, ExitCode, InspectError, MeasureError, OnegigError
from onegig.files import refuse_outside, write_file
from onegig.model.codec import from_json, to_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.pipeline import Options
from onegig.progress import Progress
from onegig.report import BADGES, RENDERERS
from onegig.report.inspection import render_images

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


class Root(click.Group):
    """Turns errors into messages and exit codes, once for all commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the command line, which reports print as the way to reproduce them."""
        ctx.meta[TYPED] = typed_command(args, os.environ)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print what happened, the command that failed and what to do next."""
        try:
            return super().invoke(ctx)
        except OnegigError as error:
            print_error(error)
            ctx.exit(error.exit_code)
        except ModuleNotFoundError as error:
            what = f"`onegig {ctx.invoked_subcommand}` needs {error.name}"
            advice = "install onegig again with all its dependencies"
            print_error(ConfigError(f"{what}, which is not installed here", advice=advice))
            ctx.exit(ExitCode.CONFIG)
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


@click.group(cls=Root, epilog=EXIT_CODES, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="onegig")
def main() -> None:
    """Will this compose stack fit a one-gigabyte cloud machine? onegig measures it."""


@main.command(epilog=EXIT_CODES)
@project_options
@window_options
@scan_options
@progress_options
@click.option(
    "--report",
    "directory",
    type=SOME_FILE,
    default=Path("report"),
    show_default=True,
    help="Folder for report.json, comment.md and report.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--github",
    is_flag=True,
    help="As a job of GitHub Actions: compare with the base, write its summary and annotations.",
)
@click.option(
    "--numbers",
    type=SOME_FILE,
    default=Path("numbers"),
    show_default=True,
    help="With --github: folder for what `onegig comment` reads.",
)
@click.option(
    "--inspected",
    type=EXISTING_FILE,
    multiple=True,
    help="JSON of an `onegig inspect` elsewhere: the same images are not inspected again; may be "
    "repeated.",
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
    report = pipeline.check(options, progress)
    write_data(report, directory)
    if as_json:
        click.echo(to_json(report), nl=False)
    else:
        show_report(report, color=progress.color)
    write_documents(report, directory, progress)
    click.get_current_context().exit(report.verdict.state.exit_code)


@main.command()
@project_options
@service_options
@progress_options
def build(*, options: Options, progress: Progress) -> None:
    """Build the image of every service that has a build section; pull others that are missing.

    In a job of GitHub Actions that passes ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL on, layers
    are read from and kept in GitHub's build cache, if buildx's builder can: one of the driver
    docker-container, or the engine's own with containerd's image store. No build fails for it.
    """
    budgets, stack = pipeline.load(options)
    with pipeline.session(progress) as (_, current):
        pipeline.build(stack, budgets, current, progress)


@main.command()
@project_options
@service_options
@scan_options
@progress_options
@click.option("--image", help="A single image instead of the stack's.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, exists=True),
    help="Images without an engine: what `docker save` wrote, or an OCI layout (file or folder).",
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
        raise click.UsageError("--image, --archive and --service exclude each other")
    if archive:
        report = pipeline.inspect_archive(archive, options, progress)
    else:
        report = _inspect_on_engine(options, progress, image)
    if not isinstance(report, ImagesReport):
        raise InspectError(report.reason)
    if output:
        write_file(output, to_json(report))
    text = to_json(report) if as_json else render_images(report, terminal_width())
    click.echo(text, nl=False)


def _inspect_on_engine(
    options: Options, progress: Progress, image: str | None
) -> ImagesReport | Missing:
    stack = None if image else pipeline.load(options)[1]
    with pipeline.session(progress) as (engine, _):
        if stack:
            return pipeline.inspect_stack(engine, stack, options, progress)
        users: dict[str, tuple[str, ...]] = {str(image): ()}
        return pipeline.inspect(engine, users, options, progress)


@main.command()
@project_options
@window_options
@progress_options
@click.option("--output", type=SOME_FILE, help="Write the JSON here, not to stdout.")
def measure(*, options: Options, progress: Progress, output: Path | None) -> None:
    """Boot the stack in the box and measure its memory; JSON."""
    budgets, stack = pipeline.load(options)
    pipeline.warn_of_host_access(stack, progress)
    with pipeline.session(progress) as (engine, current):
        report = pipeline.measure_stack(engine, stack, budgets, current, progress)
    if not isinstance(report, MemoryReport):
        raise MeasureError(report.reason)
    print_or_write(to_json(report), output)


@main.command(epilog=EXIT_CODES)
@project_options
@click.option("--images", type=EXISTING_FILE, help="JSON of `onegig inspect`.")
@click.option("--memory", type=EXISTING_FILE, help="JSON of `onegig measure`.")
@click.option("--output", type=SOME_FILE, help="Write the JSON here, not to stdout.")
def judge(
    *, options: Options, images: Path | None, memory: Path | None, output: Path | None
) -> None:
    """Judge inspected and measured numbers against budgets.yml; JSON."""
    report = pipeline.judge_reports(
        options,
        pipeline.load_limits(options),
        read_document(ImagesReport, images, "--images"),
        read_document(MemoryReport, memory, "--memory"),
    )
    print_or_write(to_json(report), output)
    click.get_current_context().exit(report.verdict.state.exit_code)


@main.command()
@click.argument("report", type=EXISTING_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice((*RENDERERS, *BADGES)),
    default="terminal",
    show_default=True,
    help="What to render.",
)
@click.option("--output", type=SOME_FILE, help="Write here, not to stdout.")
def render(*, report: Path, form: str, output: Path | None) -> None:
    """Render a report.json again, without measuring anything."""
    document = from_json(Report, report.read_bytes(), str(report))
    print_or_write({**RENDERERS, **BADGES}[form](document), output)


main.add_command(init)
main.add_command(install_trivy)
main.add_command(comment)
main.add_command(schema)
main.add_command(shards)
main.add_command(publish_command)
main.add_command(doctor)
main.add_command(dockerfile)

if __name__ == "__main__":
    main()
