"""Moves over bars without a trade."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.gaps import Move, Moves

CHANGES = st.lists(st.tuples(st.floats(-10.0, 10.0), st.integers(1, 20)), min_size=2, max_size=60)


@given(st.floats(-1e6, 1e6), st.floats(0.0, 1e6))
def test_a_single_bar_rises_or_falls_by_its_change(change: float, variance: float) -> None:
    assert Move(1, change, variance).rise_and_fall() == (max(0.0, change), max(0.0, -change))


@pytest.mark.parametrize(("change", "variance"), [(0.0, 1.0), (0.7, 1.0), (-2.0, 4.0)])
def test_rise_and_fall_are_those_of_a_simulated_bridge(change: float, variance: float) -> None:
    rng, bars = random.Random(1), 8
    steps = []
    for _ in range(4_000):
        walk = [rng.gauss(0.0, math.sqrt(variance)) for _ in range(bars)]
        steps += [step - statistics.fmean(walk) + change for step in walk]
    rise, fall = Move(bars, change, variance).rise_and_fall()
    assert rise == pytest.approx(statistics.fmean(max(0.0, step) for step in steps), abs=0.02)
    assert fall == pytest.approx(statistics.fmean(max(0.0, -step) for step in steps), abs=0.02)


@given(CHANGES)
def test_variance_equals_the_batch_formula(changes: list[tuple[float, int]]) -> None:
    moves, close = Moves(), 100.0
    moves.add(close)
    for change, bars in changes:
        close += change
        moves.add(close, bars)
    move = moves.add(close + 1.0, 2)
    changes = [*changes, (1.0, 2)]
    weights = [0.97**i for i in reversed(range(len(changes)))]
    total = math.fsum(weights)
    drift = math.fsum(w * c for w, (c, _) in zip(weights, changes, strict=True)) / math.fsum(
        w * k for w, (_, k) in zip(weights, changes, strict=True)
    )
    squares = [w * (c - drift * k) ** 2 / k for w, (c, k) in zip(weights, changes, strict=True)]
    freedom = total - math.fsum(w * w for w in weights) / total
    assert move is not None
    assert move.variance == pytest.approx(math.fsum(squares) / freedom, rel=1e-6, abs=1e-9)


@given(st.floats(-10.0, 10.0), st.lists(st.integers(1, 30), min_size=1, max_size=30))
def test_a_straight_line_hides_nothing(slope: float, gaps: list[int]) -> None:
    moves, bar = Moves(), 0
    moves.add(0.0)
    for gap in gaps:
        bar += gap
        move = moves.add(slope * bar, gap)
        assert move is not None
        assert sum(move.rise_and_fall()) == pytest.approx(abs(slope), rel=1e-3, abs=1e-3)


def test_one_move_alone_says_nothing_about_the_variance() -> None:
    moves = Moves()
    assert moves.add(100.0) is None
    assert moves.add(110.0, 5) == Move(5, 2.0, 0.0)
