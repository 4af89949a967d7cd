"""Kaufman's efficiency ratio and the regimes made of it."""

import itertools
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import directions, feed_closes, values
from indicators import build
from regime import EfficiencyRatio, Regime

CLOSES = st.lists(st.integers(1, 10_000).map(float), min_size=1, max_size=60)
regime = partial(build, Regime, INTERVAL_MS="100", LENGTH="3")


def ratio_of(closes: list[float], length: int) -> float | None:
    ratio = EfficiencyRatio(length)
    for close in closes:
        ratio.add(close)
    return ratio.value


@pytest.mark.parametrize(
    ("closes", "length", "expected"),
    [
        ([10.0, 11.0, 10.0], 3, None),
        ([10.0, 11.0, 10.0, 12.0], 3, 0.5),  # net change 2 over a path of 1 + 1 + 2
        ([12.0, 10.0, 11.0, 10.0], 3, -0.5),
        ([1.0, 2.0, 3.0, 4.0], 3, 1.0),
        ([5.0] * 4, 3, 0.0),
        ([1.0, 2.0, 3.0, 2.0, 1.0], 4, 0.0),
    ],
)
def test_by_hand(closes: list[float], length: int, expected: float | None) -> None:
    assert ratio_of(closes, length) == pytest.approx(expected)


@given(CLOSES, st.integers(2, 9))
def test_equals_the_batch_formula(closes: list[float], length: int) -> None:
    if len(closes) <= length:
        assert ratio_of(closes, length) is None
        return
    window = closes[-length - 1 :]
    path = sum(abs(b - a) for a, b in itertools.pairwise(window))
    expected = (window[-1] - window[0]) / path if path else 0.0
    assert ratio_of(closes, length) == pytest.approx(expected)


def test_a_trend_lasts_until_the_ratio_falls_below_leave() -> None:
    """By hand, see each close.

    1 2 3 4 -> 1; 3.5: (3.5-2)/2.5 = 0.6; 3.8: (3.8-3)/1.8 = 0.44 (stays, above 0.3);
    3.6: (3.6-4)/1.0 = -0.4 (turned around, yet below ENTER: a range).
    """
    found = feed_closes(regime(), [1.0, 2.0, 3.0, 4.0, 3.5, 3.8, 3.6])
    assert values(found, "efficiency_ratio") == pytest.approx([1.0, 0.6, 0.8 / 1.8, 0.4])
    assert directions(found, "efficiency_ratio") == [1, 1, 1, 0]
    falling = feed_closes(regime(), [4.0, 3.0, 2.0, 1.0])
    assert directions(falling, "efficiency_ratio") == [-1]
