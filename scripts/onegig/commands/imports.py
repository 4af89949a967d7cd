"""`onegig imports`: the memory that each package costs a Python service."""

from dataclasses import replace

import click

from onegig import pipeline
from onegig.commands.options import progress_options, project_options
from onegig.model.options import Options
from onegig.progress import Progress
from onegig.report import numbers
from onegig.report.layout import Row, Table, print_parts, print_table, section
from onegig.text import plain

LEAST_BYTES = 100 * 1024
MOST_SECONDS = 30.0


@click.command()
@project_options
@progress_options
@click.argument("service")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1, max=600),
    default=MOST_SECONDS,
    help="How long the service may take to import everything.",
)
def imports(*, options: Options, progress: Progress, service: str, seconds: float) -> None:
    """Print the memory that each package costs a Python service, without its own imports.

    Builds the service's image and starts it by itself, without a network. Everything that it
    imports before it fails or waits is counted.
    """
    from onegig.memory.imports import measure_imports

    budgets, stack = pipeline.load(replace(options, services=(service,)))
    with pipeline.session(progress) as (engine, run):
        pipeline.build(stack, budgets, run, progress)
        with progress.step(f"start {plain(service)} and watch its imports"):
            costs = measure_imports(engine, stack, service, run, seconds=seconds)
    click.echo(render(service, costs), nl=False)


def render(service: str, costs: tuple[tuple[str, int], ...]) -> str:
    """Return a table in MB, with very small packages summed up in one row."""
    small = sum(cost for _, cost in costs if cost < LEAST_BYTES)
    shown = [(name, cost) for name, cost in costs if cost >= LEAST_BYTES]
    rows = [Row(name=name, cells=(numbers.tenths(cost),)) for name, cost in shown]
    if small > 0:
        rows.append(Row(name="all others", cells=(numbers.tenths(small),)))
    together = sum(cost for _, cost in costs)
    rows.append(Row(name="together", cells=(numbers.tenths(together),), is_total=True))
    table = Table(heads=("package", "RSS"), rows=tuple(rows))
    title = f"What imports cost {plain(service)} (MB)"
    return print_parts((section(title, print_table(table, 78)),), width=80)
