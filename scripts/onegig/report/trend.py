"""The trend: total memory over the default branch's commits, beside the limit each one had.

An SVG that stands alone, as `<img>` in a README, light and dark: it brings its own colours and
paper. What was not measured is a gap with a mark, never a zero and never a line drawn across.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from onegig.model.baseline import Baseline
from onegig.model.sizes import mb_down, mb_up
from onegig.report import words
from onegig.report.escape import ascii_label
from onegig.report.plots import above, new_figure
from onegig.report.svg import COLORS, SERIES, SVG, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 720, 260
TITLE = "Memory over the commits of the default branch"
MANY = 60  # points from which on only single ones get a dot
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
    """The whole history as one SVG document, oldest commit on the left."""
    return _standing_alone(to_svg(_draw(history), "trend", TITLE, _told(history), "trend"))


def render_undrawn() -> str:
    """Return a picture of the same size that only says that the trend could not be drawn."""
    text = "the trend could not be drawn; history.jsonl has its numbers"
    return (
        f'<svg xmlns="{SVG}" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{text}"><title>{text}</title><style>{_STYLE}</style>'
        f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6"/>'
        f'<text x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}" text-anchor="middle" font-size="14" '
        f'fill="var(--soft)">{text}</text></svg>\n'
    )


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


def _draw(history: Sequence[Baseline]) -> "Figure":
    figure, axes = new_figure(WIDTH, HEIGHT, left=58, right=100, top=44, bottom=40)
    if not history:
        axes.axis("off")
        axes.text(
            0.5, 0.5, "no commit measured yet", ha="center", color=COLORS["soft"], fontsize=14
        )
        return figure
    points = _points(history)
    limits = [mb_down(entry.limit_bytes) for entry in history]
    axes.set_ylim(0, 1.08 * max(*limits, *points.values(), 1))
    axes.set_xlim(-0.5, len(history) - 0.5)
    edges = [at - 0.5 for at in range(len(history) + 1)]
    axes.step(
        edges, [*limits, limits[-1]], where="post", color=COLORS["over"], lw=1.5, ls=(0, (5, 3))
    )
    _draw_totals(axes, history, points)
    _draw_labels(axes, history, points)
    return figure


def _draw_totals(axes: "Axes", history: Sequence[Baseline], points: Mapping[int, int]) -> None:
    for run in _runs(history, points):
        dot = "o" if len(history) <= MANY or len(run) == 1 else ""
        values = [points[at] for at in run]
        axes.plot(run, values, color=SERIES[0], lw=2, marker=dot, ms=5, clip_on=False)
    over = [at for at in points if points[at] > mb_down(history[at].limit_bytes)]
    axes.plot(over, [points[at] for at in over], "o", color=COLORS["over"], ms=6, clip_on=False)
    gaps = [at for at in range(len(history)) if at not in points]
    axes.plot(gaps, [0] * len(gaps), "x", color=COLORS["os"], ms=6, mew=1.5, clip_on=False)


def _draw_labels(axes: "Axes", history: Sequence[Baseline], points: Mapping[int, int]) -> None:
    metric = words.METRICS.get(history[-1].metric, ascii_label(history[-1].metric, 12))
    gaps = len(points) < len(history)
    above(axes, 0, words.joined(f"MB ({metric})", "x not measured" if gaps else ""), COLORS["soft"])
    limit = words.memory(history[-1].limit_bytes, down=True)
    above(axes, 1, f"{words.DASH} {words.DASH} limit {limit}", COLORS["over"])
    last = len(history) - 1
    axes.annotate(
        f"{points[last]:,} MB" if last in points else "unknown",
        (1, points.get(last, 0)),
        xycoords=axes.get_yaxis_transform(),
        xytext=(8, 0),
        textcoords="offset points",
        va="center_baseline",
        color=COLORS["ink"],
        fontsize=13,
        fontweight="bold",
        annotation_clip=False,
    )
    axes.grid(axis="y", color=COLORS["line"], lw=1)
    axes.locator_params(axis="y", nbins=6)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ends = sorted({0, last})
    axes.set_xticks(ends, [_at(history[at]) for at in ends])
    if last:
        left, right = axes.get_xticklabels()
        left.set_horizontalalignment("left")
        right.set_horizontalalignment("right")


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


def _standing_alone(figure: str) -> str:
    """The inline figure as a file of its own: size, colours, and paper under it."""
    root = ET.fromstring(figure)  # noqa: S314  # our own output
    root.set("width", str(WIDTH))
    root.set("height", str(HEIGHT))
    style = ET.Element(f"{{{SVG}}}style")
    style.text = _STYLE
    card = {"width": str(WIDTH - 1), "height": str(HEIGHT - 1), "x": "0.5", "y": "0.5", "rx": "6"}
    paper = ET.Element(f"{{{SVG}}}rect", card | {"class": "paper"})
    root[2:2] = [style, paper]
    return ET.tostring(root, encoding="unicode") + "\n"
