"""Large trades by a robust z-score."""

import math
import statistics
from array import array
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import directions, feed, trade, values
from indicators import build
from whale_watch import WhaleWatch, median, median_deviation

NUMBERS = st.lists(st.integers(-1_000, 1_000).map(float), min_size=1, max_size=60)


whale_watch = partial(build, WhaleWatch, WARMUP_TRADES="5", INTERVAL_MS="100")


@pytest.mark.parametrize(
    ("numbers", "center", "deviation"),
    [([1, 1, 2, 2, 4, 6, 9], 2.0, 1.0), ([1, 2, 3, 10], 2.5, 1.0), ([7], 7.0, 0.0)],
)
def test_median_and_mad_by_hand(numbers: list[int], center: float, deviation: float) -> None:
    """1 1 2 2 4 6 9: deviations 1 1 0 0 2 4 7, median 1. 1 2 3 10: 1.5 .5 .5 7.5, median 1."""
    ordered = array("d", numbers)
    assert median(ordered) == center
    assert median_deviation(ordered, center) == deviation


@given(NUMBERS)
def test_mad_equals_the_batch_formula(numbers: list[float]) -> None:
    ordered = array("d", sorted(numbers))
    center = statistics.median(numbers)
    assert median(ordered) == center
    expected = statistics.median([abs(number - center) for number in numbers])
    assert median_deviation(ordered, center) == expected


def test_score_by_hand() -> None:
    """Log sizes 0, 1, 2, 3, 4: median 2, MAD 1; a trade of e^10 scores 0.6745 (10 - 2) / 1."""
    usual = [trade(1.0, math.exp(i), at_ms=i) for i in range(5)]
    whale = trade(1.0, math.exp(10), buy=False, at_ms=200)
    found = feed(whale_watch(), [*usual, whale])
    assert values(found, "whale_score") == pytest.approx([0.6745 * 8])
    assert values(found, "whale_notional") == pytest.approx([math.exp(10)])
    assert directions(found, "whale_notional") == [-1]
    assert found[0].confidence == pytest.approx(1 - 3.5 / (2 * 0.6745 * 8))


def test_identical_trades_have_no_whales_but_a_large_one_after_them_is() -> None:
    usual = [trade(100.0, 1.0, at_ms=i) for i in range(50)]
    indicator = whale_watch()
    assert feed(indicator, [*usual, trade(100.0, 1.1, at_ms=60)]) == []
    assert values(feed(indicator, [trade(100.0, 2.0, at_ms=70)]), "whale_notional") == [200.0]


@given(st.floats(0.01, 1e4), st.floats(1.0, 100.0))
def test_a_larger_trade_scores_no_less(quantity: float, factor: float) -> None:
    def score(size: float) -> float:
        usual = [trade(1.0, math.exp(i % 5), at_ms=i) for i in range(20)]
        found = feed(whale_watch(THRESHOLD="0.5"), [*usual, trade(1.0, size, at_ms=5_000)])
        last = [one for one in found if one.time_ms % 10_000 == 5_000]
        return values(last, "whale_score")[0] if last else 0.0

    assert score(quantity) <= score(quantity * factor)


def test_least_notional_silences_small_markets() -> None:
    usual = [trade(1.0, math.exp(i), at_ms=i) for i in range(5)]
    whale = trade(1.0, math.exp(10), at_ms=200)
    assert feed(whale_watch(LEAST_NOTIONAL="1000000"), [*usual, whale]) == []
