"""Breakdown of each service's memory: a table in the HTML report, and one for the terminal."""

from collections.abc import Iterator

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.service import Breakdown
from onegig.report import numbers
from onegig.report.layout import Row, Table, print_parts, print_table, section
from onegig.text import plain

HEADS = ("program", "libraries", "dependencies", "heap", "stacks", "files", "tmpfs", "kernel")
NOTHING = "The report does not say where memory goes; measure again with this version of onegig"


def breakdown_table(report: Report) -> Table:
    """Return every service whose processes could be looked at, the largest first."""
    rows = sorted(_rows(report), key=lambda row: -row[0])
    largest = rows[0][0] if rows else 1
    shown = (
        Row(
            name=name,
            cells=tuple(map(numbers.tenths, (*values, together))),
            share=together / (largest or 1),
        )
        for together, name, values in rows
    )
    return Table(heads=("service", *HEADS, "together"), rows=tuple(shown))


def _rows(report: Report) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    services = report.memory.services if isinstance(report.memory, MemoryReport) else ()
    for service in services:
        if not isinstance(service.breakdown, Missing):
            values = _values(service.breakdown)
            yield sum(values), service.name, values


def _values(breakdown: Breakdown) -> tuple[int, ...]:
    """Return the values of HEADS; together they are the service's real cost."""
    return (
        breakdown.program_bytes,
        breakdown.libraries_bytes,
        breakdown.dependencies_bytes,
        breakdown.heap_bytes,
        breakdown.stacks_bytes,
        breakdown.files_bytes,
        breakdown.shared_bytes + breakdown.unmapped_bytes,
        breakdown.kernel_bytes,
    )


def render(report: Report, *, width: int = 100) -> str:
    """Return the table as text, in MB."""
    table = breakdown_table(report)
    if not table.rows:
        return f"{NOTHING}\n"
    title = f"Where the memory of {plain(report.stack)} goes (MB)"
    return print_parts((section(title, print_table(table, width - 2)),), width=width, color=False)
