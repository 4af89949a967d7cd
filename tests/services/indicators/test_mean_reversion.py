"""Bollinger's bands and the rolling moments under them."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.series import SettingError
from indicator_events import directions, feed_closes, values
from indicators import build
from mean_reversion import MeanReversion, RollingMoments

ITEMS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=120)
CLOSES = st.lists(st.floats(1.0, 1e5), min_size=4, max_size=60)


def bands(length: int = 4, width: float = 1.0) -> MeanReversion:
    return build(MeanReversion, LENGTH=f"{length}", BANDS=f"{width}", INTERVAL_MS="100")


def test_by_hand() -> None:
    """1, 1, 1, 5: mean 2, population variance (1+1+1+9)/4 = 3, z = (5 - 2) / sqrt 3 = sqrt 3."""
    found = feed_closes(bands(), [1.0, 1.0, 1.0, 5.0])
    assert values(found, "z_score") == pytest.approx([math.sqrt(3)])
    assert values(found, "percent_b") == pytest.approx([0.5 + math.sqrt(3) / 2])
    assert directions(found, "z_score") == [-1]
    assert found[0].confidence == pytest.approx(1.0)


def test_inside_the_bands_there_is_no_direction() -> None:
    """1, 5, 1, 4: mean 2.75, variance 3.1875, z = 1.25 / 1.7854 = 0.7001 of at most sqrt 3."""
    found = feed_closes(bands(), [1.0, 5.0, 1.0, 4.0])
    assert values(found, "z_score") == pytest.approx([0.7001], abs=1e-4)
    assert directions(found, "z_score") == [0]
    assert found[0].confidence == pytest.approx(0.7001 / math.sqrt(3), abs=1e-4)


def test_below_the_lower_band_points_up() -> None:
    found = feed_closes(bands(), [5.0, 5.0, 5.0, 1.0])
    assert directions(found, "z_score") == [1]
    assert values(found, "percent_b")[0] < 0.0


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


@given(CLOSES, st.sampled_from([0.25, 2.0, 4096.0]))
def test_scale_of_price_does_not_matter(closes: list[float], scale: float) -> None:
    scaled = feed_closes(bands(), [close * scale for close in closes])
    assert values(scaled, "z_score") == values(feed_closes(bands(), closes), "z_score")


@given(CLOSES)
def test_z_score_is_bounded_by_the_window(closes: list[float]) -> None:
    found = feed_closes(bands(), closes)
    assert all(abs(value) <= math.sqrt(3) * 1.0001 for value in values(found, "z_score"))


def test_flat_price_gives_no_signal() -> None:
    assert feed_closes(bands(), [0.1] * 50) == []


def test_unreachable_bands_are_refused() -> None:
    with pytest.raises(SettingError, match="can't be reached with LENGTH"):
        bands(4, 2.0)
