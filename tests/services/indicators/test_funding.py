"""Funding and basis."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funding import Funding
from indicator_events import directions, feed, values
from indicator_events import funding as update
from indicators import build

indicator = partial(build, Funding, INTERVAL_MS="100", SAMPLE_MS="100")


def test_by_hand() -> None:
    """0.01 % every 8 hours is 0.0001 * 3 * 365 = 10.95 % a year; 101 over 100 is 100 bps."""
    found = feed(indicator(), [update(0.0001, mark=101.0, index=100.0)])
    assert values(found, "annualised_funding") == pytest.approx([0.1095])
    assert values(found, "basis_bps") == pytest.approx([100.0])
    assert directions(found, "annualised_funding") == [0]


def test_hourly_funding() -> None:
    found = feed(indicator(HOURS="1"), [update(0.0001)])
    assert values(found, "annualised_funding") == pytest.approx([0.876])


@pytest.mark.parametrize(("last", "direction"), [(0.01, -1), (-0.01, 1), (0.0, 0)])
def test_extremes_point_against_the_crowd(last: float, direction: int) -> None:
    usual = [update(0.0001 * (i % 5 - 2), at_ms=i * 100) for i in range(40)]
    found = feed(indicator(), [*usual, update(last, at_ms=4_000)])
    assert directions(found, "annualised_funding")[-1] == direction


@pytest.mark.parametrize(("usual", "last"), [(-0.002, -0.001), (-0.002, 0.0), (0.002, 0.001)])
def test_an_extreme_that_the_other_side_pays_is_no_crowd(usual: float, last: float) -> None:
    before = [update(usual + 0.0001 * (i % 5 - 2), at_ms=i * 100) for i in range(40)]
    found = feed(indicator(), [*before, update(last, at_ms=4_000)])
    assert directions(found, "annualised_funding")[-1] == 0
    assert found[-2].confidence == pytest.approx(1.0)


def test_percentile_by_hand() -> None:
    """20 samples 1..20 basis points; 18.5 has 18 below it: confidence |2 * 0.9 - 1|."""
    usual = [update(0.0001 * i, at_ms=i * 100) for i in range(1, 21)]
    found = feed(indicator(), [*usual, update(0.00185, at_ms=2_100)])
    assert found[-2].confidence == pytest.approx(0.8)


def test_repeated_messages_count_once_per_sampling_period() -> None:
    """Forty updates within one period are one sample: too few for an extreme."""
    usual = [update(0.0001, at_ms=i) for i in range(40)]
    found = feed(indicator(SAMPLE_MS="60000"), [*usual, update(0.01, at_ms=500)])
    assert set(directions(found, "annualised_funding")) == {0}


@given(st.floats(-1.0, 1.0), st.floats(0.01, 1e6), st.sampled_from([0.5, 1024.0]))
def test_funding_is_odd_and_basis_free_of_scale(rate: float, price: float, scale: float) -> None:
    def run(rate: float, factor: float) -> tuple[float, float]:
        found = feed(indicator(), [update(rate, mark=price * 1.01 * factor, index=price * factor)])
        return values(found, "annualised_funding")[0], values(found, "basis_bps")[0]

    assert run(rate, scale) == run(rate, 1.0)
    assert run(-rate, 1.0)[0] == -run(rate, 1.0)[0]


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 1.5])
def test_impossible_rates_are_skipped(rate: float) -> None:
    assert feed(indicator(), [update(rate)]) == []
