"""Renderers: a Report in, a document out. Pure; registered by name.

To add one, write a module with `render(report) -> str` and name it here. TABLES show one
thing in detail, BADGES say the headline and nothing else.
"""

from collections.abc import Callable, Mapping

from onegig.model.codec import to_json
from onegig.model.report import Report
from onegig.report import breakdown, comment, html, pictures, terminal

RENDERERS: Mapping[str, Callable[[Report], str]] = {
    "terminal": terminal.render,
    "json": to_json,
    "markdown": comment.render,
    "html": html.render,
}
TABLES: Mapping[str, Callable[[Report], str]] = {"breakdown": breakdown.render}
BADGES: Mapping[str, Callable[[Report], str]] = {
    "badge": lambda report: pictures.to_svg(pictures.badge_of(report)),
    "badge-json": lambda report: pictures.to_endpoint(pictures.badge_of(report)),
}
