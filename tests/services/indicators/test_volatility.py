"""RiskMetrics volatility."""

import itertools
import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import feed, feed_closes, trade, values
from indicators import build
from volatility import Volatility

SECONDS_PER_YEAR = 365 * 86_400
CLOSES = st.lists(st.floats(1.0, 1e5), min_size=2, max_size=60)


volatility = partial(build, Volatility, INTERVAL_MS="100", WARMUP_BARS="1")


def annual(closes: list[float], **settings: str) -> list[float]:
    return values(feed_closes(volatility(**settings), closes), "annualised_volatility")


def test_by_hand() -> None:
    """Log returns 1 and 2, decay 1/2: var = (1/4 * 1 + 1/2 * 4) / (3/4) = 3 per bar of 1 s."""
    found = annual([1.0, math.e, math.e**3], FAST_DECAY="0.5")
    assert found == pytest.approx([math.sqrt(SECONDS_PER_YEAR), math.sqrt(3 * SECONDS_PER_YEAR)])


def test_same_percentage_up_and_down_is_constant_volatility() -> None:
    expected = math.log(1.01) * math.sqrt(SECONDS_PER_YEAR)
    assert annual([100.0, 101.0] * 10) == pytest.approx([expected] * 19)


@pytest.mark.parametrize(
    ("bar_ms", "gap_ms", "variance"),
    [("1000", 1_000, 4.0), ("4000", 4_000, 1.0), ("1000", 4_000, 1.0)],
)
def test_a_return_counts_per_second_whatever_the_bars_and_the_gaps(
    bar_ms: str, gap_ms: int, variance: float
) -> None:
    """A log return of 2 over four seconds is a variance of 1 a second."""
    events = [trade(1.0), trade(math.e**2, at_ms=gap_ms), trade(1.0, at_ms=2 * gap_ms)]
    found = values(feed(volatility(BAR_MS=bar_ms), events), "annualised_volatility")
    assert found == pytest.approx([math.sqrt(variance * SECONDS_PER_YEAR)])


@given(CLOSES)
def test_equals_the_batch_formula(closes: list[float]) -> None:
    squares = [math.log(b / a) ** 2 for a, b in itertools.pairwise(closes)]
    weights = [0.94**i for i in reversed(range(len(squares)))]
    variance = sum(w * s for w, s in zip(weights, squares, strict=True)) / sum(weights)
    expected = math.sqrt(variance * SECONDS_PER_YEAR)
    assert annual(closes)[-1] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_ratio_rises_with_a_shock_and_signals_at_once() -> None:
    closes = [100.0 * (1.0001 if i % 2 else 1.0) for i in range(100)] + [105.0]
    found = feed_closes(volatility(INTERVAL_MS="10000"), closes)
    assert values(found, "volatility_ratio")[-1] > 1.25
    assert found[-1].time_ms - found[-3].time_ms < 10_000
    assert {one.direction for one in found} == {0}


def test_flat_price_has_no_volatility() -> None:
    found = feed_closes(volatility(), [100.0] * 20)
    assert set(values(found, "annualised_volatility")) == {0.0}
    assert set(values(found, "volatility_ratio")) == {1.0}


def test_warm_up_and_confidence() -> None:
    found = feed_closes(volatility(WARMUP_BARS="10"), [100.0, 101.0] * 5 + [100.0])
    assert [one.confidence for one in found[:1]] == pytest.approx([1 - 0.94**10])
    assert len(values(found, "annualised_volatility")) == 1
