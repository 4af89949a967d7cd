"""The report as one HTML file that needs nothing else: no script, no request, light and dark."""

import re
from functools import cache

from jinja2 import Environment
from markupsafe import Markup, escape

from onegig.model.report import Report
from onegig.model.state import State
from onegig.report import comparison, numbers, view
from onegig.report.figures import templates
from onegig.report.sections import SECTIONS
from onegig.text import format_rest, plain


def render(report: Report) -> str:
    """Return the whole page."""
    template = _pages().get_template("report.html.j2")
    document = template.render(
        report=report,
        verdict=report.verdict,
        limits=view.limits(report),
        checks=view.checks_table(report.verdict),
        failing=view.failing(report.verdict),
        facts=(comparison.all_inherited(report), *view.facts(report)),
        sections={name: section.values(report) for name, section in SECTIONS.items()},
    )
    return "\n".join(line.rstrip() for line in document.splitlines() if line.strip()) + "\n"


@cache
def _pages() -> Environment:
    pages = templates().overlay()
    pages.filters = pages.filters | {
        "spaced": _space,
        "slug": lambda state: state.value.lower() if state else "",
        "prose": _prose,
        "rest": format_rest,
    }
    pages.globals |= {"view": view, "numbers": numbers, "states": tuple(State), "GO": State.GO}
    return pages


def _space(text: str) -> str:
    """Return visible characters; a number is not parted from its unit at the end of a line."""
    return re.sub(r"(?<=\d) (?=(?:MB|GB|s)\b|%)", "\u00a0", plain(text))


def _prose(text: str) -> Markup:
    """Return a sentence from outside; what stands between backticks in it is code."""
    parts = _space(text).split("`")
    if len(parts) % 2 == 0:
        return escape(_space(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )
