"""Spread and depth."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import book, directions, feed, values
from indicators import build
from liquidity import Liquidity, depth_imbalance, relative_spread_bps

AMOUNT = st.floats(1e-6, 1e6)
LEVELS = st.lists(st.tuples(AMOUNT, AMOUNT), min_size=1, max_size=12)


liquidity = partial(build, Liquidity, INTERVAL_MS="100", WARMUP_BOOKS="1")


def test_spread_and_depth_by_hand() -> None:
    """(101 - 99) / 100 = 200 bps; bids 3 + 4, asks 2 + 1: (7 - 3) / 10; the best: (3 - 2) / 5."""
    levels = book([(99.0, 3.0), (98.0, 4.0)], [(101.0, 2.0), (102.0, 1.0)])
    assert relative_spread_bps(levels) == pytest.approx(200.0)
    assert depth_imbalance(levels, 10) == pytest.approx(0.4)
    assert depth_imbalance(levels, 1) == pytest.approx(0.2)


def test_smoothed_imbalance_by_hand() -> None:
    """Imbalances 1/2, then -1/2, each for a second at a decay of 1/2 a second.

    (1/4 * 1/2 - 1/2 * 1/2) / (3/4) = -1/6; the last book, just come, doesn't count yet.
    """
    books = [
        book([(99.0, bid)], [(101.0, ask)], at_ms=at_ms)
        for bid, ask, at_ms in ((3.0, 1.0, 0), (1.0, 3.0, 1_000), (9.0, 1.0, 2_000))
    ]
    found = feed(liquidity(DEPTH_DECAY="0.5"), books)
    assert values(found, "depth_imbalance") == pytest.approx([0.5, 0.5, -1 / 6])
    assert directions(found, "depth_imbalance") == [1, 1, 0]
    assert directions(found, "relative_spread_bps") == [0, 0, 0]


def test_a_book_counts_for_as_long_as_it_stands() -> None:
    """Ten equal books in a second are one book of a second."""

    def last(*times: int) -> float:
        rising = [book([(99.0, 1.0)], [(101.0, 1.0)], at_ms=at_ms) for at_ms in (-2_000, *times)]
        after = [book([(99.0, 3.0)], [(101.0, 1.0)], at_ms=at_ms) for at_ms in (1_000, 3_000)]
        return values(feed(liquidity(), [*rising, *after]), "depth_imbalance")[-1]

    assert last(*range(0, 1_000, 100)) == pytest.approx(last(0))


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([], [(101.0, 1.0)]),
        ([(99.0, 1.0)], []),
        ([(102.0, 1.0)], [(101.0, 1.0)]),
        ([(99.0, 0.0)], [(101.0, 1.0)]),
        ([(99.0, 1.0)], [(float("nan"), 1.0)]),
        ([(99.0, float("inf"))], [(101.0, 1.0)]),
    ],
)
def test_unusable_books_are_skipped(
    bids: list[tuple[float, float]], asks: list[tuple[float, float]]
) -> None:
    indicator = liquidity()
    assert feed(indicator, [book(bids, asks, at_ms=10**9)]) == []
    assert feed(indicator, [book([(99.0, 1.0)], [(101.0, 1.0)])]) != []


@given(LEVELS, LEVELS)
def test_imbalance_is_bounded_and_mirrors(
    bids: list[tuple[float, float]], asks: list[tuple[float, float]]
) -> None:
    imbalance = depth_imbalance(book(bids, asks), 10)
    assert imbalance is not None
    assert -1.0 <= imbalance <= 1.0
    assert depth_imbalance(book(asks, bids), 10) == -imbalance


@given(st.floats(1.0, 1e5), st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_spread_grows_with_the_ask(bid: float, gap: float, more: float) -> None:
    near, far = (
        relative_spread_bps(book([(bid, 1.0)], [(bid * ratio, 1.0)]))
        for ratio in (1 + gap, 1 + gap + more)
    )
    assert near is not None
    assert far is not None
    assert 0.0 <= near <= far


def test_a_sudden_wide_spread_signals_at_once() -> None:
    usual = [book([(99.0, 1.0)], [(101.0, 1.0)], at_ms=i * 10) for i in range(100)]
    wide = book([(90.0, 1.0)], [(110.0, 1.0)], at_ms=1_500)
    found = feed(liquidity(INTERVAL_MS="10000"), [*usual, wide])
    assert values(found, "relative_spread_bps") == pytest.approx([200.0, 2_000.0])
