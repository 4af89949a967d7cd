"""`onegig tiers`: the catalogue of cloud machines."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click

from onegig.commands.options import progress_options
from onegig.commands.output import terminal_width
from onegig.model.tiers import GB, catalogue
from onegig.progress import Progress
from onegig.report.tiers import render_tiers


@click.command()
@progress_options
@click.option(
    "--disk",
    "disk_gb",
    type=click.IntRange(min=1),
    default=30,
    help="GB of disk to price, where it is paid apart from the machine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def tiers(*, progress: Progress, disk_gb: int, as_json: bool) -> None:
    """List the cloud machines of the catalogue, with their usable memory and price.

    Prices are for the machine, a public IPv4 address and the disk together, in US dollars a month.
    """
    rows = tuple(catalogue().values())
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    color = progress.color and sys.stdout.isatty()
    today = datetime.now(UTC).date()
    text = render_tiers(rows, disk_gb * GB, today, width=terminal_width(), color=color)
    click.echo(text, nl=False, color=color)
