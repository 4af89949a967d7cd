"""Events that travel through the streams, and the values that they may have.

Named tuples rather than dataclasses: as immutable and as readable, and importing `dataclasses`
costs every service 1.5 MiB. Times are integer milliseconds since the Unix epoch (exchange time).
`codec` has their form as stream entries.
"""

from math import isfinite
from typing import NamedTuple, TypeAlias

Level: TypeAlias = tuple[float, float]

LONGEST_TEXT = 64
MOST_LEVELS = 1_000
LAST_TIME_MS = 1 << 53
INFINITY = float("inf")


class BadMessage(ValueError):  # noqa: N818 - names the message, not the failure
    """A message that can't be an event; the text says which field and why."""


class Trade(NamedTuple):
    """One trade on the exchange; the taker crossed the spread."""

    symbol: str
    price: float
    quantity: float
    taker_is_buyer: bool
    time_ms: int
    id: int

    def check(self) -> None:
        """Raise BadMessage for a value that no trade has."""
        _check_name("symbol", self.symbol)
        _check_positive("price", self.price)
        _check_positive("quantity", self.quantity)
        _check_time(self.time_ms)


class Book(NamedTuple):
    """The best levels of an order book, best first, as (price, quantity)."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time_ms: int

    def check(self) -> None:
        """Raise BadMessage for a value that no book has."""
        _check_name("symbol", self.symbol)
        _check_levels("bids", self.bids)
        _check_levels("asks", self.asks)
        _check_time(self.time_ms)


class Funding(NamedTuple):
    """A perpetual contract's funding rate, and the prices that follow from its index."""

    symbol: str
    rate: float
    mark_price: float
    index_price: float
    time_ms: int

    def check(self) -> None:
        """Raise BadMessage for a value that no funding update has."""
        _check_name("symbol", self.symbol)
        _check_finite("rate", self.rate)
        _check_positive("mark_price", self.mark_price)
        _check_positive("index_price", self.index_price)
        _check_time(self.time_ms)


class Signal(NamedTuple):
    """A service's conclusion about a symbol."""

    service: str
    symbol: str
    name: str
    value: float
    direction: int  # -1, 0, +1
    confidence: float  # 0..1
    time_ms: int

    def check(self) -> None:
        """Raise BadMessage for a value that no signal has."""
        _check_name("service", self.service)
        _check_name("symbol", self.symbol)
        _check_name("name", self.name)
        _check_finite("value", self.value)
        if not -1 <= self.direction <= 1:
            raise BadMessage(f"direction: {self.direction} is not -1, 0 or 1")
        if not 0.0 <= self.confidence <= 1.0:
            raise BadMessage(f"confidence: {self.confidence} is not within 0..1")
        _check_time(self.time_ms)


Event: TypeAlias = Trade | Book | Funding | Signal


def _check_name(field: str, text: str) -> None:
    if not text or len(text) > LONGEST_TEXT or not (text.isascii() and text.isprintable()):
        raise BadMessage(f"{field}: {text[:LONGEST_TEXT]!r} is not a name")


def _check_finite(field: str, number: float) -> None:
    if not isfinite(number):
        raise BadMessage(f"{field}: {number} is not a finite number")


def _check_positive(field: str, number: float) -> None:
    if not 0.0 < number < INFINITY:
        raise BadMessage(f"{field}: {number} is not a finite number above 0")


def _check_time(time_ms: int) -> None:
    if not 0 < time_ms <= LAST_TIME_MS:
        raise BadMessage(f"time_ms: {time_ms} is not a time")


def _check_levels(field: str, levels: tuple[Level, ...]) -> None:
    if len(levels) > MOST_LEVELS:
        raise BadMessage(f"{field}: more than {MOST_LEVELS} levels")
    for price, quantity in levels:
        if not (0.0 < price < INFINITY and 0.0 <= quantity < INFINITY):
            raise BadMessage(f"{field}: {price}:{quantity} is not a level")
