"""The probability that the next boot fits, with an interval, from the peaks of boots so far.

Boots of one stack are taken for draws from one normal distribution. Neither its mean nor its
variance is known: the mean comes from the boots, the variance from them and, so that a single boot
has an answer, from one of two sources that count as some degrees of freedom:

- boots of earlier commits in the same environment: half the squared difference of successive ones
  estimates the variance whatever drifts between them (J. von Neumann et al., The mean square
  successive difference, Annals of Mathematical Statistics 12, 1941). A median takes the place of
  the mean, because a commit that changes the stack makes one difference large;
- without enough of them, what boots of the reference stack differed by (`assumed_noise`), or the
  spread within the boots if it is larger: that of maxima of equal blocks of their windows
  (E. J. Gumbel, Statistics of Extremes, 1958).

With the conjugate prior on variance and a flat one on the mean the next peak has Student's t
distribution (A. Gelman et al., Bayesian Data Analysis, 3rd edition, sections 2.6 and 3.3). The
interval is that of the share of boots that fit, Φ((limit - mean) / sd); without prior it is the
noncentral t's, which holds exactly (G. J. Hahn, W. Q. Meeker and L. A. Escobar, Statistical
Intervals, 2nd edition, sections 4.4 and 4.5).

A box that ran full has no peak: there the boots that fitted are counted, and the interval is the
exact one of a binomial share (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import fmean, median, variance

from onegig.model.verdict import Fit

LEVEL = 0.95  # of the interval
SURE = 0.95  # the least probability that is not within noise of the limit
# Eight boots of the reference stack in a box had a standard deviation of 0.9 % in operation (Docker
# 29, a machine with about ten times the work that it can do). While the fifteen containers started
# it was 20 MB, depending on how many of runc's processes coincided.
WINDOW_NOISE = 0.015  # of the peak
START_NOISE_BYTES = 1_400_000  # for each container that starts together with others
NOISE_DEGREES = 2  # few: another stack may differ by more, and its own boots soon outweigh this
BLOCKS = 5  # of a window
HISTORY_WEIGHT = 4  # differences for one degree: a median of overlapping ones knows less
MOST_HISTORY = 20  # degrees
MEDIAN_OF_NORMAL = 0.6745  # the median of |z|
FARTHEST = 40.0  # standard deviations; probabilities beyond differ by less than is shown
_STEPS = 400  # of an integral
_HALVINGS = 22  # of an interval: to a millionth
_REACH = 6.0  # standard deviations, beyond which next to nothing lies


def predict(
    peaks: Sequence[int],
    limit: int,
    *,
    noise: float = WINDOW_NOISE,
    blocks: Sequence[Sequence[int]] = (),
    earlier: Sequence[int] = (),
) -> Fit:
    """Return the probability that the next boot's peak is within the limit. All in bytes.

    `peaks` are those of one boot or more, `noise` is the share of them that boots are assumed to
    differ by, `blocks` are the maxima of equal parts of each window, `earlier` the peaks of other
    commits, oldest first.
    """
    count, tail = len(peaks), (1 - LEVEL) / 2
    degrees, distance = measure_distance(peaks, limit, noise, blocks, earlier)
    mean = next_below(distance, count, degrees)
    low, high = (share_below(distance, count, degrees, part) for part in (tail, 1 - tail))
    return Fit(
        probability=mean,
        low=min(low, mean),  # rare large variances may pull an average out of the interval
        high=max(high, mean),
        level=LEVEL,
        peaks=tuple(peaks),
        earlier=len(earlier) if _history(earlier)[0] >= NOISE_DEGREES else 0,
    )


def assumed_noise(peak_bytes: float, starting: int) -> float:
    """Return the share of a peak that boots are assumed to differ by.

    `starting` containers start together.
    """
    return math.hypot(WINDOW_NOISE, starting * START_NOISE_BYTES / max(1.0, peak_bytes))


def count_fits(peaks: Sequence[int], full: int, fits: int) -> Fit:
    """Return the share of boots that fitted, if some ran full, with its exact interval."""
    boots, tail = len(peaks), (1 - LEVEL) / 2
    low = _solve(lambda share: 1 - _binomial(fits - 1, boots, share), tail) if fits else 0.0
    high = _solve(lambda share: 1 - _binomial(fits, boots, share), 1 - tail)
    return Fit(
        probability=fits / boots,
        low=low,
        high=high if fits < boots else 1.0,
        level=LEVEL,
        peaks=tuple(peaks),
        full=full,
    )


def block_maxima(totals: Sequence[int], blocks: int = BLOCKS) -> tuple[int, ...]:
    """Return the highest of each of a window's equal parts."""
    count = min(blocks, len(totals))
    edges = [at * len(totals) // count for at in range(count + 1)] if count else []
    return tuple(max(totals[low:high]) for low, high in pairwise(edges))


def next_below(distance: float, count: int, degrees: int) -> float:
    """Return the probability that the next boot stays below so many deviations above the mean."""
    return student(distance / math.sqrt(1 + 1 / count), degrees)


def student(value: float, degrees: int) -> float:
    """Return the probability that Student's t with those degrees of freedom is at most a value."""
    return _average(lambda scale: _normal(value * scale), degrees)


def measure_distance(
    peaks: Sequence[int],
    limit: int,
    noise: float = WINDOW_NOISE,
    blocks: Sequence[Sequence[int]] = (),
    earlier: Sequence[int] = (),
) -> tuple[int, float]:
    """Return the degrees of freedom and the limit's distance from the mean in deviations.

    Enough history takes the place of what is assumed. Neither makes boots look more alike than they
    were.
    """
    mean, free = fmean(peaks), len(peaks) - 1
    own = variance(peaks) if free else 0.0
    within = [variance(highest) for highest in blocks if len(highest) > 1]
    known, prior = _history(earlier)
    if known < NOISE_DEGREES:
        known, prior = NOISE_DEGREES, max((noise * mean) ** 2, fmean(within) if within else 0.0)
    degrees = known + free
    pooled = (known * prior + free * own) / degrees
    spread = math.sqrt(max(pooled, own, 1.0))
    return degrees, max(-FARTHEST, min(FARTHEST, (limit - mean) / spread))


def _history(earlier: Sequence[int]) -> tuple[int, float]:
    """Return the degrees of freedom that earlier peaks are worth, and their variance."""
    steps = [abs(after - before) for before, after in pairwise(earlier)]
    degrees = min(MOST_HISTORY, len(steps) // HISTORY_WEIGHT)
    return degrees, (median(steps) / MEDIAN_OF_NORMAL) ** 2 / 2 if steps else 0.0


def share_below(distance: float, count: int, degrees: int, part: float) -> float:
    """Return the share of boots that fit which the true one is below with probability `part`.

    (limit - mean) / sd has the distribution of `distance` * u - z / sqrt(count), where u is the
    square root of a chi-square variable over its degrees of freedom and z a standard normal one.
    """
    root = math.sqrt(count)

    def below(end: float) -> float:
        return _average(lambda scale: _normal(root * (end - distance * scale)), degrees)

    return _normal(_solve(below, part, -_REACH, _REACH))


def _normal(value: float) -> float:
    """Return Φ: the probability that a standard normal variable is at most a value."""
    return math.erfc(-value / math.sqrt(2)) / 2


def _average(function: Callable[[float], float], degrees: int) -> float:
    """Return the mean of a function of u, as defined in `share_below`."""
    return math.fsum(weight * function(scale) for scale, weight in _weights(degrees))


@lru_cache(maxsize=64)
def _weights(degrees: int) -> tuple[tuple[float, float], ...]:
    """Return points of the distribution of u and their weights, by the midpoint rule."""
    reach = 8 / math.sqrt(2 * degrees)  # standard deviations of u
    low, high = max(0.0, 1 - reach), 1 + reach
    points = [low + (high - low) * (at + 0.5) / _STEPS for at in range(_STEPS)]
    density = [math.exp((degrees - 1) * math.log(u) - degrees * (u * u - 1) / 2) for u in points]
    whole = math.fsum(density)
    return tuple(zip(points, (each / whole for each in density), strict=True))


def _binomial(most: int, count: int, share: float) -> float:
    """Return the probability of at most so many successes of `count`."""
    terms: Iterator[float] = (
        math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(most + 1)
    )
    return math.fsum(terms)


def _solve(
    rising: Callable[[float], float], target: float, low: float = 0.0, high: float = 1.0
) -> float:
    """Return where a rising function reaches a value, by bisection."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2
