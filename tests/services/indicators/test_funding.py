"""Funding and basis."""

from functools import partial

import pytest

from funding import Funding
from indicator_events import directions, feed, values
from indicator_events import funding as update
from indicators import build

indicator = partial(build, Funding, INTERVAL_MS="100", SAMPLE_MS="100")


@pytest.mark.parametrize(
    ("hours", "rate", "annual"),
    [("8", 0.0001, 0.1095), ("1", 0.0001, 0.876), ("8", -0.0001, -0.1095)],  # 0.01 % * 3 * 365
)
def test_by_hand(hours: str, rate: float, annual: float) -> None:
    found = feed(indicator(HOURS=hours), [update(rate, mark=101.0, index=100.0)])
    assert values(found, "annualised_funding") == pytest.approx([annual])
    assert values(found, "basis_bps") == pytest.approx([100.0])
    assert directions(found, "annualised_funding") == [0]


@pytest.mark.parametrize(
    ("center", "last", "direction"),
    [
        (0.0, 0.01, -1),
        (0.0, -0.01, 1),
        (0.0, 0.0, 0),
        (-0.002, -0.001, 0),  # high, but still paid by the shorts
        (-0.002, 0.0, 0),
        (0.002, 0.001, 0),
    ],
)
def test_extremes_point_against_the_crowd_that_pays(
    center: float, last: float, direction: int
) -> None:
    usual = [update(center + 0.0001 * (i % 5 - 2), at_ms=i * 100) for i in range(40)]
    found = feed(indicator(), [*usual, update(last, at_ms=4_000)])
    assert directions(found, "annualised_funding")[-1] == direction
    assert found[-2].confidence == pytest.approx(0.0 if last == center else 1.0)


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


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 1.5])
def test_impossible_rates_are_skipped(rate: float) -> None:
    assert feed(indicator(), [update(rate)]) == []
