"""Pictures for a README: the badge with the headline, and the trend over the commits.

The badge is green only for a GO with a number, and drawn by the layout and the widths of npm's
badge-maker 6, so that it fits in with shields.io's beside it. The trend brings its own colours and
paper, for light and dark; what was not measured is a gap with a mark, never a zero.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from onegig.model.budgets import METRIC_NAMES
from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.model.sizes import mb_down, mb_up
from onegig.model.state import BADGE_COLORS, State
from onegig.model.verdict import Baseline
from onegig.report import numbers
from onegig.report.figures import Plane, round_ticks, templates
from onegig.text import plain

WIDTH, HEIGHT = 720, 260  # of the trend
MANY = 60  # points of the trend from which on only single ones get a dot
Point = tuple[float, float]
UNKNOWN = "unknown"
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
    """The text of a badge. `color` is one of BADGE_COLORS."""

    label: str = "memory"
    message: str
    color: str


def badge_of(report: Report) -> Badge:
    """Return the badge of a report."""
    verdict = report.verdict
    return make_badge(verdict.state, verdict.total_bytes, verdict.limit_bytes)


def make_badge(state: State, total_bytes: int | Missing, limit_bytes: int) -> Badge:
    """Return the badge of a verdict; any state but GO is in its text, too, not only its colour."""
    if state is State.INCOMPLETE:
        return Badge(message=UNKNOWN, color="lightgrey")
    word = "" if state is State.GO else f" · {state.value}"
    if isinstance(total_bytes, Missing):
        color = "lightgrey" if state.passes else state.badge
        return Badge(message=UNKNOWN + word, color=color)
    text = f"{mb_up(total_bytes):,} / {mb_down(limit_bytes):,} MB"
    over = total_bytes > limit_bytes  # red also if a waiver lets it pass
    return Badge(message=text + word, color="red" if over else state.badge)


def unknown_badge() -> Badge:
    """Return the badge before anything was measured."""
    return Badge(message=UNKNOWN, color="lightgrey")


def to_svg(badge: Badge) -> str:
    """Return the badge as an SVG, for `<img>`, in shields.io's flat style."""
    label, message = plain(badge.label, 100), plain(badge.message, 100)
    left, right = (_text_width(text) + 2 * _PADDING for text in (label, message))
    # drawn ten times too large and scaled: sharper in old browsers
    texts = [
        (label, 10 + 5 * left, 10 * (left - 2 * _PADDING)),
        (message, 10 * (left - 1) + 5 * right, 10 * (right - 2 * _PADDING)),
    ]
    template = templates().get_template("badge.svg.j2")
    color = BADGE_COLORS[badge.color]
    return template.render(texts=texts, width=left + right, left=left, color=color) + "\n"


def to_endpoint(badge: Badge) -> str:
    """Return the badge as https://shields.io/badges/endpoint-badge reads it."""
    document = {
        "schemaVersion": 1,
        "label": badge.label,
        "message": badge.message,
        "color": badge.color,
        "isError": badge.color in ("red", "lightgrey"),  # no reader may choose another colour
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _text_width(text: str) -> int:
    """Return whole pixels, made odd: the middle of the text then lies on the pixel grid."""
    return sum(_WIDTH_OF.get(char, _WIDEST_LETTER) for char in text) // 100 | 1


def render_trend(history: Sequence[Baseline]) -> str:
    """Return the whole history as one SVG document, oldest commit on the left."""
    points = _points(history)
    limits = [mb_down(entry.limit_bytes) for entry in history]
    highest = 1.08 * max((*limits, *points.values(), 1))
    plane = Plane(
        left=58,
        right=WIDTH - 100,
        top=44,
        bottom=HEIGHT - 40,
        across=max(1, len(history)),
        up=highest,
    )
    drawing = _drawing(history, points, limits, plane) if history else {}
    template = templates().get_template("trend.svg.j2")
    return template.render(
        width=WIDTH,
        height=HEIGHT,
        plane=plane,
        ticks=round_ticks(highest),
        description=plain(_describe(history, points), 4000),
        drawing=drawing,
    )


def _describe(history: Sequence[Baseline], points: Mapping[int, int]) -> str:
    """Describe the figure for readers who cannot see it."""
    if not points:
        return f"{numbers.plural(len(history), 'commit')}, none measured yet"
    last = history[max(points)]
    limit = numbers.memory(last.limit_bytes, down=True)
    missing = len(history) - len(points)
    return numbers.joined(
        f"{points[max(points)]:,} MB of {limit} at {_at(last)}",
        f"{numbers.plural(len(history), 'commit')} from {_at(history[0])} to {_at(history[-1])}",
        f"lowest {min(points.values()):,} MB, highest {max(points.values()):,} MB",
        f"{missing} not measured" if missing else "",
    )


def _drawing(
    history: Sequence[Baseline], points: Mapping[int, int], limits: Sequence[int], plane: Plane
) -> dict[str, object]:
    """Return lines, marks and labels; a commit lies in the middle of its part of the axis."""
    last, newest = len(history) - 1, history[-1]
    places = {at: (plane.x(at + 0.5), plane.y(mb)) for at, mb in points.items()}
    runs = _runs(history, points)
    over = {at for at, mb in points.items() if mb > limits[at]}
    dotted = set(points) if len(history) <= MANY else {run[0] for run in runs if len(run) == 1}
    steps: list[Point] = [
        (plane.x(at + side), plane.y(limit)) for at, limit in enumerate(limits) for side in (0, 1)
    ]
    return {
        "metric": METRIC_NAMES.get(newest.metric, plain(newest.metric, 12)),
        "limit": numbers.memory(newest.limit_bytes, down=True),
        "steps": steps,
        "lines": [[places[at] for at in run] for run in runs],
        "over": [places[at] for at in points if at in over],
        "dots": [places[at] for at in points if at in dotted - over],
        "gaps": [plane.x(at + 0.5) for at in range(len(history)) if at not in points],
        "value": f"{points[last]:,} MB" if last in points else "unknown",
        "value_y": plane.y(points.get(last, 0)) + 4.5,
        "ends": [
            (plane.x(at + 0.5), anchor, _at(history[at]))
            for at, anchor in (((0, "start"), (last, "end")) if last else ((0, "middle"),))
        ],
    }


def _points(history: Sequence[Baseline]) -> dict[int, int]:
    """Return the MB of the commits that were measured completely, by place in the history."""
    return {
        at: mb_up(entry.total_bytes)
        for at, entry in enumerate(history)
        if entry.is_complete and isinstance(entry.total_bytes, int)
    }


def _runs(history: Sequence[Baseline], points: Iterable[int]) -> list[list[int]]:
    """Return places that a line may connect: neighbours, measured by the same metric."""
    runs: list[list[int]] = []
    for at in points:
        if runs and runs[-1][-1] == at - 1 and history[at - 1].metric == history[at].metric:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _at(entry: Baseline) -> str:
    return f"{entry.commit[:7]}, {datetime.fromisoformat(entry.created).astimezone(UTC).date()}"
