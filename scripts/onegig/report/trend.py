"""The trend: total memory over the default branch's commits, beside the limit each one had.

An SVG that stands alone, as `<img>` in a README, light and dark: it brings its own colours and
paper. What was not measured is a gap with a mark, never a zero and never a line drawn across.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from onegig.model.sizes import mb_down, mb_up
from onegig.model.verdict import Baseline
from onegig.report import numbers
from onegig.report.figures import Plane, round_ticks, templates
from onegig.text import plain

WIDTH, HEIGHT = 720, 260
MANY = 60  # points from which on only single ones get a dot
Point = tuple[float, float]


def render(history: Sequence[Baseline]) -> str:
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
    return (
        templates()
        .get_template("trend.svg.j2")
        .render(
            width=WIDTH,
            height=HEIGHT,
            plane=plane,
            ticks=round_ticks(highest),
            description=plain(_describe(history, points), 4000),
            drawing=drawing,
        )
    )


def _describe(history: Sequence[Baseline], points: Mapping[int, int]) -> str:
    """Say what the figure shows, for those who cannot see it."""
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
        "metric": numbers.METRICS.get(newest.metric, plain(newest.metric, 12)),
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
