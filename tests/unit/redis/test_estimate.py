"""Intervals of a sample, held against populations whose sums are known."""

import random
from collections.abc import Callable

import pytest

from onegig.model.redis import Estimate
from onegig.redis.estimate import Moments, estimate_bytes, estimate_keys

POPULATION = 20_000
SAMPLED = 1000
REPEATS = 1000
SIZES: dict[str, Callable[[random.Random], int]] = {
    "alike": lambda some: 96 + 16 * some.randrange(3),
    "lognormal": lambda some: int(some.lognormvariate(5, 1)),
    "two kinds": lambda some: 64 if some.random() < 0.8 else 1024,
}


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
def test_a_95_percent_interval_holds_the_truth_that_often(sizes: str, share: float) -> None:
    some = random.Random(7)
    keys = int(POPULATION * share)
    known = [SIZES[sizes](some) for _ in range(keys)]
    population = [*known, *(None for _ in range(POPULATION - keys))]
    truth = sum(known)
    in_keys = in_bytes = 0
    for _ in range(REPEATS):
        seen = Moments()
        for size in some.sample(population, SAMPLED):
            if size is not None:
                seen.add(size)
        number = estimate_keys(seen.count, SAMPLED, POPULATION)
        total = estimate_bytes(number, seen)
        in_keys += number.low <= keys <= number.high
        in_bytes += total.low <= truth <= total.high
    assert in_keys / REPEATS > 0.93
    # some twenty keys of very uneven sizes say too little of the largest ones
    assert in_bytes / REPEATS > (0.88 if keys < 1000 else 0.92)


def test_what_was_counted_has_no_interval() -> None:
    seen = Moments()
    for size in (10, 1000, 90):
        seen.add(size)
    assert estimate_keys(3, 3, 3) == Estimate.exact(3)
    assert estimate_bytes(Estimate.exact(3), seen) == Estimate.exact(1100)


def test_a_pattern_met_once_may_be_much_larger() -> None:
    seen = Moments()
    seen.add(100)
    number = estimate_keys(1, 100, 10_000)
    total = estimate_bytes(number, seen)
    assert 1 < number.low < 50
    assert number.high > 500
    assert total.low == 100
    assert total.high > 10 * total.value
