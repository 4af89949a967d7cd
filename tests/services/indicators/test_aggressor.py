"""Trade imbalance and VPIN."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggressor import Aggressor
from indicator_events import directions, feed, trade, values
from indicators import build

SIDES = st.lists(st.booleans(), min_size=1, max_size=120)
TRADES = st.lists(st.tuples(st.floats(0.01, 1e4), st.booleans()), min_size=1, max_size=120)


def small(buckets: int = 2, trades: int = 2) -> Aggressor:
    return build(Aggressor, BUCKETS=f"{buckets}", BUCKET_TRADES=f"{trades}", INTERVAL_MS="100")


@pytest.mark.parametrize(
    ("sides", "imbalance", "vpin", "confidence"),
    [
        ((1, 0, 1, 1), [0.0, 20 / 40], [0.0, 20 / 40], [0.0, 0.5]),
        ((1, 1, 1, 1), [1.0, 1.0], [1.0, 1.0], [0.5, 1.0]),  # half the window was seen at first
        ((1, 1, 0, 0), [1.0, 0.0], [1.0, 1.0], [0.5, 0.0]),  # opposite buckets cancel, not in VPIN
    ],
)
def test_two_buckets_of_two_equal_trades_by_hand(
    sides: tuple[int, ...], imbalance: list[float], vpin: list[float], confidence: list[float]
) -> None:
    events = (trade(1.0, 10.0, buy=side == 1, at_ms=i * 100) for i, side in enumerate(sides))
    found = feed(small(), events)
    assert values(found, "trade_imbalance") == pytest.approx(imbalance)
    assert values(found, "vpin") == pytest.approx(vpin)
    assert directions(found, "trade_imbalance") == [int(value > 0.2) for value in imbalance]
    assert [one.confidence for one in found[::2]] == pytest.approx(confidence)


def test_a_trade_is_split_over_buckets() -> None:
    """10 + 10 fill the first bucket of 20; the mean trade sizes the next ones.

    After trades of 10, 5 and 45 the mean is (0.9801*10 + 0.99*5 + 45) / 2.9701 = 20.1176, so the
    first bucket takes 5 of the 45, the second one (40.2353) the other 40 but isn't full.
    """
    events = [trade(1.0, 10.0, buy=False), trade(1.0, 5.0, buy=False), trade(1.0, 45.0)]
    indicator = small()
    found = feed(indicator, events)
    assert values(found, "trade_imbalance") == pytest.approx([(5 - 15) / 20])
    more = feed(indicator, [trade(1.0, 1.0, buy=True, at_ms=100)])
    assert values(more, "trade_imbalance") == pytest.approx([(-10 + 40.2353) / 60.2353], abs=1e-4)


@given(SIDES)
def test_equal_trades_give_the_textbook_batch_formula(sides: list[bool]) -> None:
    buckets, size = 3, 4
    events = (trade(1.0, 7.0, buy=b, at_ms=i * 100) for i, b in enumerate(sides))
    found = feed(small(buckets, size), events)
    signs = [1 if b else -1 for b in sides]
    nets = [sum(signs[i : i + size]) for i in range(0, len(signs) - size + 1, size)]
    expected = [
        sum(map(abs, nets[max(0, i - buckets + 1) : i + 1])) / (min(buckets, i + 1) * size)
        for i in range(len(nets))
    ]
    assert values(found, "vpin") == pytest.approx(expected, abs=1e-6)


@given(TRADES)
def test_bounds_and_symmetry(trades: list[tuple[float, bool]]) -> None:
    def run(*, flip: bool) -> tuple[list[float], list[float]]:
        events = (trade(1.0, q, buy=b != flip, at_ms=i * 100) for i, (q, b) in enumerate(trades))
        found = feed(small(3, 5), events)
        return values(found, "trade_imbalance"), values(found, "vpin")

    imbalance, vpin = run(flip=False)
    mirrored, same = run(flip=True)
    assert vpin == same
    assert imbalance == [-value for value in mirrored]
    assert all(
        abs(i) <= v + 1e-12 and 0.0 <= v <= 1.0 for i, v in zip(imbalance, vpin, strict=True)
    )


def test_gigantic_trades_do_not_stall_and_swamp_the_window() -> None:
    giants = [trade(1e7, 1e7, buy=False, at_ms=i * 100) for i in (1, 2)]
    found = feed(small(20, 2), [trade(1.0, 1e-6), *giants])
    assert values(found, "trade_imbalance") == pytest.approx([0.0, -1.0])
