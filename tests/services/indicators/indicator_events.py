"""Events for the indicators' tests, and the ways to feed them."""

from collections.abc import Iterable, Sequence

from desk.events import Book, Event, Funding, Signal, Trade
from desk.indicator import Indicator

START_MS = 1_700_000_000_000


def trade(
    price: float = 100.0,
    quantity: float = 1.0,
    *,
    buy: bool = True,
    at_ms: int = 0,
    symbol: str = "BTCUSDT",
) -> Trade:
    """Return a trade at_ms after the start."""
    return Trade(symbol, price, quantity, buy, START_MS + at_ms, at_ms)


def book(
    bids: Sequence[tuple[float, float]],
    asks: Sequence[tuple[float, float]],
    *,
    at_ms: int = 0,
    symbol: str = "BTCUSDT",
) -> Book:
    """Return an order book at_ms after the start."""
    return Book(symbol, tuple(bids), tuple(asks), START_MS + at_ms)


def funding(
    rate: float = 0.0001,
    *,
    mark: float = 100.0,
    index: float = 100.0,
    at_ms: int = 0,
    symbol: str = "BTCUSDT",
) -> Funding:
    """Return a funding update at_ms after the start."""
    return Funding(symbol, rate, mark, index, START_MS + at_ms)


def signal(
    direction: int = 1,
    confidence: float = 0.5,
    *,
    service: str = "momentum",
    at_ms: int = 0,
    symbol: str = "BTCUSDT",
) -> Signal:
    """Return a service's signal at_ms after the start."""
    return Signal(service, symbol, "macd_bps", 1.0, direction, confidence, START_MS + at_ms)


def feed(indicator: Indicator, events: Iterable[Event]) -> list[Signal]:
    """Return every signal the events give rise to."""
    return [found for event in events for found in indicator.update(event)]


def feed_closes(indicator: Indicator, closes: Sequence[float], bar_ms: int = 1_000) -> list[Signal]:
    """Feed one trade per bar and one more that completes the last bar."""
    prices = [*closes, closes[-1]]
    return feed(indicator, (trade(price, at_ms=i * bar_ms) for i, price in enumerate(prices)))


def values(found: Iterable[Signal], name: str) -> list[float]:
    """Return the values of the signals of that name, in order."""
    return [one.value for one in found if one.name == name]


def directions(found: Iterable[Signal], name: str) -> list[int]:
    """Return the directions of the signals of that name, in order."""
    return [one.direction for one in found if one.name == name]
