"""Growth of a series of memory figures: its slope, robust against what a healthy service does."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import median
from typing import TypeVar

PARTS = 4  # of a window, to see growth
POINTS = 60  # medians of equal stretches: pairs grow with the square
LEAST_BYTES = 512 * 1024  # over the window; a healthy service moves by some hundred pages
LEAST_SHARE = 0.01  # of what it takes
NOISES = 4.0  # times the median distance from the slope
LATE_SHARE = 0.25  # of the growth must happen in the second half: what fills up is no leak

V = TypeVar("V")


def growth(series: Sequence[tuple[float, int]]) -> float:
    """Return bytes per second at the end of a series of (seconds, bytes); 0.0 within noise.

    Robust against what a healthy service does: the slope is Theil and Sen's, the median over all
    pairs of points (P. K. Sen, Estimates of the regression coefficient based on Kendall's tau,
    Journal of the American Statistical Association 63, 1968), and it only counts where medians of
    four parts of the window rise one after the other, into the last part, by more than the noise
    around that slope.
    """
    points = _stretches(series)
    if len(points) < 2 * PARTS:
        return 0.0
    size = len(points) // PARTS
    levels = [median(value for _, value in points[i * size : (i + 1) * size]) for i in range(PARTS)]
    grown = levels[-1] - levels[0]
    slope = _slope(points)
    middle = median(value - slope * at for at, value in points)
    noise = median(abs(value - slope * at - middle) for at, value in points)
    if grown < max(LEAST_BYTES, LEAST_SHARE * levels[0], NOISES * noise):
        return 0.0
    if levels != sorted(levels) or levels[-1] - levels[1] < LATE_SHARE * grown:
        return 0.0
    return max(0.0, _slope(points[len(points) // 2 :]))


def _stretches(series: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    parts = cut(series, min(POINTS, len(series))) if series else []
    return [(median(at for at, _ in part), median(value for _, value in part)) for part in parts]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return median(slopes) if slopes else 0.0


def cut(values: Sequence[V], count: int) -> list[Sequence[V]]:
    """Cut values into that many parts of nearly equal length."""
    edges = [at * len(values) // count for at in range(count + 1)]
    return [values[low:high] for low, high in pairwise(edges)]
