"""Order flow imbalance."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import book, directions, feed, values
from order_flow import OrderFlow, Quote, flow

BASE = (100.0, 5.0, 101.0, 6.0)
PRICE = st.integers(90, 110).map(float)
QUANTITY = st.integers(1, 50).map(float)
QUOTES = st.lists(st.tuples(PRICE, QUANTITY, st.integers(1, 5), QUANTITY), min_size=2, max_size=80)
LONG_QUOTES = st.lists(
    st.tuples(PRICE, QUANTITY, st.integers(1, 5), QUANTITY), min_size=40, max_size=60
)
STEPS_MS = st.sampled_from([0, 300, 900, 1_700, 5_000, 9_000, 10_000, 11_000, 40_000])


def order_flow(**settings: str) -> OrderFlow:
    every_slot = {"ORDER_FLOW_INTERVAL_MS": "100"}
    return OrderFlow.from_env(every_slot | {f"ORDER_FLOW_{k}": v for k, v in settings.items()})


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
    assert flow(BASE, now) == expected


def test_window_by_hand() -> None:
    """Flows +3 and -1 in the window; mean depth ((5+6)/2 + (8+6)/2 + (7+6)/2) / 3."""
    books = [
        book([(100.0, 5.0)], [(101.0, 6.0)]),
        book([(100.0, 8.0)], [(101.0, 6.0)], at_ms=100),
        book([(100.0, 7.0)], [(101.0, 6.0)], at_ms=200),
        book([(100.0, 7.0)], [(101.0, 6.0)], at_ms=1_000),
    ]
    found = feed(order_flow(), books)
    assert values(found, "order_flow_imbalance") == pytest.approx([2 / ((5.5 + 7.0 + 6.5) / 3)])
    assert directions(found, "order_flow_imbalance") == [1]
    assert found[0].confidence == pytest.approx((3 - 1) / (3 + 1))


def test_direction_does_not_depend_on_the_unit_of_quantity() -> None:
    books = [
        book([(100.0, 5e-6)], [(101.0, 6e-6)]),
        book([(100.0, 4e-6)], [(101.0, 6e-6)], at_ms=100),
        book([(100.0, 4e-6)], [(101.0, 6e-6)], at_ms=1_000),
    ]
    found = feed(order_flow(), books)
    assert directions(found, "order_flow_imbalance") == [-1]
    assert found[0].confidence == 1.0


def test_flow_leaves_with_its_slot() -> None:
    books = [book([(100.0, 5.0)], [(101.0, 6.0)]), book([(100.0, 8.0)], [(101.0, 6.0)], at_ms=1)]
    books += [book([(100.0, 8.0)], [(101.0, 6.0)], at_ms=i * 1_000) for i in range(1, 12)]
    found = values(feed(order_flow(), books), "order_flow_imbalance")
    assert [value > 0.0 for value in found] == [True] * 10 + [False]
    assert found[-1] == 0.0


def test_a_long_gap_empties_the_window() -> None:
    books = [book([(100.0, 5.0)], [(101.0, 6.0)]), book([(100.0, 8.0)], [(101.0, 6.0)], at_ms=1)]
    later = [book([(100.0, 8.0)], [(101.0, 6.0)], at_ms=10**6 + i * 1_000) for i in range(2)]
    assert values(feed(order_flow(), books + later), "order_flow_imbalance") == [0.0]


@given(LONG_QUOTES, st.lists(STEPS_MS, min_size=60, max_size=60))
def test_equals_the_batch_sum_over_the_window(
    quotes: list[tuple[float, float, int, float]], steps: list[int]
) -> None:
    indicator, now = order_flow(), 0
    seen: list[tuple[int, float, float]] = []
    before: Quote | None = None
    for (bid, bid_quantity, gap, ask_quantity), step in zip(quotes, steps, strict=False):
        now += step
        quote = (bid, bid_quantity, bid + gap, ask_quantity)
        found = feed(
            indicator, [book([(bid, bid_quantity)], [(bid + gap, ask_quantity)], at_ms=now)]
        )
        slot = now // 1_000
        window = [(e, d) for then, e, d in seen if slot - 10 <= then < slot]
        assert len(found) == (1 if window and seen[-1][0] < slot else 0)
        if found:
            expected = sum(e for e, _ in window) / (sum(d for _, d in window) / len(window))
            assert found[0].value == pytest.approx(expected, abs=1e-9)
        change = flow(before, quote) if before else 0.0
        seen.append((slot, change, (bid_quantity + ask_quantity) / 2))
        before = quote


@given(QUOTES)
def test_mirrored_book_mirrors_the_flow(quotes: list[tuple[float, float, int, float]]) -> None:
    plain = [(bid, q, bid + gap, r) for bid, q, gap, r in quotes]
    mirror = [(-ask, r, -bid, q) for bid, q, ask, r in plain]
    forward = [flow(a, b) for a, b in itertools.pairwise(plain)]
    assert forward == [-flow(a, b) for a, b in itertools.pairwise(mirror)]


def test_a_crossed_book_is_skipped() -> None:
    books = [
        book([(100.0, 5.0)], [(101.0, 6.0)]),
        book([(105.0, 99.0)], [(101.0, 6.0)], at_ms=100),
        book([(100.0, 6.0)], [(101.0, 6.0)], at_ms=200),
        book([(100.0, 6.0)], [(101.0, 6.0)], at_ms=1_000),
    ]
    found = values(feed(order_flow(), books), "order_flow_imbalance")
    assert found == pytest.approx([1 / ((5.5 + 6.0) / 2)])
