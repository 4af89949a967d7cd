"""Order flow imbalance."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.events import Book
from indicator_events import book, directions, feed, values
from indicators import build
from order_flow import OrderFlow, Quotes, flow

Quote = tuple[float, float, float, float]  # bid, its quantity, ask, its quantity

QUANTITY = st.integers(1, 50).map(float)
QUOTE = st.tuples(st.integers(90, 110).map(float), QUANTITY, st.integers(1, 5), QUANTITY).map(
    lambda drawn: (drawn[0], drawn[1], drawn[0] + drawn[2], drawn[3])
)
STEPS_MS = st.sampled_from([0, 300, 900, 1_700, 5_000, 9_000, 10_000, 11_000, 40_000])
order_flow = partial(build, OrderFlow, INTERVAL_MS="100")


def quoted(quote: Quote, at_ms: int = 0) -> Book:
    bid, bid_quantity, ask, ask_quantity = quote
    return book([(bid, bid_quantity)], [(ask, ask_quantity)], at_ms=at_ms)


def best(quote: Quote) -> Quotes:
    bid, bid_quantity, ask, ask_quantity = quote
    return ((bid, bid_quantity),), ((ask, ask_quantity),)


def bid_books(*steps: tuple[float, int]) -> list[Book]:
    """Return books whose best bid holds a quantity at a time, against six on offer."""
    return [quoted((100.0, quantity, 101.0, 6.0), at_ms) for quantity, at_ms in steps]


def paper_flow(before: Quote, now: Quote) -> float:
    """Return the paper's e_n, term by term."""
    bid_before, bid_size_before, ask_before, ask_size_before = before
    bid, bid_size, ask, ask_size = now
    bids = (bid >= bid_before) * bid_size - (bid <= bid_before) * bid_size_before
    return bids - (ask <= ask_before) * ask_size + (ask >= ask_before) * ask_size_before


BASE = (100.0, 5.0, 101.0, 6.0)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ((100.0, 8.0, 101.0, 6.0), +3.0),  # three more bid at the same price
        ((100.5, 4.0, 101.0, 6.0), +4.0),  # a better bid counts whole
        ((99.0, 9.0, 101.0, 6.0), -5.0),  # the old bid is gone
        ((100.0, 5.0, 101.0, 2.0), +4.0),  # four less on offer
        ((100.0, 5.0, 100.5, 7.0), -7.0),  # a better offer counts whole
        ((100.0, 5.0, 102.0, 7.0), +6.0),  # the old offer is gone
        (BASE, 0.0),
    ],
)
def test_single_events_by_hand(now: Quote, expected: float) -> None:
    assert flow(best(BASE), best(now)) == expected


def test_a_move_past_several_levels_counts_them_all() -> None:
    """Two ticks up: bids of 4 and 3 are new, offers of 6 and 7 are gone; and all of it back."""
    low: Quotes = (((100.0, 5.0), (99.0, 9.0)), ((101.0, 6.0), (102.0, 7.0), (103.0, 8.0)))
    high: Quotes = (((102.0, 4.0), (101.0, 3.0), (100.0, 5.0)), ((103.0, 8.0),))
    assert flow(low, high) == (4 + 3) + (6 + 7)
    assert flow(high, low) == -(4 + 3) - (6 + 7)


@given(QUOTE, QUOTE)
def test_best_quotes_alone_give_the_paper_s_formula_and_mirror(before: Quote, now: Quote) -> None:
    def mirror(quote: Quote) -> Quotes:
        bid, bid_quantity, ask, ask_quantity = quote
        return best((-ask, ask_quantity, -bid, bid_quantity))

    assert flow(best(before), best(now)) == paper_flow(before, now)
    assert flow(mirror(before), mirror(now)) == -paper_flow(before, now)


def test_window_by_hand() -> None:
    """Slots of +3 and -1; mean depth ((5+6)/2 + (8+6)/2 + (7+6)/2) / 3; 2 of 4 in agreement."""
    found = feed(order_flow(), bid_books((5.0, 0), (8.0, 100), (7.0, 1_000), (7.0, 2_000)))
    assert values(found, "order_flow_imbalance")[-1] == pytest.approx(2 / ((5.5 + 7.0 + 6.5) / 3))
    assert directions(found, "order_flow_imbalance") == [1, 0]
    assert [one.confidence for one in found] == pytest.approx([1.0, (3 - 1) / (3 + 1)])


def test_flow_leaves_with_its_slot_and_a_long_gap_empties_the_window() -> None:
    later = [(8.0, i * 1_000) for i in range(1, 12)]
    found = feed(order_flow(), bid_books((5.0, 0), (8.0, 1), *later))
    flows = values(found, "order_flow_imbalance")
    assert [value > 0.0 for value in flows] == [True] * 10 + [False]
    assert flows[-1] == 0.0
    found = feed(order_flow(), bid_books((5.0, 0), (8.0, 1), (8.0, 10**6), (8.0, 10**6 + 1_000)))
    assert values(found, "order_flow_imbalance") == [0.0]


@given(st.lists(st.tuples(QUOTE, STEPS_MS), min_size=40, max_size=60))
def test_equals_the_batch_sum_over_the_window(steps: list[tuple[Quote, int]]) -> None:
    indicator, now = order_flow(), 0
    seen: list[tuple[int, float, float]] = []
    before: Quote | None = None
    for quote, step in steps:
        now += step
        found = feed(indicator, [quoted(quote, now)])
        slot = now // 1_000
        window = [(e, d) for then, e, d in seen if slot - 10 <= then < slot]
        assert len(found) == (1 if window and seen[-1][0] < slot else 0)
        if found:
            expected = sum(e for e, _ in window) / (sum(d for _, d in window) / len(window))
            assert found[0].value == pytest.approx(expected, abs=1e-9)
        change = paper_flow(before, quote) if before else 0.0
        seen.append((slot, change, (quote[1] + quote[3]) / 2))
        before = quote


def test_an_unusable_book_is_skipped_and_so_is_an_unusable_level() -> None:
    crossed = book([(105.0, 99.0)], [(101.0, 6.0)], at_ms=100)
    holes = book([(100.0, 6.0), (99.0, 0.0), (98.0, float("inf"))], [(101.0, 6.0)], at_ms=200)
    (first, last) = bid_books((5.0, 0), (6.0, 1_000))
    found = values(feed(order_flow(), [first, crossed, holes, last]), "order_flow_imbalance")
    assert found == pytest.approx([1 / ((5.5 + 6.0) / 2)])
