"""Fusing opinions."""

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.events import Signal
from indicator_events import directions, feed, signal, values
from indicators import build
from signal_fusion import SignalFusion, log_odds

SERVICES = ("aggressor", "momentum", "regime", "order-flow", "funding")
OPINIONS = st.lists(
    st.tuples(st.sampled_from(SERVICES), st.sampled_from([-1, 0, 1]), st.floats(0.0, 1.0)),
    min_size=1,
    max_size=30,
)


fusion = partial(build, SignalFusion, INTERVAL_MS="100")


def probability(found: list[Signal]) -> float:
    return values(found, "probability_up")[-1]


def test_one_opinion_by_hand() -> None:
    """Confidence 1/2 upwards is p = 3/4, logit ln 3; fused: 2 ln 3 / (1 + 1) = ln 3."""
    found = feed(fusion(), [signal(1, 0.5)])
    assert log_odds(1, 0.5) == pytest.approx(math.log(3))
    assert probability(found) == pytest.approx(0.75)
    assert directions(found, "probability_up") == [1]
    assert found[0].confidence == pytest.approx(0.5)


def test_two_opinions_by_hand() -> None:
    """Two times ln 3: 2 * 2 ln 3 / (1 + 2), p = 3^(4/3) / (1 + 3^(4/3)) = 0.8123."""
    events = [signal(1, 0.5), signal(1, 0.5, service="regime", at_ms=100)]
    found = feed(fusion(HALF_LIFE_MS="86400000"), events)
    assert probability(found) == pytest.approx(3 ** (4 / 3) / (1 + 3 ** (4 / 3)), abs=1e-4)


def test_age_halves_the_weight() -> None:
    """A half-life later: 2 (-ln 3 + ln 3 / 2) / (1 + 1.5) = -0.4 ln 3."""
    events = [signal(1, 0.5), signal(-1, 0.5, service="regime", at_ms=1_000)]
    found = feed(fusion(HALF_LIFE_MS="1000"), events)
    assert probability(found) == pytest.approx(1 / (1 + 3**0.4))


def test_opposite_opinions_cancel() -> None:
    events = [signal(1, 0.8), signal(-1, 0.8, service="regime", at_ms=0)]
    found = feed(fusion(), [*events, signal(1, 0.8, at_ms=100), signal(-1, 0.8, service="regime")])
    assert found[0].direction == 1
    assert probability(found[-1:]) == pytest.approx(0.5, abs=0.01)


def test_a_signal_without_direction_withdraws_the_opinion() -> None:
    found = feed(fusion(), [signal(1, 0.8), signal(0, 0.9, at_ms=100)])
    assert directions(found, "probability_up") == [1, 0]
    assert probability(found) == pytest.approx(0.5)


def test_opinions_expire() -> None:
    events = [signal(1, 0.9), signal(-1, 0.5, service="regime", at_ms=200_000)]
    assert probability(feed(fusion(), events)) == pytest.approx(0.25)


def test_an_older_signal_of_a_source_does_not_replace_a_newer_one() -> None:
    events = [signal(1, 0.5, at_ms=500), signal(-1, 0.9, at_ms=100)]
    found = feed(fusion(), [*events, signal(1, 0.5, at_ms=1_000)])
    assert probability(found) == pytest.approx(0.75)


def test_symbols_without_any_opinion_stay_silent() -> None:
    assert feed(fusion(), [signal(0, 1.0, symbol="BTCUSDT/ETHUSDT", at_ms=i) for i in (0, 9)]) == []


def test_own_signals_and_invalid_ones_are_ignored() -> None:
    bad = [
        signal(1, 0.9, service="signal-fusion"),
        signal(2, 0.9),
        signal(1, 1.5),
        signal(1, float("nan")),
    ]
    assert feed(fusion(), bad) == []


def last_lean(opinions: list[tuple[str, int, float]]) -> float:
    """Return 2 p - 1 after all opinions, given at one time and then asked for once more."""
    indicator = fusion(HALF_LIFE_MS="86400000")
    feed(indicator, [signal(d, c, service=s) for s, d, c in opinions])
    found = feed(indicator, [signal(1, 0.001, service="probe", at_ms=90_000)])
    return 2.0 * probability(found) - 1.0


@given(OPINIONS)
def test_bounded_and_symmetric(opinions: list[tuple[str, int, float]]) -> None:
    lean = last_lean(opinions)
    mirrored = last_lean([(s, -d, c) for s, d, c in opinions])
    assert -1.0 < lean < 1.0
    assert mirrored == pytest.approx(-lean, abs=0.002)


@given(st.permutations([(s, 1 if i % 2 else -1, 0.1 + i / 7) for i, s in enumerate(SERVICES)]))
def test_order_of_arrival_does_not_matter(opinions: list[tuple[str, int, float]]) -> None:
    expected = [(s, 1 if i % 2 else -1, 0.1 + i / 7) for i, s in enumerate(SERVICES)]
    assert last_lean(opinions) == pytest.approx(last_lean(expected), abs=1e-12)


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_more_confidence_leans_further(one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert last_lean([("momentum", 1, low)]) <= last_lean([("momentum", 1, high)]) + 1e-12


def test_more_agreeing_services_lean_further() -> None:
    leans = [last_lean([(s, 1, 0.5) for s in SERVICES[:n]]) for n in range(1, 6)]
    assert leans == sorted(leans)
    assert leans[0] < leans[-1]
