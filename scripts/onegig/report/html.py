"""The report as one HTML file that needs nothing else: no script, no request, light and dark."""

import re
from functools import cache

from jinja2 import Environment
from markupsafe import Markup, escape

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.sizes import Convention
from onegig.model.state import State
from onegig.report import accounts, changes, facts, policies, scans, view, words
from onegig.report.bars import waterfall_strips
from onegig.report.figures import (
    ROWS_SHOWN,
    Band,
    cause_legend,
    draw_causes,
    draw_memory,
    draw_sizes,
    draw_waterfall,
    memory_bands,
    templates,
)
from onegig.text import plain

FIXES_SHOWN, DUPLICATES_SHOWN, REMARKS_SHOWN = 12, 20, 100


def render(report: Report) -> str:
    """The whole page."""
    document = (
        _templates()
        .get_template("report.html.j2")
        .render(
            report=report,
            verdict=report.verdict,
            memory=report.memory if isinstance(report.memory, MemoryReport) else None,
            images=None if isinstance(report.images, Missing) else report.images,
            rows=view.service_rows(report),
            image_rows=view.image_rows(report),
            bands=_bands(report),
            plots=_plots(report),
            splits=accounts.splits(report.images),
        )
    )
    return "\n".join(line.rstrip() for line in document.splitlines() if line.strip()) + "\n"


@cache
def _templates() -> Environment:
    page = templates()
    page.filters |= {"spaced": _text, "slug": _slug, "prose": _prose}
    page.globals |= {
        "words": words,
        "view": view,
        "facts": facts,
        "changes": changes,
        "accounts": accounts,
        "scans": scans,
        "policies": policies,
        "cause_legend": cause_legend,
        "is_missing": lambda value: isinstance(value, Missing),
        "waterfall_strips": waterfall_strips,
        "percent_of": _percent_of,
        "images_shown": ROWS_SHOWN,
        "fixes_shown": FIXES_SHOWN,
        "duplicates_shown": DUPLICATES_SHOWN,
        "remarks_shown": REMARKS_SHOWN,
        "STORAGE": Convention.STORAGE,
        "GO": State.GO,
    }
    return page


def _bands(report: Report) -> tuple[Band, ...]:
    memory = report.memory
    if not isinstance(memory, MemoryReport) or not memory.samples:
        return ()
    return memory_bands(memory, _overhead(report, memory))


def _overhead(report: Report, memory: MemoryReport) -> int:
    """Kernel and OS: what the headline has on top of the highest sample."""
    total = report.verdict.total_bytes
    if isinstance(total, Missing):
        return 0
    return max(0, total - max(sample.total_bytes for sample in memory.samples))


def _plots(report: Report) -> dict[str, str]:
    """Inline SVGs by name; a plot whose numbers are missing is left out."""
    plots = {
        f"waterfall-{number}": draw_waterfall(waterfall, f"waterfall-{number}")
        for number, waterfall in enumerate(report.verdict.waterfalls)
    }
    bands = _bands(report)
    if bands and isinstance(report.memory, MemoryReport):
        limit = report.verdict.limit_bytes
        plots["memory"] = draw_memory(report.memory, bands, limit, "memory")
    if not isinstance(report.images, Missing) and report.images.images:
        plots["images"] = draw_sizes(report.images, view.image_rows(report), "images")
    splits = accounts.splits(report.images)
    if splits:
        plots["causes"] = draw_causes(splits, "causes")
    return plots


def _text(text: str) -> str:
    """Visible characters only; a number is not parted from its unit at the end of a line."""
    return re.sub(r"(?<=\d) (?=(?:MB|GB|s)\b|%)", "\u00a0", plain(text))


def _prose(text: str) -> Markup:
    """A sentence from outside; what stands between backticks in it is code."""
    parts = _text(text).split("`")
    if len(parts) % 2 == 0:
        return escape(_text(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(one) if at % 2 else escape(one) for at, one in enumerate(parts)
    )


def _slug(state: State) -> str:
    return state.value.lower()


def _percent_of(part: float, whole: float) -> str:
    """A CSS percentage for a bar in a cell."""
    return f"{100 * min(1.0, part / whole) if whole else 0:.1f}%"
