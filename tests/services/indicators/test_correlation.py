"""Correlation between symbols."""

import math
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlation import Correlation, Pair
from desk.events import Event
from desk.series import Gate
from indicator_events import feed, trade, values
from indicators import build

RETURN = st.floats(-0.1, 0.1)
RETURNS = st.lists(st.tuples(RETURN, RETURN), min_size=1, max_size=60)
Legs = Sequence[tuple[float | None, float | None]]
correlation = partial(build, Correlation, INTERVAL_MS="100", WARMUP_BARS="2")


def rho(returns: Legs, decay: float = 0.5) -> float | None:
    pair = Pair(decay, Gate(1_000))
    for first, second in returns:
        pair.add(first, second)
    return pair.value


def two_symbols(bars: range, *, inverse: bool = False) -> list[Event]:
    """Return both symbols' trades in the same bars, with the same or inverse relative moves."""
    levels = [(i, 1.0 + 0.01 * (i * 7 % 5)) for i in bars]
    return [
        event
        for i, level in levels
        for event in (
            trade(100.0 * level, at_ms=i * 1_000),
            trade(5.0 / level if inverse else 5.0 * level, at_ms=i * 1_000 + 10, symbol="ETHUSDT"),
        )
    ]


def many_symbols(bars: int, symbols: int) -> list[Event]:
    return [
        trade(100.0 + (i + j) % 7, at_ms=i * 1_000 + j, symbol=f"S{j}")
        for i in range(bars)
        for j in range(symbols)
    ]


def test_by_hand() -> None:
    """Returns (1, 1), (1, -1), decay 1/2: cross 1/4 - 1/2, both squares 1/4 + 1/2: rho -1/3."""
    assert rho([(1.0, 1.0), (1.0, -1.0)]) == pytest.approx(-1 / 3)


@given(RETURNS, st.floats(0.5, 0.999))
def test_equals_the_batch_formula_and_is_bounded(
    returns: list[tuple[float, float]], decay: float
) -> None:
    weighted = [(decay**i, *pair) for i, pair in enumerate(reversed(returns))]
    cross = math.fsum(w * a * b for w, a, b in weighted)
    first = math.fsum(w * a * a for w, a, _ in weighted)
    second = math.fsum(w * b * b for w, _, b in weighted)
    value = rho(returns, decay)
    if min(first, second) * (1 - decay) > 1e-20:
        assert value == pytest.approx(cross / math.sqrt(first) / math.sqrt(second), abs=1e-6)
    assert value is None or -1.0 <= value <= 1.0


@given(RETURNS, st.floats(0.5, 2.0))
def test_symmetric_and_free_of_scale(returns: list[tuple[float, float]], scale: float) -> None:
    value = rho(returns)
    assert rho([(b, a) for a, b in returns]) == pytest.approx(value, abs=1e-9)
    if value is not None and all(abs(a) > 1e-6 and abs(b) > 1e-6 for a, b in returns):
        assert rho([(a * scale, b) for a, b in returns]) == pytest.approx(value, abs=1e-6)
        assert rho([(a, -b) for a, b in returns]) == pytest.approx(-value, abs=1e-9)


@given(st.lists(st.tuples(st.none() | RETURN, st.none() | RETURN), max_size=60))
def test_returns_at_different_times_equal_the_sum_over_all_that_overlap(
    drawn: list[tuple[float | None, float | None]],
) -> None:
    """Hayashi and Yoshida's double sum, and no decay (0.99999) to speak of."""
    legs = [*drawn, (0.01, 0.02)]
    series: list[list[tuple[int, int, float]]] = [[], []]
    for end, leg in enumerate(legs, 1):
        for side, change in zip(series, leg, strict=True):
            if change is not None:
                side.append((side[-1][1] if side else 0, end, change))
    first, second = series
    cross = sum(r * q for s, e, r in first for t, f, q in second if s < f and t < e)
    squares = [math.fsum(change * change for *_, change in side) for side in series]
    expected = max(-1.0, min(1.0, cross / math.sqrt(squares[0] * squares[1])))
    assert rho(legs, 0.99999) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("inverse", [False, True])
def test_same_moves_correlate_fully_also_over_gaps_and_inverse_ones_negatively(
    step: int, inverse: bool
) -> None:
    found = feed(correlation(), two_symbols(range(0, 12 * step, step), inverse=inverse))
    assert values(found, "correlation") == pytest.approx([-1.0 if inverse else 1.0] * 9)
    assert {(one.symbol, one.direction) for one in found} == {("BTCUSDT/ETHUSDT", 0)}
    assert found[0].confidence == pytest.approx(1 - 0.97**2)


def test_a_symbol_that_stands_still_has_no_correlation() -> None:
    events = [trade(100.0 + i % 3, at_ms=i * 1_000) for i in range(40)]
    still = [trade(5.0, at_ms=i * 1_000 + 10, symbol="ETHUSDT") for i in range(40)]
    assert feed(correlation(), sorted([*events, *still], key=lambda one: one.time_ms)) == []


def test_a_pair_stays_silent_until_both_traded_again() -> None:
    indicator = correlation()
    feed(indicator, two_symbols(range(9)))
    alone = [trade(100.0 + i % 3, at_ms=i * 1_000) for i in range(9, 40)]
    assert len(feed(indicator, alone)) == 1  # for the last bar that both traded in
    again = [trade(5.1, at_ms=40_000, symbol="ETHUSDT"), trade(100.0, at_ms=41_000)]
    assert len(feed(indicator, again)) == 1


def test_pairs_are_capped() -> None:
    found = feed(correlation(SYMBOL_LIMIT="3"), many_symbols(10, 20))
    assert {one.symbol for one in found} == {"S0/S1", "S0/S2", "S1/S2"}


def test_recovers_from_one_time_far_in_the_future() -> None:
    assert feed(correlation(), [trade(1.0, at_ms=10**12), *many_symbols(120, 2)]) != []
