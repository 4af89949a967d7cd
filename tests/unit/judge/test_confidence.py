"""The probability of fitting: against published tables, and against simulated boots."""

import math
import random
from collections.abc import Callable
from itertools import accumulate
from statistics import NormalDist

import pytest

from judging import MIB
from onegig.judge.confidence import (
    LEVEL,
    WINDOW_NOISE,
    block_maxima,
    count_fits,
    measure_distance,
    next_below,
    predict,
    share_below,
    student,
)

LIMIT = 1000 * MIB
MEAN = 600 * MIB
NOISE = MEAN * WINDOW_NOISE
Draw = Callable[[random.Random, float], float]


def normal(rng: random.Random, spread: float) -> float:
    return rng.gauss(0, spread)


def skewed(rng: random.Random, spread: float) -> float:
    """A Gumbel variable, as maxima are, with that standard deviation."""
    return -spread * math.sqrt(6) / math.pi * math.log(-math.log(rng.random()))


def log_normal(rng: random.Random, spread: float) -> float:
    return spread * (math.exp(rng.gauss(0, 0.6)) - 1) / 0.79


def with_outliers(rng: random.Random, spread: float) -> float:
    """One boot in twenty takes four standard deviations more."""
    return rng.gauss(0, spread) + (4 * spread if rng.random() < 0.05 else 0)


@pytest.mark.parametrize(
    ("value", "degrees", "probability"),
    [(6.3138, 1, 0.95), (1.8856, 2, 0.9), (2.5706, 5, 0.975), (2.7638, 10, 0.99), (0, 4, 0.5)],
)
def test_student_is_that_of_the_tables(value: float, degrees: int, probability: float) -> None:
    assert student(value, degrees) == pytest.approx(probability, abs=1e-4)


@pytest.mark.parametrize(("boots", "factor"), [(2, 26.260), (3, 7.656), (5, 4.203), (10, 2.911)])
def test_the_interval_is_that_of_published_tolerance_factors(boots: int, factor: float) -> None:
    """With 95 % confidence 95 % lie below so many deviations above the mean (Hahn and Meeker)."""
    assert share_below(factor, boots, boots - 1, 0.05) == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize(
    ("fits", "boots", "low", "high"),
    [(0, 1, 0, 0.975), (1, 2, 0.0126, 0.9874), (9, 10, 0.555, 0.9975), (3, 3, 0.2924, 1)],
)
def test_boots_that_ran_full_are_counted(fits: int, boots: int, low: float, high: float) -> None:
    fit = count_fits([LIMIT] * boots, boots - fits, fits)
    assert (fit.probability, fit.boots, fit.full) == (fits / boots, boots, boots - fits)
    assert (fit.low, fit.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.parametrize("draw", [normal, skewed, log_normal, with_outliers])
@pytest.mark.parametrize(
    ("boots", "spread", "least", "most"),
    [  # `spread`: how much boots differ, as a multiple of what is assumed of them
        (1, 0.5, 0.98, 1),  # alike: nothing but caution
        (1, 1, 0.91, 0.98),
        (2, 1, 0.88, 0.97),
        (3, 1, 0.88, 0.94),
        (10, 1, 0.87, 0.92),
        (1, 2, 0.77, 0.88),  # one boot can't show that it is less alike than assumed
        (2, 2, 0.82, 0.89),
        (5, 2, 0.84, 0.93),
        (10, 2, 0.84, 0.93),
    ],
)
def test_what_is_stated_to_fit_with_90_percent_fits_nine_times_in_ten(
    draw: Draw, boots: int, spread: float, least: float, most: float
) -> None:
    """A limit that is stated to hold with 90 % is kept by the next boot nine times in ten.

    The share of 1,000 trials has a standard deviation of one point; the bounds leave two and more.
    """
    rng, kept, trials = random.Random(f"{draw.__name__}{boots}{spread}"), 0, 1_000
    for _ in range(trials):
        *peaks, following = (round(MEAN + draw(rng, spread * NOISE)) for _ in range(boots + 1))
        degrees, distance = measure_distance(peaks, following)
        kept += next_below(distance, boots, degrees) <= 0.9
    assert least <= kept / trials <= most


@pytest.mark.parametrize("boots", [1, 3, 10])
def test_the_interval_holds_the_true_share(boots: int) -> None:
    rng, trials = random.Random(boots), 200
    truth, held = NormalDist(0, NOISE).cdf(1.5 * NOISE), 0
    for _ in range(trials):
        peaks = [round(MEAN + rng.gauss(0, NOISE)) for _ in range(boots)]
        fit = predict(peaks, round(MEAN + 1.5 * NOISE))
        held += fit.low <= truth <= fit.high
    assert held / trials >= LEVEL - 0.04  # 2.5 standard deviations


def test_blocks_of_a_window_are_the_least_that_boots_differ_by() -> None:
    calm = [block_maxima([MEAN + i % 3 for i in range(150)])]
    wild = [block_maxima([MEAN + (i // 30) % 2 * 90 * MIB for i in range(150)])]
    sure, unsure = (predict([MEAN], MEAN + 80 * MIB, blocks=blocks) for blocks in (calm, wild))
    assert block_maxima([1, 5, 2, 2, 9, 3], 3) == (5, 2, 9)
    assert unsure.probability < 0.9 < 0.95 < sure.probability


def test_earlier_commits_show_how_much_boots_differ_and_not_how_much_they_take() -> None:
    rng = random.Random(7)
    growing = accumulate((rng.gauss(MIB, 2 * MIB) for _ in range(60)), initial=200 * MIB)
    past = [round(size) for size in growing]
    past[30] += 300 * MIB  # one commit that was reverted
    alone, backed = predict([MEAN], MEAN + 15 * MIB), predict([MEAN], MEAN + 15 * MIB, earlier=past)
    assert alone.probability < 0.85 < 0.99 < backed.probability
    assert (alone.earlier, backed.earlier) == (0, 61)
