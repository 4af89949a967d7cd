"""Several boots in the reports: their peaks, and every sample in the page's figure."""

from dataclasses import replace

from factories import MIB, OVERHEAD, SERVICES, make_images, make_memory, make_report, stack
from onegig.model.memory import BootTotals, MemoryReport, WindowTotals
from onegig.model.report import Report
from onegig.report import RENDERERS
from onegig.report.boots import boots_line, boots_table, draw_boots

HIGHS = (300, 320, 310)


def report_on(memory: MemoryReport) -> Report:
    return make_report(memory, make_images(list(SERVICES)))


def make_boots() -> Report:
    """Three boots; the second is the highest, the third lost a service."""
    memory = make_memory(stack())
    windows = tuple(
        WindowTotals(
            offset_seconds=0,
            samples=2,
            low_bytes=(high - 20) * MIB,
            high_bytes=high * MIB,
            totals=tuple((high - 20 + at % 21) * MIB for at in range(1_000)),
            services=tuple((1, 2) for _ in memory.services),
            boot=number,
        )
        for number, high in enumerate(HIGHS, start=1)
    )
    boots = tuple(
        BootTotals(
            seconds=9.5,
            peak_bytes=(high + 200) * MIB,
            high_bytes=high * MIB,
            failed=("risk",) if high == HIGHS[2] else (),
        )
        for high in HIGHS
    )
    box = replace(memory.box, cost_bytes=max(HIGHS) * MIB)
    return report_on(replace(memory, windows=windows, boots=boots, samples=(), box=box))


def test_every_boot_has_its_row() -> None:
    report, table = make_boots(), boots_table(make_boots())
    assert report.verdict.total_bytes == max(HIGHS) * MIB + OVERHEAD
    peaks = "3 boots peaked at 580, 600 and 590 MB, in operation at 380, 400 and 390 MB"
    assert boots_line(report) == peaks
    assert table is not None
    assert [(row.name, *row.cells) for row in table.rows] == [
        ("1", "9.5 s", "580.0", "360.0", "380.0", "all up"),
        ("2", "9.5 s", "600.0", "380.0", "400.0", "all up"),
        ("3", "9.5 s", "590.0", "370.0", "390.0", "risk"),
    ]


def test_the_figure_has_a_line_for_every_boot_that_loses_no_peak() -> None:
    drawn = draw_boots(make_boots(), "boots")
    assert drawn.count("var(--c1)") == drawn.count("var(--c3)") == 2  # for a desk and a phone
    assert drawn.count('d="M') >= 6
    wide = drawn.partition("</svg>")[0]
    tops = [min(_heights(wide, color)) for color in ("c1", "c2", "c3")]
    assert tops[1] < tops[2] < tops[0]  # the highest line is nearest to the top


def test_a_boot_of_one_sample_is_a_line_too() -> None:
    report = make_boots()
    assert isinstance(report.memory, MemoryReport)
    windows = tuple(replace(each, totals=each.totals[:1]) for each in report.memory.windows)
    drawn = draw_boots(replace(report, memory=replace(report.memory, windows=windows)), "boots")
    assert len(_heights(drawn.partition("</svg>")[0], "c1")) == 2


def _heights(drawn: str, color: str) -> list[float]:
    path = drawn.split(f"stroke: var(--{color})")[0].rpartition('<path d="')[2].partition('"')[0]
    return [float(y) for y in path.replace("M", " ").replace("L", " ").split()[1::2]]


def test_all_documents_name_the_boots() -> None:
    report = make_boots()
    for name in ("terminal", "html", "markdown"):
        assert "3 boots" in RENDERERS[name](report)
    assert "Boot by boot" in RENDERERS["html"](report)
    assert '"peak_bytes": 545259520' in RENDERERS["json"](report)


def test_one_boot_needs_no_table() -> None:
    report = report_on(make_memory(stack()))
    assert (boots_line(report), boots_table(report)) == ("", None)
