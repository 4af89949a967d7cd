"""Several boots of one stack compared: a line, a table, and a figure with every sample."""

from dataclasses import dataclass

from onegig.judge.checks import format_values
from onegig.model.measured import Missing
from onegig.model.memory import BootTotals, MemoryReport, WindowTotals
from onegig.model.report import Report
from onegig.model.sizes import Convention
from onegig.report import numbers
from onegig.report.figures import COLORED, Plane, draw, round_ticks, thin_out
from onegig.report.layout import Row, Table
from onegig.text import format_list, plain

ROUND = 10  # MB: the figure begins at a multiple of it
NAMED = 3  # services that failed, in a cell


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One boot in the figure: totals one after the other, in MB above the lowest."""

    color: str
    values: tuple[float, ...]


def boots_of(report: Report) -> tuple[BootTotals, ...]:
    """Return the boots if there are several, by the verdict's metric."""
    memory = report.memory
    if not isinstance(memory, MemoryReport) or memory.window.metric != report.verdict.metric:
        return ()
    return memory.boots if len(memory.boots) > 1 else ()


def boots_line(report: Report) -> str:
    """Return the peaks of all boots, or "" if there is only one."""
    boots, system = boots_of(report), _system_bytes(report)
    if not boots:
        return ""
    peaks, highs = (
        format_values([size + system for size in sizes])
        for sizes in ([b.peak_bytes for b in boots], [b.high_bytes for b in boots])
    )
    return f"{len(boots)} boots peaked at {peaks}, in operation at {highs}"


def boots_table(report: Report) -> Table | None:
    """Return each boot with its start, its range in operation and the services that failed."""
    boots, system = boots_of(report), _system_bytes(report)
    if not boots:
        return None
    rows = []
    for number, boot in enumerate(boots, start=1):
        lows = (window.low_bytes for window in _windows(report, number))
        low = min(lows, default=boot.high_bytes) + system
        cells = (
            numbers.seconds(boot.seconds),
            numbers.tenths(boot.peak_bytes + system),
            numbers.tenths(low),
            numbers.tenths(boot.high_bytes + system),
            format_list(tuple(map(plain, boot.failed)), NAMED) or "all up",
        )
        rows.append(Row(name=f"{number}", cells=cells))
    heads = ("boot", "ready after", "peak", "lowest in operation", "highest", "in the end")
    return Table(heads=heads, rows=tuple(rows), texts=1)


def draw_boots(report: Report, key: str) -> str:
    """Draw every boot's samples as a line; in each stretch of time the highest."""
    boots = [_totals(report, number + 1) for number in range(len(boots_of(report)))]
    mb = Convention.MEMORY.mb
    lowest = min((total for totals in boots for total in totals), default=0)
    floor = lowest // (ROUND * mb) * ROUND * mb
    lines = [
        Line(color=_color(at), values=tuple((total - floor) / mb for total in totals))
        for at, totals in enumerate(boots)
        if totals
    ]
    highest = max((value for line in lines for value in line.values), default=0) * 1.04 or 1
    return draw(
        "boots.svg.j2",
        key,
        "Memory in operation, boot by boot",
        boots_line(report),
        lines=lines,
        plane=Plane,
        across=max([2, *(len(line.values) for line in lines)]) - 1,
        highest=highest,
        ticks=[(tick, floor / mb + tick) for tick in round_ticks(highest)],
    )


def legend(report: Report) -> tuple[tuple[str, str, str], ...]:
    """Return colour, label and highest total in operation of each boot."""
    system = _system_bytes(report)
    return tuple(
        (_color(at), f"boot {at + 1}", numbers.memory(boot.high_bytes + system))
        for at, boot in enumerate(boots_of(report))
    )


def _windows(report: Report, number: int) -> list[WindowTotals]:
    windows = report.memory.windows if isinstance(report.memory, MemoryReport) else ()
    return [window for window in windows if window.boot == number]


def _totals(report: Report, number: int) -> tuple[int, ...]:
    """Return a boot's totals, as many as a figure shows."""
    system = _system_bytes(report)
    totals = [total + system for window in _windows(report, number) for total in window.totals]
    shown = thin_out(totals, int)
    return 2 * shown if len(shown) == 1 else shown  # a point would not show


def _color(place: int) -> str:
    return f"c{place % COLORED + 1}"


def _system_bytes(report: Report) -> int:
    """Return what the headline has over the samples: kernel and operating system."""
    total, boots = report.verdict.total_bytes, boots_of(report)
    if isinstance(total, Missing) or not boots:
        return 0
    return max(0, total - max(boot.high_bytes for boot in boots))
