"""The report as one HTML file that needs nothing else: no script, no request, light and dark."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.sizes import Convention
from onegig.model.verdict import State
from onegig.report import changes, facts, view, words
from onegig.report.bands import Band, memory_bands, thinned
from onegig.report.bars import waterfall_bars
from onegig.report.escape import lines, plain
from onegig.report.plots import IMAGES_SHOWN, image_name, plot_images, plot_memory, plot_waterfall


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
        )
    )
    return "\n".join(line.rstrip() for line in document.splitlines() if line.strip()) + "\n"


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("onegig.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"plain": _text, "log": lines, "slug": _slug}
    templates.globals |= {
        "words": words,
        "view": view,
        "facts": facts,
        "changes": changes,
        "is_missing": lambda value: isinstance(value, Missing),
        "waterfall_bars": waterfall_bars,
        "image_name": image_name,
        "percent_of": _percent_of,
        "images_shown": IMAGES_SHOWN,
        "STORAGE": Convention.STORAGE,
        "GO": State.GO,
    }
    return templates


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
        f"waterfall-{number}": plot_waterfall(waterfall, f"waterfall-{number}")
        for number, waterfall in enumerate(report.verdict.waterfalls)
    }
    bands = _bands(report)
    if bands and isinstance(report.memory, MemoryReport):
        seconds = [sample.offset_seconds for sample in thinned(report.memory.samples)]
        plots["memory"] = plot_memory(bands, seconds, report.verdict.limit_bytes, "memory")
    if not isinstance(report.images, Missing) and report.images.images:
        plots["images"] = plot_images(report.images, view.image_rows(report), "images")
    return plots


def _text(text: str) -> str:
    """Visible characters only; a number is not parted from its unit at the end of a line."""
    return re.sub(r"(?<=\d) (?=(?:MB|GB|s)\b|%)", "\u00a0", plain(text))


def _slug(state: State) -> str:
    return state.value.lower()


def _percent_of(part: float, whole: float) -> str:
    """A CSS percentage for a bar in a cell."""
    return f"{100 * min(1.0, part / whole) if whole else 0:.1f}%"
