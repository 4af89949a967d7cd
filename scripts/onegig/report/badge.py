"""The badge: the headline in one glance, as an SVG of its own and for shields.io's endpoint.

It is green only for a GO with a number. The drawing is that of shields.io's flat style, so that it
fits in with the badges beside it: by the layout and the widths of npm's badge-maker 6.
"""

import json
from dataclasses import dataclass

from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.model.sizes import mb_down, mb_up
from onegig.model.state import State
from onegig.report.figures import templates
from onegig.text import plain

LABEL = "memory"
UNKNOWN = "unknown"
# shields.io's names and what it draws for them
COLORS = {"brightgreen": "#4b0", "yellow": "#d8b800", "red": "#dd4343", "lightgrey": "#939393"}
_PADDING = 5
# Verdana at 11 px, in hundredths of a pixel; what is not here is taken for as wide as "m".
_WIDTHS = {
    295: "'", 302: "il", 379: "j", 387: " f", 400: ",.·", 433: "!t", 463: "I", 469: "r",
    500: "()-/:;J[\\]|", 505: '"', 573: "cs", 578: "z", 600: "?", 612: "L", 632: "F",
    651: "kvxy", 655: "e", 661: "a", 663: "P", 668: "o", 677: "Y", 678: "T", 685: "bdgpq",
    696: "Ehnu", 698: "{}", 699: "$*0123456789_`", 752: "ASV", 754: "BXZ", 762: "K", 765: "R",
    768: "C", 799: "&", 805: "U", 823: "N", 827: "H", 848: "D", 853: "G", 866: "OQ",
    900: "#+<=>^w~…", 927: "M", 1070: "m", 1088: "W", 1100: "@", 1184: "%",
}  # fmt: skip
_WIDTH_OF = {char: width for width, chars in _WIDTHS.items() for char in chars}
_WIDEST_LETTER = 1070


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """What a badge says. `color` is one of COLORS."""

    label: str = LABEL
    message: str
    color: str

    @property
    def is_error(self) -> bool:
        """Whether shields.io must not let a reader of the page choose another colour."""
        return self.color in ("red", "lightgrey")


def make_badge(state: State, total_bytes: int | Missing, limit_bytes: int) -> Badge:
    """The badge of a verdict. Any state but GO is said in words, too, not only by its colour."""
    if state is State.INCOMPLETE:
        return Badge(message=UNKNOWN, color="lightgrey")
    word = "" if state is State.GO else f" · {state.value}"
    if isinstance(total_bytes, Missing):
        color = "red" if state is State.NO_GO else "lightgrey"
        return Badge(message=UNKNOWN + word, color=color)
    numbers = f"{mb_up(total_bytes):,} / {mb_down(limit_bytes):,} MB"
    over = total_bytes > limit_bytes  # red also where a waiver lets it pass
    return Badge(message=numbers + word, color="red" if over else state.badge)


def unknown_badge() -> Badge:
    """The badge before anything was measured."""
    return Badge(message=UNKNOWN, color="lightgrey")


def render(report: Report) -> str:
    """The badge of a report as SVG."""
    return to_svg(_of(report))


def render_json(report: Report) -> str:
    """The badge of a report for shields.io's endpoint."""
    return to_endpoint(_of(report))


def to_svg(badge: Badge) -> str:
    """The badge as an SVG, for `<img>`."""
    label, message = plain(badge.label, 100), plain(badge.message, 100)
    left, right = (_text_width(text) + 2 * _PADDING for text in (label, message))
    # drawn ten times too large and scaled: sharper in old browsers
    texts = [
        (label, 10 + 5 * left, 10 * (left - 2 * _PADDING)),
        (message, 10 * (left - 1) + 5 * right, 10 * (right - 2 * _PADDING)),
    ]
    template = templates().get_template("badge.svg.j2")
    color = COLORS[badge.color]
    return template.render(texts=texts, width=left + right, left=left, color=color) + "\n"


def to_endpoint(badge: Badge) -> str:
    """The badge as https://shields.io/badges/endpoint-badge reads it."""
    document = {
        "schemaVersion": 1,
        "label": badge.label,
        "message": badge.message,
        "color": badge.color,
        "isError": badge.is_error,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _of(report: Report) -> Badge:
    verdict = report.verdict
    return make_badge(verdict.state, verdict.total_bytes, verdict.limit_bytes)


def _text_width(text: str) -> int:
    """Whole pixels, made odd: the middle of the text then lies on the pixel grid."""
    return sum(_WIDTH_OF.get(char, _WIDEST_LETTER) for char in text) // 100 | 1
