"""A treemap: sizes as areas of rectangles that fill another one, each as square as it can be.

The layout is that of Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000): rows are filled
along the shorter side for as long as that makes the worst rectangle of the row more square.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float


def lay_out(sizes: Sequence[float], area: Area) -> tuple[Area, ...]:
    """Return an area for each size, in proportion to it. The largest size has to come first."""
    scale = area.width * area.height / (sum(sizes) or 1)
    left, cells = area, list[Area]()
    rest = [size * scale for size in sizes]
    while rest:
        side = min(left.width, left.height)
        count = 1
        while count < len(rest) and _worst(rest[: count + 1], side) <= _worst(rest[:count], side):
            count += 1
        row, rest = rest[:count], rest[count:]
        depth = sum(row) / side if side else 0.0
        cells += _fill(row, left, depth)
        left = _cut(left, depth)
    return tuple(cells)


def _worst(row: Sequence[float], side: float) -> float:
    """Return the aspect ratio of a row's most elongated rectangle."""
    total, smallest = sum(row), min(row)
    if not total or not smallest or not side:
        return float("inf")
    return max(side**2 * max(row) / total**2, total**2 / (side**2 * smallest))


def _fill(row: Sequence[float], area: Area, depth: float) -> Iterator[Area]:
    """Yield a row's rectangles along the shorter side of what is left."""
    at = 0.0
    for size in row:
        length = size / depth if depth else 0.0
        if area.width >= area.height:
            yield Area(x=area.x, y=area.y + at, width=depth, height=length)
        else:
            yield Area(x=area.x + at, y=area.y, width=length, height=depth)
        at += length


def _cut(area: Area, depth: float) -> Area:
    if area.width >= area.height:
        return Area(x=area.x + depth, y=area.y, width=area.width - depth, height=area.height)
    return Area(x=area.x, y=area.y + depth, width=area.width, height=area.height - depth)
