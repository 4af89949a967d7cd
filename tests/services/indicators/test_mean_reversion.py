"""Bollinger's bands and the rolling moments under them."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import directions, feed_closes, values
from indicators import build
from mean_reversion import MeanReversion, RollingMoments

ITEMS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=120)


def bands(length: int = 4, width: float = 1.0) -> MeanReversion:
    return build(MeanReversion, LENGTH=f"{length}", BANDS=f"{width}", INTERVAL_MS="100")


@pytest.mark.parametrize(
    ("closes", "z_score", "direction"),
    [
        ([1.0, 1.0, 1.0, 5.0], math.sqrt(3), -1),  # mean 2, variance (1+1+1+9)/4 = 3
        ([5.0, 5.0, 5.0, 1.0], -math.sqrt(3), 1),
        ([1.0, 5.0, 1.0, 4.0], 0.70014, 0),  # mean 2.75, variance 3.1875: within the bands
    ],
)
def test_by_hand(closes: list[float], z_score: float, direction: int) -> None:
    found = feed_closes(bands(), closes)
    assert values(found, "z_score") == pytest.approx([z_score], abs=1e-5)
    assert values(found, "percent_b") == pytest.approx([0.5 + z_score / 2], abs=1e-5)
    assert directions(found, "z_score") == [direction]
    assert found[0].confidence == pytest.approx(abs(z_score) / math.sqrt(3), abs=1e-5)


@given(ITEMS, st.integers(1, 15))
def test_moments_equal_the_batch_formula(items: list[float], size: int) -> None:
    moments = RollingMoments(size)
    for item in items:
        moments.add(item)
    window = items[-size:]
    scale = max(map(abs, window))
    least = 1e-9 * scale + 1e-100
    assert moments.mean == pytest.approx(statistics.fmean(window), rel=1e-9, abs=least)
    assert moments.deviation == pytest.approx(statistics.pstdev(window), rel=1e-5, abs=least)


def test_an_outlier_leaves_no_trace_behind() -> None:
    """After 1e12 has left, 1..5 must have deviation sqrt 2 at once, not at the next refresh."""
    moments = RollingMoments(5)
    for item in (1e12, 1.0, 2.0, 3.0, 4.0, 5.0):
        moments.add(item)
    assert moments.deviation == pytest.approx(math.sqrt(2), rel=1e-12)


def test_no_drift_over_many_values() -> None:
    moments = RollingMoments(7)
    for i in range(100_000):
        moments.add(1e9 + (i * 7919 % 1000) / 1000)
    window = [1e9 + (i * 7919 % 1000) / 1000 for i in range(99_993, 100_000)]
    assert moments.deviation == pytest.approx(statistics.pstdev(window), rel=1e-6)


def test_flat_price_gives_no_signal() -> None:
    assert feed_closes(bands(), [0.1] * 50) == []
