"""MACD and Wilder's RSI."""

import itertools
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicator_events import directions, feed_closes, values
from indicators import build
from momentum import Macd, Momentum, WilderRsi

CLOSES = st.lists(st.floats(1.0, 1e5), min_size=2, max_size=80)
WHOLE_CLOSES = st.lists(st.integers(1, 100_000).map(float), min_size=2, max_size=80)


def rsi_of(closes: list[float], length: int) -> float | None:
    rsi = WilderRsi(length)
    for close in closes:
        rsi.add(close)
    return rsi.value


momentum = partial(build, Momentum, INTERVAL_MS="100")


@pytest.mark.parametrize(
    ("closes", "length", "expected"),
    [
        ([10, 11], 2, None),
        ([10, 11, 10], 2, 50.0),  # changes +1, -1: G = L = 1/2
        ([10, 11, 10, 12], 2, 100 - 100 / (1 + 1.25 / 0.25)),  # G = (1/2 + 2)/2, L = (1/2 + 0)/2
        ([5.0] * 10, 3, 50.0),
        ([1.0, 2.0, 3.0, 4.0], 3, 100.0),
        ([4.0, 3.0, 2.0, 1.0], 3, 0.0),
    ],
)
def test_rsi_by_hand(closes: list[float], length: int, expected: float | None) -> None:
    assert rsi_of(closes, length) == pytest.approx(expected)


def test_macd_by_hand() -> None:
    """EMAs of weight 1 (fast) and 1/2 (slow, signal) of the closes 10 and 14.

    slow = (10/4 + 14/2) / (3/4) = 38/3, MACD = 14 - 38/3 = 4/3,
    signal line = (0/4 + 4/3/2) / (3/4) = 8/9, histogram = 4/3 - 8/9 = 4/9.
    """
    macd = Macd(1, 3, 3)
    macd.add(10.0)
    assert macd.histogram == pytest.approx(0.0)
    macd.add(14.0)
    assert macd.histogram == pytest.approx(4 / 9)


def test_signal_by_hand() -> None:
    """Closes 10 and four of 14, weights as above: the 10 keeps the share 2^-n / (1 - 2^-n).

    MACD = 4 times that share: 0, 4/3, 4/7, 4/15, 4/31; the signal line after five bars is
    (4/3/16 + 4/7/8 + 4/15/4 + 4/31/2) / (31/32). The histogram is given in bps of 14.
    """
    closes = [10.0, 14.0, 14.0, 14.0, 14.0]
    found = feed_closes(momentum(FAST="1", SLOW="3", SIGNAL="3", RSI_LENGTH="2"), closes)
    line = (4 / 3 / 16 + 4 / 7 / 8 + 4 / 15 / 4 + 4 / 31 / 2) / (31 / 32)
    assert values(found, "macd_bps") == pytest.approx([10_000 * (4 / 31 - line) / 14])
    assert values(found, "rsi") == pytest.approx([100.0])
    assert [one.confidence for one in found] == pytest.approx([1.0, 1.0])
    assert directions(found, "macd_bps") == [0]


@given(CLOSES, st.integers(2, 10))
def test_rsi_equals_the_batch_formula(closes: list[float], length: int) -> None:
    changes = [b - a for a, b in itertools.pairwise(closes)]
    if len(changes) < length:
        assert rsi_of(closes, length) is None
        return
    gain = sum(max(c, 0.0) for c in changes[:length]) / length
    loss = sum(max(-c, 0.0) for c in changes[:length]) / length
    for change in changes[length:]:
        gain = (gain * (length - 1) + max(change, 0.0)) / length
        loss = (loss * (length - 1) + max(-change, 0.0)) / length
    expected = 100.0 * gain / (gain + loss) if gain + loss else 50.0
    assert rsi_of(closes, length) == pytest.approx(expected, abs=1e-6)


@given(WHOLE_CLOSES)
def test_rsi_mirrors_with_the_price(closes: list[float]) -> None:
    rsi = rsi_of(closes, 2)
    mirrored = rsi_of([2e5 - c for c in closes], 2)
    if rsi is not None:
        assert mirrored == pytest.approx(100.0 - rsi)


@pytest.mark.parametrize(("growth", "direction"), [(1.01, 1), (0.99, -1)])
def test_direction_follows_an_accelerating_price(growth: float, direction: int) -> None:
    closes = [100.0] * 40 + [100.0 * growth ** (i * i / 10) for i in range(20)]
    assert directions(feed_closes(momentum(), closes), "macd_bps")[-1] == direction


@pytest.mark.parametrize(("band", "direction"), [("33", 1), ("34", 0)])
def test_confidence_and_band_by_hand(band: str, direction: int) -> None:
    """The RSI of 83.33 from above is 33.33 over the middle: confidence 2/3."""
    settings = {"FAST": "1", "SLOW": "2", "SIGNAL": "2", "RSI_LENGTH": "2", "RSI_BAND": band}
    found = feed_closes(momentum(**settings), [10.0, 11.0, 10.0, 12.0])
    assert values(found, "rsi")[-1] == pytest.approx(83.3333, abs=1e-4)
    assert found[-1].confidence == pytest.approx(2 / 3)
    assert directions(found, "macd_bps")[-1] == direction


def test_nothing_before_warm_up_and_no_direction_of_a_flat_price() -> None:
    assert feed_closes(momentum(), [100.0] * 33) == []
    found = feed_closes(momentum(), [100.0] * 50)
    assert directions(found, "macd_bps") == [0] * 17
    assert values(found, "macd_bps") == pytest.approx([0.0] * 17, abs=1e-9)
