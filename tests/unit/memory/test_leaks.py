"""What counts as growth: a slope beyond what a healthy service shows, with its interval."""

import math
import random
from collections.abc import Callable

import pytest

from onegig.memory.growth import CONFIDENCE, find_trend
from onegig.model.measured import Unknown
from onegig.model.service import Trend

MIB = 1024**2
SAMPLES = 300  # of a window in the simulations, one a second
Level = Callable[[float], float]  # seconds to MiB
Noise = Callable[[random.Random], list[float]]  # MiB, for each sample


def trend_of(
    level: Level, *, seconds: float = 15.0, noise_mib: float = 0.0, pause: float = 0.0
) -> Trend:
    dice = random.Random("noise")
    times = [at / 10 + (pause if at > seconds * 5 else 0.0) for at in range(round(seconds * 10))]
    values = (level(at) + dice.uniform(-noise_mib, noise_mib) for at in times)
    trend = find_trend([(at, round(value * MIB)) for at, value in zip(times, values, strict=True)])
    assert isinstance(trend, Trend)
    return trend


@pytest.mark.parametrize("seconds", [3.0, 6.0, 15.0, 120.0])
@pytest.mark.parametrize("rate", [0.5, 1.0, 20.0])
def test_a_steady_leak_has_its_rate(rate: float, seconds: float) -> None:
    trend = trend_of(lambda at: 12 + rate * at, seconds=seconds)
    assert trend.rate / MIB == pytest.approx(rate, rel=0.05)
    assert trend.low_bytes_per_second <= trend.rate <= trend.high_bytes_per_second


@pytest.mark.parametrize(
    ("level", "noise_mib", "rel"),
    [
        (lambda at: 12 + int(at), 0.0, 0.25),  # arenas of the allocator
        (lambda at: 200 + at, 2.0, 0.4),
        (lambda at: 12 + at + 2 * (at % 2), 0.1, 0.4),  # below a garbage collector's saw
        (lambda at: 12 + at + 30 * min(at, 2), 0.1, 0.2),  # after a warm-up
    ],
)
def test_a_leak_is_seen_through_what_else_happens(
    level: Level, noise_mib: float, rel: float
) -> None:
    assert trend_of(level, noise_mib=noise_mib).rate / MIB == pytest.approx(1.0, rel=rel)


def test_windows_with_a_pause_between_them_are_one_series() -> None:
    assert trend_of(lambda at: 12 + at, pause=60.0).rate / MIB == pytest.approx(1.0, rel=0.05)


def test_a_warm_up_is_left_out_and_named() -> None:
    trend = trend_of(lambda at: 12 + at + 30 * min(at, 5), noise_mib=0.1)
    assert 2.0 <= trend.warm_up_seconds < 8.0


@pytest.mark.parametrize(
    "level",
    [
        lambda at: 12.0,
        lambda at: 12 + 20 * (at % 2),  # a garbage collector's saw
        lambda at: 12 + 20 * (at > 4) + 20 * (at > 9),  # a heap that is enlarged twice
        lambda at: 12 + min(at, 3) * 10,  # a cache that is full after three seconds
        lambda at: 120 - at,
        lambda at: 12 + 100 * (7 < at < 8),  # one request
        lambda at: 12 + 0.01 * at,
    ],
)
def test_what_a_healthy_service_does_is_no_growth(level: Level) -> None:
    assert trend_of(level, noise_mib=0.1).rate == 0.0


def test_what_falls_grows_by_nothing_and_stays_readable() -> None:
    """A job that holds a token refuses numbers below zero."""
    trend = trend_of(lambda at: 120 - at, noise_mib=0.1)
    assert (trend.bytes_per_second, trend.low_bytes_per_second) == (0, 0)
    assert trend.high_bytes_per_second == 0


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_a_few_samples_tell_nothing(count: int) -> None:
    assert isinstance(find_trend([(float(at), at * 100 * MIB) for at in range(count)]), Unknown)


def white(dice: random.Random) -> list[float]:
    return [dice.gauss(0, 1) for _ in range(SAMPLES)]


def sluggish(dice: random.Random) -> list[float]:
    """Return noise of which each second is nine tenths of the one before."""
    values = [dice.gauss(0, 2)]
    for _ in range(SAMPLES - 1):
        values.append(0.9 * values[-1] + dice.gauss(0, 0.9))
    return values


def skewed(dice: random.Random) -> list[float]:
    return [dice.expovariate(1) for _ in range(SAMPLES)]


def saw(dice: random.Random) -> list[float]:
    shift, period, height = dice.random() * SAMPLES, SAMPLES / dice.uniform(3, 30), 30
    return [height * ((at + shift) % period) / period for at in range(SAMPLES)]


def checks(dice: random.Random) -> list[float]:
    """Return health checks, each a process of its own for a quarter of the time."""
    period, shift = dice.uniform(5, 20), dice.random() * 20
    return [12 * ((at + shift) % period < period / 4) + dice.gauss(0, 0.2) for at in range(SAMPLES)]


def steps(dice: random.Random) -> list[float]:
    at_first, at_last, height = dice.random(), dice.random(), dice.uniform(1, 50)
    places = [at / SAMPLES for at in range(SAMPLES)]
    return [height * ((x > at_first) + (x > at_last)) + dice.gauss(0, 0.2) for x in places]


def warm_up(dice: random.Random) -> list[float]:
    scale, height = SAMPLES * dice.uniform(0.02, 0.12), dice.uniform(5, 80)
    return [dice.gauss(0, 0.3) - height * math.exp(-at / scale) for at in range(SAMPLES)]


def simulate(noise: Noise, rate_mib: float, count: int) -> list[Trend]:
    trends = []
    for seed in range(count):
        values = noise(random.Random(f"{noise.__name__} {seed}"))
        series = [(at, round((120 + rate_mib * at + v) * MIB)) for at, v in enumerate(values)]
        trend = find_trend(series)
        assert isinstance(trend, Trend)
        trends.append(trend)
    return trends


@pytest.mark.parametrize("noise", [white, sluggish, skewed, saw, checks, steps, warm_up])
def test_healthy_services_are_taken_for_leaks_less_than_once_in_a_hundred(noise: Noise) -> None:
    """docs/measuring.md states this rate. One of sixty would still be chance."""
    assert sum(trend.grows for trend in simulate(noise, 0.0, 60)) <= 1


@pytest.mark.parametrize("noise", [white, sluggish, skewed, checks])
def test_intervals_have_the_true_slope_as_often_as_they_state(noise: Noise) -> None:
    rate = 0.05
    trends = simulate(noise, rate, 60)
    covering = [
        trend.low_bytes_per_second <= rate * MIB <= trend.high_bytes_per_second for trend in trends
    ]
    # three standard deviations of 60 throws below it; and not by being so wide that nothing is seen
    assert sum(covering) / 60 >= CONFIDENCE - 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / 60)
    assert sum(trend.low_bytes_per_second > 0 for trend in trends) >= 50
