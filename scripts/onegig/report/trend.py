"""The trend: total memory over the default branch's commits, beside the limit each one had.

An SVG that stands alone, as `<img>` in a README, light and dark: it brings its own colours and
paper. What was not measured is a gap with a mark, never a zero and never a line drawn across.

Written without a library: the job that publishes it holds a token that writes, and installs little.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from onegig.model.sizes import mb_down, mb_up
from onegig.model.verdict import Baseline
from onegig.report import words
from onegig.text import ascii_label, plain

SVG = "http://www.w3.org/2000/svg"
WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 58, WIDTH - 100, 44, HEIGHT - 40  # where the lines are
TITLE = "Memory over the commits of the default branch"
MANY = 60  # points from which on only single ones get a dot
MOST_TICKS = 6
# GitHub's own colours for text, lines and paper
_STYLE = """\
svg { --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --paper: #ffffff; --c1: #0969da; \
--over: #d1242f; --os: #59636e; \
font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
.paper { fill: var(--paper); stroke: var(--line); }
@media (prefers-color-scheme: dark) {
svg { --ink: #f0f6fc; --soft: #9198a1; --line: #3d444d; --paper: #0d1117; --c1: #4493f8; \
--over: #f85149; --os: #9198a1; }
}"""


def render(history: Sequence[Baseline]) -> str:
    """Return the whole history as one SVG document, oldest commit on the left."""
    root = _element(
        "svg",
        xmlns=SVG,
        width=WIDTH,
        height=HEIGHT,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby="trend-title trend-desc",
    )
    root.append(_element("title", TITLE, id="trend-title"))
    root.append(_element("desc", plain(_told(history), 4000), id="trend-desc"))
    root.append(_element("style", _STYLE))
    root.append(_element("rect", x=0.5, y=0.5, width=WIDTH - 1, height=HEIGHT - 1, rx=6))
    root[-1].set("class", "paper")
    root.extend(_draw(history))
    return ET.tostring(root, encoding="unicode") + "\n"


def _told(history: Sequence[Baseline]) -> str:
    """What the figure shows, for those who cannot see it."""
    points = _points(history)
    if not points:
        return f"{words.plural(len(history), 'commit')}, none measured yet"
    last = history[max(points)]
    missing = len(history) - len(points)
    return words.joined(
        f"{points[max(points)]:,} MB of {words.memory(last.limit_bytes, down=True)} at {_at(last)}",
        f"{words.plural(len(history), 'commit')} from {_at(history[0])} to {_at(history[-1])}",
        f"lowest {min(points.values()):,} MB, highest {max(points.values()):,} MB",
        f"{missing} not measured" if missing else "",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """Where a commit and a number of MB lie in the picture."""

    commits: int
    highest: float  # MB

    def x(self, at: float) -> float:
        """Return the place of a commit, counted from 0; half a commit further is its right edge."""
        return LEFT + (RIGHT - LEFT) * (at + 0.5) / self.commits

    def y(self, mb: float) -> float:
        """Return the height of a value."""
        return BOTTOM - (BOTTOM - TOP) * mb / self.highest

    def ticks(self) -> Iterable[int]:
        """Return round values from 0 to the highest, a handful of them."""
        power = 1
        while True:
            for factor in (1, 2, 5):
                if self.highest / (factor * power) <= MOST_TICKS:
                    return range(0, int(self.highest) + 1, factor * power)
            power *= 10


def _draw(history: Sequence[Baseline]) -> Iterable[ET.Element]:
    if not history:
        x, y = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
        return [_text("no commit measured yet", x=x, y=y, anchor="middle", color="soft", size=14)]
    points = _points(history)
    limits = [mb_down(entry.limit_bytes) for entry in history]
    scale = _Scale(commits=len(history), highest=1.08 * max(*limits, *points.values(), 1))
    return (
        *_draw_grid(scale),
        _draw_limits(limits, scale),
        *_draw_totals(history, points, scale),
        *_draw_labels(history, points, scale),
    )


def _draw_grid(scale: _Scale) -> Iterable[ET.Element]:
    for tick in scale.ticks():
        yield _line([(LEFT, scale.y(tick)), (RIGHT, scale.y(tick))], "line", 1)
        yield _text(f"{tick:,}", x=LEFT - 6, y=scale.y(tick) + 4, anchor="end", color="soft")


def _draw_limits(limits: Sequence[int], scale: _Scale) -> ET.Element:
    """Draw a step wherever the limit changes."""
    steps = [
        (scale.x(at + side), scale.y(limit))
        for at, limit in enumerate(limits)
        for side in (-0.5, 0.5)
    ]
    return _line(steps, "over", 1.5, "; stroke-dasharray: 7.5 4.5")


def _draw_totals(
    history: Sequence[Baseline], points: dict[int, int], scale: _Scale
) -> Iterable[ET.Element]:
    dotted = set(points if len(history) <= MANY else ())
    for run in _runs(history, points):
        yield _line([(scale.x(at), scale.y(points[at])) for at in run], "c1", 2)
        dotted |= set(run if len(run) == 1 else ())
    for at, mb in points.items():
        if mb > mb_down(history[at].limit_bytes):
            yield _dot(scale.x(at), scale.y(mb), 3, "over")
        elif at in dotted:
            yield _dot(scale.x(at), scale.y(mb), 2.5, "c1")
    for at in range(len(history)):
        if at not in points:
            yield _cross(scale.x(at))


def _draw_labels(
    history: Sequence[Baseline], points: dict[int, int], scale: _Scale
) -> Iterable[ET.Element]:
    last = len(history) - 1
    metric = words.METRICS.get(history[-1].metric, ascii_label(history[-1].metric, 12))
    gaps = "x not measured" if len(points) < len(history) else ""
    limit = words.memory(history[-1].limit_bytes, down=True)
    over = f"{words.DASH} {words.DASH} limit {limit}"
    value = f"{points[last]:,} MB" if last in points else "unknown"
    yield _text(words.joined(f"MB ({metric})", gaps), x=LEFT, y=TOP - 8, color="soft")
    yield _text(over, x=RIGHT, y=TOP - 8, anchor="end", color="over", weight="bold")
    height = scale.y(points.get(last, 0)) + 4.5
    yield _text(value, x=RIGHT + 8, y=height, color="ink", size=13, weight="bold")
    if not last:
        middle = (LEFT + RIGHT) / 2
        yield _text(_at(history[0]), x=middle, y=BOTTOM + 18, anchor="middle", color="soft")
        return
    for at, anchor in ((0, "start"), (last, "end")):
        yield _text(_at(history[at]), x=scale.x(at), y=BOTTOM + 18, anchor=anchor, color="soft")


def _line(
    points: Sequence[tuple[float, float]], color: str, width: float, style: str = ""
) -> ET.Element:
    path = " L ".join(f"{_number(x)} {_number(y)}" for x, y in points)
    stroke = f"fill: none; stroke: var(--{color}); stroke-width: {width}{style}"
    return _element("path", d=f"M {path}", style=stroke)


def _dot(x: float, y: float, radius: float, color: str) -> ET.Element:
    return _element("circle", cx=x, cy=y, r=radius, style=f"fill: var(--{color})")


def _cross(x: float) -> ET.Element:
    """Mark a commit without a number, on the axis."""
    lines = f"M {_number(x - 3)} {BOTTOM - 3} l 6 6 m 0 -6 l -6 6"
    return _element("path", d=lines, style="fill: none; stroke: var(--os); stroke-width: 1.5")


def _text(
    text: str,
    *,
    x: float,
    y: float,
    color: str,
    anchor: str = "start",
    size: int = 12,
    weight: str = "normal",
) -> ET.Element:
    return _element(
        "text",
        text,
        x=x,
        y=y,
        fill=f"var(--{color})",
        font_size=size,
        font_weight=weight,
        text_anchor=anchor,
    )


def _element(name: str, text: str = "", **attributes: str | float) -> ET.Element:
    """Return an element; `_` in an attribute's name stands for `-`."""
    element = ET.Element(name)
    for key, value in attributes.items():
        element.set(key.replace("_", "-"), value if isinstance(value, str) else _number(value))
    element.text = text or None
    return element


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _points(history: Sequence[Baseline]) -> dict[int, int]:
    """MB of the commits that were measured completely, by their place in the history."""
    return {
        at: mb_up(entry.total_bytes)
        for at, entry in enumerate(history)
        if entry.is_complete and isinstance(entry.total_bytes, int)
    }


def _runs(history: Sequence[Baseline], points: Iterable[int]) -> list[list[int]]:
    """Places that a line may connect: neighbours, measured by the same metric."""
    runs: list[list[int]] = []
    for at in points:
        if runs and runs[-1][-1] == at - 1 and history[at - 1].metric == history[at].metric:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _at(entry: Baseline) -> str:
    return f"{entry.commit[:7]}, {datetime.fromisoformat(entry.created).astimezone(UTC).date()}"
