"""Growth of a series of memory figures: a slope with its uncertainty, and whether it is a leak.

The slope is Theil and Sen's, the median over all pairs of points, with its interval from Kendall's
tau (P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, Journal of the
American Statistical Association 63, 1968). Points near each other in time are alike, which would
make the interval too narrow: the variance is corrected for the autocorrelation of the ranks (K. H.
Hamed, A. R. Rao, A modified Mann-Kendall trend test for autocorrelated data, Journal of Hydrology
204, 1998).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import sqrt
from statistics import NormalDist, mean, median
from typing import TypeVar

from onegig.model.measured import Unknown
from onegig.model.service import Trend

CONFIDENCE = 0.95  # of the interval
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
PARTS = 4  # of what is left after the warm-up: their medians must rise one after the other
POINTS = 60  # one of each stretch of the windows: pairs grow with the square
LEAST_POINTS = 8
MOST_ALIKE = 0.98
LEAST_BYTES = 512 * 1024  # over the window; a healthy service moves by some hundred pages
NOISES = 4.0  # times the median distance from the slope
LATE_SHARE = 0.5  # of the mean rate, in the last part: what fills up is no leak
MOST_WARM_UP = 0.5  # of the points; what is still warming up then may go on doing so
STEPS = 2  # this many jumps are caches, or a heap that was enlarged
STEP_SHARE = 0.5  # of the growth that must be left without them

V = TypeVar("V")
Points = Sequence[tuple[float, float]]  # seconds, bytes


@dataclass(frozen=True, slots=True)
class Slope:
    """Bytes per second, with the ends of its interval."""

    middle: float
    low: float
    high: float


def find_trend(series: Sequence[tuple[float, int]]) -> Trend | Unknown:
    """Return the slope of a series of (seconds, bytes), its warm-up left out.

    It `grows` if the slope is more than a healthy service shows: the interval lies above zero,
    the medians of four parts rise one after the other by more than noise and to the end, and most
    of the growth is left without its two largest jumps.
    """
    points = _stretches(series)
    if len(points) < LEAST_POINTS:
        return Unknown(reason="too few samples to see a trend")
    warm_up = _warm_up(points)
    rest = points[warm_up:]
    slope = estimate(rest)
    grows = warm_up <= MOST_WARM_UP * len(points) and slope.low > 0
    return Trend(
        bytes_per_second=max(0.0, slope.middle),
        low_bytes_per_second=max(0.0, slope.low),
        high_bytes_per_second=max(0.0, slope.high),
        grows=grows and _is_material(rest, slope.middle) and not _is_stepped(rest, slope.middle),
        warm_up_seconds=round(rest[0][0] - points[0][0], 1),
    )


def estimate(points: Points, *, independent: bool = False) -> Slope:
    """Return the slope of points, and the interval that has the true one with CONFIDENCE.

    It is narrower for points that are `independent` of each other.
    """
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2))
    middle = median(slopes)
    residuals = [value - middle * at for at, value in points]
    correction = 1.0 if independent else _correction(residuals)
    reach = _Z * sqrt(_variance(len(points)) * correction)
    low = max(0, round((len(slopes) - reach) / 2) - 1)
    high = min(len(slopes) - 1, round((len(slopes) + reach) / 2))
    return Slope(middle, slopes[low], slopes[high])


def _variance(count: int) -> float:
    """Return the variance of Kendall's score of that many independent points."""
    return count * (count - 1) * (2 * count + 5) / 18


def _correction(residuals: Sequence[float]) -> float:
    """Return how many times larger the variance is because neighbours are alike.

    With r the correlation of each point with the next that is (1 + r) / (1 - r). Residuals of a
    fitted line show less of it than there is, by (2 + 4 r) / n.
    """
    ranks = _ranks(residuals)
    n, middle = len(ranks), mean(ranks)
    spread = sum((rank - middle) ** 2 for rank in ranks)
    alike = sum((a - middle) * (b - middle) for a, b in pairwise(ranks)) / spread
    alike = min(MOST_ALIKE, (alike + 2 / n) / (1 - 4 / n))
    return max(1.0, (1 + alike) / (1 - alike))


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    for rank, at in enumerate(order):
        ranks[at] = float(rank)
    return ranks


def _warm_up(points: Points) -> int:
    """Return how many points of the beginning belong to a start that is over.

    While the first half rises faster than the second half, beyond their intervals, a quarter of the
    points goes. A bend makes neighbours alike, so these intervals ignore that.
    """
    start = 0
    while len(rest := points[start:]) >= 2 * LEAST_POINTS:
        half = len(rest) // 2
        early, late = (estimate(part, independent=True) for part in (rest[:half], rest[half:]))
        if early.low <= max(0.0, late.high):
            break
        start += max(1, len(rest) // 4)
    return start


def _is_material(points: Points, slope: float) -> bool:
    parts = cut(points, PARTS)
    levels = [(median(at for at, _ in part), median(v for _, v in part)) for part in parts]
    rates = [(v - u) / (at - before) for (before, u), (at, v) in pairwise(levels)]
    (_, first), (_, last) = levels[0], levels[-1]
    if min(rates) <= 0 or rates[-1] < LATE_SHARE * mean(rates):
        return False
    middle = median(value - slope * at for at, value in points)
    noise = median(abs(value - slope * at - middle) for at, value in points)
    return last - first >= max(LEAST_BYTES, NOISES * noise)


def _is_stepped(points: Points, slope: float) -> bool:
    """Return whether a few jumps make up most of the growth."""
    grown = points[-1][1] - points[0][1]
    jumps = sorted(v - u - slope * (at - before) for (before, u), (at, v) in pairwise(points))
    return grown - sum(jumps[-STEPS:]) < STEP_SHARE * grown


def _stretches(series: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """Return the lower quartile of each stretch: health checks and garbage come on top of it."""
    parts = cut(series, min(POINTS, len(series))) if series else []
    return [(median(at for at, _ in part), _lower(value for _, value in part)) for part in parts]


def _lower(values: Iterable[int]) -> int:
    ordered = sorted(values)
    return ordered[len(ordered) // 4]


def cut(values: Sequence[V], count: int) -> list[Sequence[V]]:
    """Cut values into that many parts of nearly equal length."""
    edges = [at * len(values) // count for at in range(count + 1)]
    return [values[low:high] for low, high in pairwise(edges)]
