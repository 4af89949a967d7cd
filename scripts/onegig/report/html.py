"""The report as one HTML file that needs nothing else: no script, no request, light and dark."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.sizes import Convention
from onegig.model.state import State
from onegig.report import accounts, changes, facts, policies, scans, view, words
from onegig.report.bands import Band, memory_bands, thinned
from onegig.report.bars import waterfall_bars
from onegig.report.cause_plot import legend, plot_causes
from onegig.report.plots import IMAGES_SHOWN, plot_images, plot_memory, plot_waterfall
from onegig.text import lines, plain

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
    templates = Environment(
        loader=PackageLoader("onegig.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"plain": _text, "log": lines, "slug": _slug, "prose": _prose}
    templates.globals |= {
        "words": words,
        "view": view,
        "facts": facts,
        "changes": changes,
        "accounts": accounts,
        "scans": scans,
        "policies": policies,
        "cause_legend": legend,
        "is_missing": lambda value: isinstance(value, Missing),
        "waterfall_bars": waterfall_bars,
        "percent_of": _percent_of,
        "images_shown": IMAGES_SHOWN,
        "fixes_shown": FIXES_SHOWN,
        "duplicates_shown": DUPLICATES_SHOWN,
        "remarks_shown": REMARKS_SHOWN,
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
    splits = accounts.splits(report.images)
    if splits:
        plots["causes"] = plot_causes(splits[:IMAGES_SHOWN], "causes")
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
