"""Kaufman's efficiency ratio and the regimes made of it."""

import itertools
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.series import SettingError
from indicator_events import directions, feed_closes, values
from indicators import build
from regime import EfficiencyRatio, Regime

CLOSES = st.lists(st.integers(1, 10_000).map(float), min_size=1, max_size=60)


def ratio_of(closes: list[float], length: int) -> float | None:
    ratio = EfficiencyRatio(length)
    for close in closes:
        ratio.add(close)
    return ratio.value


regime = partial(build, Regime, INTERVAL_MS="100", LENGTH="3")


def test_by_hand() -> None:
    """10, 11, 10, 12: net change 2 over a path of 1 + 1 + 2 = 4."""
    assert ratio_of([10.0, 11.0, 10.0], 3) is None
    assert ratio_of([10.0, 11.0, 10.0, 12.0], 3) == pytest.approx(0.5)
    assert ratio_of([12.0, 10.0, 11.0, 10.0], 3) == pytest.approx(-0.5)


def test_straight_flat_and_closed_paths() -> None:
    assert ratio_of([1.0, 2.0, 3.0, 4.0], 3) == 1.0
    assert ratio_of([5.0] * 4, 3) == 0.0
    assert ratio_of([1.0, 2.0, 3.0, 2.0, 1.0], 4) == 0.0


@given(CLOSES, st.integers(2, 9), st.sampled_from([0.5, 16.0]))
def test_equals_the_batch_formula_whatever_the_scale(
    closes: list[float], length: int, scale: float
) -> None:
    found = ratio_of(closes, length)
    assert ratio_of([close * scale for close in closes], length) == found
    if len(closes) <= length:
        assert found is None
        return
    window = closes[-length - 1 :]
    path = sum(abs(b - a) for a, b in itertools.pairwise(window))
    assert found == pytest.approx((window[-1] - window[0]) / path if path else 0.0)


@given(CLOSES)
def test_efficiency_is_between_zero_and_one(closes: list[float]) -> None:
    found = values(feed_closes(regime(), closes), "efficiency_ratio")
    assert all(0.0 <= value <= 1.0 for value in found)


def test_a_trend_lasts_until_the_ratio_falls_below_leave() -> None:
    """Ratios by hand: 1 (enters), (4-2)/4 = 0.5 ... see each close.

    1 2 3 4 -> 1; 3.5: (3.5-2)/2.5 = 0.6; 3.8: (3.8-3)/1.8 = 0.44 (stays, above 0.3);
    3.6: (3.6-4)/1.0 = -0.4 (turned around, yet below ENTER: a range).
    """
    found = feed_closes(regime(), [1.0, 2.0, 3.0, 4.0, 3.5, 3.8, 3.6])
    assert values(found, "efficiency_ratio") == pytest.approx([1.0, 0.6, 0.8 / 1.8, 0.4])
    assert directions(found, "efficiency_ratio") == [1, 1, 1, 0]


def test_falling_prices_trend_down() -> None:
    assert directions(feed_closes(regime(), [4.0, 3.0, 2.0, 1.0]), "efficiency_ratio") == [-1]


def test_leave_must_not_exceed_enter() -> None:
    with pytest.raises(SettingError, match=r"LEAVE \(0.9\) exceeds ENTER \(0.5\)"):
        regime(LEAVE="0.9")
