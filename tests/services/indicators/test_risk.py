"""Value at risk, expected shortfall, drawdown, position limit."""

import itertools
import math
from array import array
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import directions, feed, feed_closes, trade, values
from indicators import build
from risk import Risk, tail_losses

RETURNS = st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=100)
CLOSES = st.lists(st.floats(1.0, 1e5), min_size=3, max_size=40)


risk = partial(build, Risk, INTERVAL_MS="100", WARMUP_BARS="2", HORIZON_MS="1000")


def test_tail_by_hand() -> None:
    """Eight returns, tail 1/4: the two worst are -5 % and -3 %: VaR 3 %, ES 4 %. Gains: none."""
    ordered = array("d", [-0.05, -0.03, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04])
    assert tail_losses(ordered, 0.25) == pytest.approx((0.03, 0.04))
    assert tail_losses(array("d", [0.01, 0.02]), 0.5) == (0.0, 0.0)


@given(RETURNS, st.sampled_from([0.01, 0.05, 0.25, 0.5]))
def test_tail_properties(returns: list[float], tail: float) -> None:
    ordered = array("d", sorted(returns))
    at_risk, shortfall = tail_losses(ordered, tail)
    assert 0.0 <= at_risk <= shortfall + 1e-12
    wider_var, wider_es = tail_losses(ordered, min(0.5, tail * 2))
    assert wider_var <= at_risk
    assert wider_es <= shortfall + 1e-12
    doubled = tail_losses(array("d", [2 * r for r in ordered]), tail)
    assert doubled == pytest.approx((2 * at_risk, 2 * shortfall))


def test_signals_by_hand() -> None:
    """Closes 100, 90, 99, 49.5: returns -10 %, +10 %, -50 %; tail 1/2 of 3 is the one worst.

    ES = VaR = 0.5, drawdown = 1 - 49.5/100, limit = budget 1 % / 0.5.
    """
    found = feed_closes(risk(TAIL="0.5"), [100.0, 90.0, 99.0, 49.5])[-4:]
    assert [one.name for one in found] == [
        "value_at_risk_1s",
        "expected_shortfall_1s",
        "drawdown",
        "position_limit",
    ]
    assert [one.value for one in found] == pytest.approx([0.5, 0.5, 0.505, 0.02])
    assert directions(found, "drawdown") == [-1]


def test_horizon_scales_by_the_root_of_time() -> None:
    """Returns of -1 % and +1 % over one bar: three times as much over nine."""
    closes = [100.0, 99.0, 99.99]
    second = values(feed_closes(risk(), closes), "expected_shortfall_1s")
    nine = values(feed_closes(risk(HORIZON_MS="9000"), closes), "expected_shortfall_9s")
    longer = feed_closes(risk(HORIZON_MS="9000", BAR_MS="3000"), closes, bar_ms=3_000)
    assert second == pytest.approx([0.01])
    assert nine == pytest.approx([0.03])
    assert values(longer, "expected_shortfall_9s") == pytest.approx([0.01 * math.sqrt(3)])


def test_the_default_horizon_is_five_minutes_and_the_names_state_it() -> None:
    found = feed_closes(build(Risk), [100.0, 101.0] * 20)
    assert [one.name for one in found[:2]] == ["value_at_risk_300s", "expected_shortfall_300s"]


def test_a_return_over_empty_bars_counts_per_bar() -> None:
    """A loss of 8 % over four bars is one of 4 % over one; two of them are the worst half."""
    events = [trade(price, at_ms=i * 4_000) for i, price in enumerate((100.0, 92.0, 84.64, 84.64))]
    found = feed(risk(TAIL="0.5"), [*events, trade(84.64, at_ms=16_000)])
    assert values(found, "value_at_risk_1s")[0] == pytest.approx(0.04)
    assert values(found, "expected_shortfall_1s")[0] == pytest.approx(0.04)


def test_the_drawdown_covers_the_same_time_however_rarely_it_trades() -> None:
    """A window of ten bars forgets the peak of twelve bars ago, but not of eight."""
    events = [trade(price, at_ms=i * 4_000) for i, price in enumerate((100.0, 50.0, 40.0, 30.0))]
    found = feed(risk(WINDOW="10"), [*events, trade(30.0, at_ms=16_000)])
    assert values(found, "drawdown") == pytest.approx([0.6, 0.4])
    every_bar = feed_closes(risk(WINDOW="10"), [100.0] + [50.0] * 11)
    assert values(every_bar, "drawdown") == pytest.approx([0.5] * 9 + [0.0])


def test_no_more_than_everything_can_be_lost() -> None:
    found = feed_closes(risk(HORIZON_MS="9000"), [100.0, 50.0, 60.0])
    assert values(found, "expected_shortfall_9s") == [1.0]
    assert values(found, "value_at_risk_9s") == [1.0]


@given(CLOSES)
def test_equals_the_batch_formula_over_the_window(closes: list[float]) -> None:
    found = feed_closes(risk(WINDOW="10", TAIL="0.2"), closes)
    returns = sorted([b / a - 1.0 for a, b in itertools.pairwise(closes)][-10:])
    worst = returns[: max(1, len(returns) // 5)]
    expected = min(1.0, max(0.0, -sum(worst) / len(worst)))
    assert values(found, "expected_shortfall_1s")[-1] == pytest.approx(expected)
    peak = max(closes[-11:])
    assert values(found, "drawdown")[-1] == pytest.approx(1.0 - closes[-1] / peak)


def test_rising_price_allows_a_full_position() -> None:
    found = feed_closes(risk(), [100.0, 101.0, 102.0, 103.0])
    assert set(values(found, "position_limit")) == {1.0}
    assert set(directions(found, "drawdown")) == {0}
