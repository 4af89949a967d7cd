"""What counts as growth: a slope that is still there at the end, beyond what noise explains."""

import random
from collections.abc import Callable

import pytest

from onegig.memory.growth import growth

MIB = 1024**2
Level = Callable[[float], float]  # seconds to MiB


def series(
    level: Level, *, seconds: float = 15.0, noise_mib: float = 0.0
) -> list[tuple[float, int]]:
    dice = random.Random("noise")
    return [
        (at / 10, round((level(at / 10) + dice.uniform(-noise_mib, noise_mib)) * MIB))
        for at in range(round(seconds * 10))
    ]


@pytest.mark.parametrize("seconds", [3.0, 6.0, 15.0, 120.0])
@pytest.mark.parametrize("rate", [0.5, 1.0, 20.0])
def test_a_steady_leak_has_its_rate(rate: float, seconds: float) -> None:
    found = growth(series(lambda at: 12 + rate * at, seconds=seconds)) / MIB
    assert found == pytest.approx(rate, rel=0.05)


def test_a_leak_in_steps_is_a_leak() -> None:
    found = growth(series(lambda at: 12 + int(at))) / MIB
    assert found == pytest.approx(1.0, rel=0.25)


def test_a_leak_in_noise_is_a_leak() -> None:
    found = growth(series(lambda at: 200 + at, noise_mib=2.0)) / MIB
    assert found == pytest.approx(1.0, rel=0.4)


@pytest.mark.parametrize(
    "level",
    [
        lambda at: 12.0,
        lambda at: 12 + 20 * (at % 2),  # a garbage collector's saw
        lambda at: 12 + min(at, 3) * 10,  # a cache that is full after three seconds
        lambda at: 120 - at,
        lambda at: 12 + 100 * (7 < at < 8),  # one request
        lambda at: 12 + 0.01 * at,
    ],
)
def test_what_a_healthy_service_does_is_no_growth(level: Level) -> None:
    assert growth(series(level, noise_mib=0.1)) == 0.0


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_a_few_samples_tell_nothing(count: int) -> None:
    assert growth([(float(at), at * 100 * MIB) for at in range(count)]) == 0.0
