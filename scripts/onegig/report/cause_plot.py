"""Where the images' bytes go, a bar for each image in pieces by cause."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onegig.model.images import Cause
from onegig.report import words
from onegig.report.accounts import Split
from onegig.report.plots import PHONE, both, rows_figure
from onegig.report.svg import COLORS, SERIES
from onegig.text import ascii_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEAD = "dead"
PAGE_COLORS = {  # custom properties of the page, in the order of the pieces
    Cause.APPLICATION: "c3",
    Cause.DEPENDENCY: "c1",
    Cause.RUNTIME: "engine",
    Cause.BASE: "os",
    Cause.DEVELOPMENT: "c2",
    Cause.CACHE: "c6",
    Cause.DOCUMENTATION: "c5",
    Cause.UNEXPLAINED: "rest",
}
_DEAD_COLOR = "over"


def plot_causes(splits: Sequence[Split], key: str) -> str:
    """One bar per image, what is useful on the left, as two inline SVGs."""
    told = "; ".join(_told(one) for one in splits)
    return both(key, "Where the bytes of images go", told, lambda width: _draw(splits, width))


def legend(splits: Sequence[Split]) -> tuple[tuple[str, str, int], ...]:
    """What the colours mean: custom property, cause and bytes added up; only causes with bytes."""
    found = [
        (color, cause.value, sum(one.causes[cause] for one in splits))
        for cause, color in PAGE_COLORS.items()
    ]
    found.append((_DEAD_COLOR, DEAD, sum(one.dead_bytes for one in splits)))
    return tuple(one for one in found if one[2])


def _draw(splits: Sequence[Split], width: int) -> "Figure":
    labels = [ascii_label(one.name, 20 if width > PHONE else 15) for one in splits]
    values = [words.storage(one.size_bytes) for one in splits]
    widest = max(one.size_bytes for one in splits)
    figure, axes = rows_figure(width, labels, values, widest, row=24)
    for row, one in enumerate(splits):
        start = 0
        for size, color in _pieces(one):
            axes.barh(row, size, left=start, height=0.62, color=color)
            start += size
    return figure


def _pieces(one: Split) -> list[tuple[int, str]]:
    pieces = [(one.causes[cause], _color(color)) for cause, color in PAGE_COLORS.items()]
    return [*pieces, (one.dead_bytes, COLORS[_DEAD_COLOR])]


def _color(name: str) -> str:
    return COLORS.get(name) or SERIES[int(name[1:]) - 1]


def _told(one: Split) -> str:
    causes = [f"{cause.value} {words.storage(size)}" for cause, size in one.causes.items() if size]
    dead = f"{DEAD} {words.storage(one.dead_bytes)}"
    return f"{one.name} {words.storage(one.size_bytes)}: {', '.join((*causes, dead))}"
