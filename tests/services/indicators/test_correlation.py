"""Correlation between symbols."""

import math
from collections.abc import Iterable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlation import Correlation, Pair
from desk.series import Gate
from indicator_events import feed, trade, values
from indicators import build

RETURNS = st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)), min_size=1, max_size=60)


correlation = partial(build, Correlation, INTERVAL_MS="100", WARMUP_BARS="2")


def pair_of(returns: Iterable[tuple[float | None, float | None]], decay: float = 0.5) -> Pair:
    pair = Pair(decay, Gate(1_000))
    for first, second in returns:
        pair.add(first, second)
    return pair


def test_by_hand() -> None:
    """Returns (1, 1) then (1, -1), decay 1/2.

    cross = 1/4 - 1/2 = -1/4, both squares = 1/4 + 1/2 = 3/4: rho = -1/3.
    """
    assert pair_of([(1.0, 1.0), (1.0, -1.0)]).value == pytest.approx(-1 / 3)


@given(RETURNS, st.floats(0.5, 0.999))
def test_equals_the_batch_formula_and_is_bounded(
    returns: list[tuple[float, float]], decay: float
) -> None:
    weights = [decay**i for i in reversed(range(len(returns)))]
    cross = math.fsum(w * a * b for w, (a, b) in zip(weights, returns, strict=True))
    first = math.fsum(w * a * a for w, (a, _) in zip(weights, returns, strict=True))
    second = math.fsum(w * b * b for w, (_, b) in zip(weights, returns, strict=True))
    value = pair_of(returns, decay).value
    if min(first, second) * (1 - decay) > 1e-20:
        assert value == pytest.approx(cross / math.sqrt(first) / math.sqrt(second), abs=1e-6)
    assert value is None or -1.0 <= value <= 1.0


@given(RETURNS, st.floats(0.5, 2.0))
def test_symmetric_and_free_of_scale(returns: list[tuple[float, float]], scale: float) -> None:
    value = pair_of(returns).value
    assert pair_of([(b, a) for a, b in returns]).value == pytest.approx(value, abs=1e-9)
    if value is not None and all(abs(a) > 1e-6 and abs(b) > 1e-6 for a, b in returns):
        assert pair_of([(a * scale, b) for a, b in returns]).value == pytest.approx(value, abs=1e-6)
        assert pair_of([(a, -b) for a, b in returns]).value == pytest.approx(-value, abs=1e-9)


LEGS = st.lists(
    st.tuples(st.none() | st.floats(-0.1, 0.1), st.none() | st.floats(-0.1, 0.1)), max_size=60
)


@given(LEGS)
def test_returns_at_different_times_equal_the_sum_over_all_that_overlap(
    legs: list[tuple[float | None, float | None]],
) -> None:
    """Hayashi and Yoshida's double sum, and no weight that decays (0.99999) to speak of."""
    legs = [*legs, (0.01, 0.02)]
    series: list[list[tuple[int, int, float]]] = []
    for side in (0, 1):
        ends = [(end, leg[side]) for end, leg in enumerate(legs, 1) if leg[side] is not None]
        starts = [0, *(end for end, _ in ends)]
        series.append([(s, e, float(r or 0.0)) for s, (e, r) in zip(starts, ends, strict=False)])
    first, second = series
    cross = sum(r * q for s, e, r in first for t, f, q in second if s < f and t < e)
    squares = [math.fsum(r * r for _, _, r in one) for one in series]
    expected = max(-1.0, min(1.0, cross / math.sqrt(squares[0] * squares[1])))
    assert pair_of(legs, 0.99999).value == pytest.approx(expected, abs=0.01)


def test_a_pair_stays_silent_until_both_traded_again() -> None:
    events = [
        trade(100.0 + (i + j) % 3, at_ms=i * 1_000 + j, symbol=f"S{j}")
        for i in range(9)
        for j in range(2)
    ]
    alone = [trade(100.0 + i % 3, at_ms=i * 1_000, symbol="S0") for i in range(9, 40)]
    indicator = correlation()
    feed(indicator, events)
    assert len(feed(indicator, alone)) == 1  # the last bar that both traded in
    again = [trade(99.0, at_ms=40_000, symbol="S1"), trade(100.0, at_ms=41_000, symbol="S0")]
    assert len(feed(indicator, again)) == 1


def run_two(second_price: float, *, same: bool) -> list[float]:
    """Feed ETH with the same (or the inverse) relative moves as BTC."""
    events = []
    for i in range(12):
        level = 1.0 + 0.01 * (i * 7 % 5)
        other = level if same else 1.0 / level
        events.append(trade(100.0 * level, at_ms=i * 1_000))
        events.append(trade(second_price * other, at_ms=i * 1_000 + 10, symbol="ETHUSDT"))
    found = feed(correlation(), events)
    assert {(one.symbol, one.direction) for one in found} == {("BTCUSDT/ETHUSDT", 0)}
    assert found[0].confidence == pytest.approx(1 - 0.97**2)
    return values(found, "correlation")


def test_same_moves_correlate_fully_and_inverse_moves_negatively() -> None:
    assert run_two(5.0, same=True) == pytest.approx([1.0] * 9)
    assert run_two(5.0, same=False) == pytest.approx([-1.0] * 9)


def test_a_symbol_that_stands_still_has_no_correlation() -> None:
    events = [trade(100.0 + i % 3, at_ms=i * 1_000) for i in range(20)]
    events += [trade(5.0, at_ms=19_500, symbol="ETHUSDT")]
    events += [trade(100.0 + i % 3, at_ms=i * 1_000) for i in range(20, 40)]
    assert feed(correlation(), events) == []


def test_returns_over_a_gap_cover_the_same_time() -> None:
    """ETH trades every third bar only, but its moves over those bars equal BTC's."""
    events = []
    for i in range(0, 60, 3):
        level = 1.0 + 0.01 * (i * 7 % 5)
        events.append(trade(100.0 * level, at_ms=i * 1_000))
        events.append(trade(5.0 * level, at_ms=i * 1_000 + 10, symbol="ETHUSDT"))
    assert values(feed(correlation(), events), "correlation")[-1] == pytest.approx(1.0)


def test_pairs_are_capped() -> None:
    events = [
        trade(100.0 + (i + j) % 7, at_ms=i * 1_000 + j, symbol=f"S{j}")
        for i in range(10)
        for j in range(20)
    ]
    found = feed(correlation(SYMBOL_LIMIT="3"), events)
    assert {one.symbol for one in found} == {"S0/S1", "S0/S2", "S1/S2"}


def test_recovers_from_one_time_far_in_the_future() -> None:
    indicator = correlation()
    feed(indicator, [trade(1.0, at_ms=10**12)])
    events = [
        trade(100.0 + (i + j) % 7, at_ms=i * 1_000 + j, symbol=f"S{j}")
        for i in range(120)
        for j in range(2)
    ]
    assert feed(indicator, events) != []
