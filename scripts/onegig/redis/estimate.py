"""Estimates from a random sample of keys, with 95 % intervals.

A SCAN meets keys in the order of a keyed hash of their names, so that a piece of it is a simple
random sample without replacement, whatever the names are.
"""

from dataclasses import dataclass
from math import sqrt

from onegig.model.redis import Estimate

Z = 1.96
# Student's t for 97.5 % by degrees of freedom; between them the larger one counts.
_T = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 8: 2.31, 10: 2.23, 15: 2.13}
_T |= {20: 2.09, 30: 2.04, 60: 2.00, 120: 1.98, 1000: Z}


@dataclass(slots=True)
class Moments:
    """Sums of sizes and of their powers: all that an estimate needs of the keys seen."""

    count: int = 0
    total: int = 0
    squares: int = 0
    cubes: int = 0

    def add(self, size: int) -> None:
        """Count a key of `size` bytes."""
        self.count += 1
        self.total += size
        square = size * size
        self.squares += square
        self.cubes += square * size

    def merge(self, other: "Moments") -> None:
        """Add what another has counted."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.cubes += other.cubes


def estimate_keys(found: int, sampled: int, population: int) -> Estimate:
    """Return how many keys of a population are like the `found` of those sampled.

    Wilson's score interval (Wilson 1927; Brown, Cai and DasGupta 2001), narrowed by the share that
    was not looked at (the correction for finite populations; Cochran, Sampling Techniques, 2.6).
    """
    if sampled >= population or not sampled:
        return Estimate.exact(found)
    share, z2 = found / sampled, Z * Z * (1 - sampled / population)
    middle = (share + z2 / (2 * sampled)) / (1 + z2 / sampled)
    half = sqrt(z2) / (1 + z2 / sampled)
    half *= sqrt(share * (1 - share) / sampled + z2 / (4 * sampled * sampled))
    low = max(found, round(population * (middle - half)))
    high = min(population - (sampled - found), round(population * (middle + half)))
    value = min(max(round(population * share), low), high)
    return Estimate(value=value, low=low, high=high)


def estimate_bytes(keys: Estimate, seen: Moments) -> Estimate:
    """Return the bytes of all keys of a pattern, from those seen.

    Their number times their mean size: the interval of a product by those of its factors (MOVER;
    Zou, Huang and Zhang 2009). That of the mean is Student's, moved for skewed sizes (Johnson 1978,
    https://doi.org/10.2307/2286597). What was seen is certain.
    """
    if keys.is_exact or not seen.count:
        return Estimate.exact(seen.total)
    mean = seen.total / seen.count
    below, above = _mean_errors(keys, seen, mean)
    value = keys.value * mean
    low = value - sqrt((mean * (keys.value - keys.low)) ** 2 + (keys.value * below) ** 2)
    high = value + sqrt((mean * (keys.high - keys.value)) ** 2 + (keys.value * above) ** 2)
    return Estimate(
        value=max(seen.total, round(value)), low=max(seen.total, round(low)), high=round(high)
    )


def _mean_errors(keys: Estimate, seen: Moments, mean: float) -> tuple[float, float]:
    """Return how far below and above the mean size the true one may be."""
    count = seen.count
    if count < 2:
        return mean, 9 * mean  # one key says nothing of the others' sizes
    variance = max(0.0, (seen.squares - count * mean * mean) / (count - 1))
    if not variance:
        return 0.0, 3 * mean / count  # others may differ: the rule of three
    third = seen.cubes / count - 3 * mean * seen.squares / count + 2 * mean**3
    moved = third / (6 * variance * count)
    unseen = max(0.0, 1 - count / max(keys.value, count))
    half = student(count - 1) * sqrt(variance / count * unseen)
    moved = max(-half, min(half, moved))
    return max(0.0, half - moved), half + moved


def student(freedom: int) -> float:
    """Return Student's t for 95 % on both sides."""
    return next(t for least, t in reversed(_T.items()) if freedom >= least)
