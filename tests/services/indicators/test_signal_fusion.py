"""Fusing opinions."""

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.events import Signal
from indicator_events import directions, feed, signal, values
from indicators import build
from signal_fusion import SignalFusion

SERVICES = ("aggressor", "momentum", "regime", "order-flow", "funding")
OPINION = st.tuples(st.sampled_from(SERVICES), st.sampled_from([-1, 0, 1]), st.floats(0.0, 1.0))
Opinions = list[tuple[str, int, float]]
fusion = partial(build, SignalFusion, INTERVAL_MS="100")


def probabilities(*events: Signal, **settings: str) -> list[float]:
    return values(feed(fusion(**settings), events), "probability_up")


def test_one_opinion_by_hand() -> None:
    """Confidence 1/2 upwards is p = 3/4, logit ln 3; fused: 2 ln 3 / (1 + 1) = ln 3."""
    found = feed(fusion(), [signal(1, 0.5)])
    assert values(found, "probability_up") == pytest.approx([0.75])
    assert directions(found, "probability_up") == [1]
    assert found[0].confidence == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("direction", "age_ms", "half_life_ms", "log_odds"),
    [
        (1, 100, "86400000", 4 / 3 * math.log(3)),  # 2 * 2 ln 3 / (1 + 2)
        (-1, 1_000, "1000", -0.4 * math.log(3)),  # 2 (-ln 3 + ln 3 / 2) / (1 + 1.5)
        (-1, 200_000, "15000", -math.log(3)),  # the first has expired
    ],
)
def test_a_second_opinion_by_hand(
    direction: int, age_ms: int, half_life_ms: str, log_odds: float
) -> None:
    second = signal(direction, 0.5, service="regime", at_ms=age_ms)
    found = probabilities(signal(1, 0.5), second, HALF_LIFE_MS=half_life_ms)
    assert found[-1] == pytest.approx(1 / (1 + math.exp(-log_odds)), abs=1e-4)


def test_a_signal_without_direction_withdraws_the_opinion() -> None:
    found = feed(fusion(), [signal(1, 0.8), signal(0, 0.9, at_ms=100)])
    assert directions(found, "probability_up") == [1, 0]
    assert values(found, "probability_up")[-1] == pytest.approx(0.5)


def test_an_older_signal_of_a_source_does_not_replace_a_newer_one() -> None:
    times = ((1, 0.5, 500), (-1, 0.9, 100), (1, 0.5, 1_000))
    found = probabilities(*(signal(d, c, at_ms=at_ms) for d, c, at_ms in times))
    assert found[-1] == pytest.approx(0.75)


@pytest.mark.parametrize(
    "event",
    [
        signal(0, 1.0, symbol="BTCUSDT/ETHUSDT"),  # no opinion about a symbol without any
        signal(1, 0.9, service="signal-fusion"),
        signal(2, 0.9),
        signal(1, 1.5),
        signal(1, float("nan")),
    ],
)
def test_no_opinion_own_signals_and_invalid_ones_are_ignored(event: Signal) -> None:
    assert probabilities(event, event) == []


def last_lean(opinions: Opinions) -> float:
    """Return 2 p - 1 after all opinions, given at one time and then asked for again."""
    events = [signal(d, c, service=s) for s, d, c in opinions]
    probe = signal(1, 0.001, service="probe", at_ms=90_000)
    return 2.0 * probabilities(*events, probe, HALF_LIFE_MS="86400000")[-1] - 1.0


@given(st.lists(OPINION, min_size=1, max_size=30))
def test_bounded_and_symmetric(opinions: Opinions) -> None:
    lean = last_lean(opinions)
    assert -1.0 < lean < 1.0
    assert last_lean([(s, -d, c) for s, d, c in opinions]) == pytest.approx(-lean, abs=0.002)


MIXED = [(s, 1 if i % 2 else -1, 0.1 + i / 7) for i, s in enumerate(SERVICES)]


@given(st.permutations(MIXED))
def test_order_of_arrival_does_not_matter(opinions: Opinions) -> None:
    assert last_lean(opinions) == pytest.approx(last_lean(MIXED), abs=1e-12)


@given(st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)).map(sorted))
def test_more_confidence_leans_further(confidences: list[float]) -> None:
    low, high = (last_lean([("momentum", 1, confidence)]) for confidence in confidences)
    assert low <= high + 1e-12


def test_more_agreeing_services_lean_further_and_opposite_ones_cancel() -> None:
    leans = [last_lean([(s, 1, 0.5) for s in SERVICES[:n]]) for n in range(1, 6)]
    assert leans == sorted(leans)
    assert leans[0] < leans[-1]
    assert last_lean([("momentum", 1, 0.8), ("regime", -1, 0.8)]) == pytest.approx(0.0, abs=0.01)
