"""Events that travel through the streams, and their form as stream fields.

Named tuples rather than dataclasses: as immutable and as readable, and importing `dataclasses`
costs every service 1.5 MiB. Times are integer milliseconds since the Unix epoch (exchange time).
Field names and their order never vary within a stream, which lets Redis store them only once.
"""

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple, TypeAlias

Fields: TypeAlias = Mapping[bytes, bytes]
Level: TypeAlias = tuple[float, float]

LONGEST_TEXT = 64
LONGEST_NUMBER = 20
MOST_LEVELS = 1_000
LAST_TIME_MS = 1 << 53


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

    def to_fields(self) -> dict[str, str]:
        """Return the trade as stream fields."""
        return {
            "symbol": self.symbol,
            "price": repr(self.price),
            "quantity": repr(self.quantity),
            "buyer": "1" if self.taker_is_buyer else "0",
            "time_ms": str(self.time_ms),
            "id": str(self.id),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> "Trade":
        """Read a trade; raises BadMessage."""
        return cls(
            symbol=_text(fields, b"symbol"),
            price=_positive(fields, b"price"),
            quantity=_positive(fields, b"quantity"),
            taker_is_buyer=_flag(fields, b"buyer"),
            time_ms=_time_ms(fields),
            id=_whole(fields, b"id"),
        )


class Book(NamedTuple):
    """The best levels of an order book, best first, as (price, quantity)."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time_ms: int

    def to_fields(self) -> dict[str, str]:
        """Return the book as stream fields: levels as `price:quantity,price:quantity`."""
        return {
            "symbol": self.symbol,
            "bids": ",".join([f"{price!r}:{quantity!r}" for price, quantity in self.bids]),
            "asks": ",".join([f"{price!r}:{quantity!r}" for price, quantity in self.asks]),
            "time_ms": str(self.time_ms),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> "Book":
        """Read a book; raises BadMessage."""
        return cls(
            symbol=_text(fields, b"symbol"),
            bids=_levels(fields, b"bids"),
            asks=_levels(fields, b"asks"),
            time_ms=_time_ms(fields),
        )


class Funding(NamedTuple):
    """A perpetual contract's funding rate, and the prices that follow from its index."""

    symbol: str
    rate: float
    mark_price: float
    index_price: float
    time_ms: int

    def to_fields(self) -> dict[str, str]:
        """Return the funding update as stream fields."""
        return {
            "symbol": self.symbol,
            "rate": repr(self.rate),
            "mark_price": repr(self.mark_price),
            "index_price": repr(self.index_price),
            "time_ms": str(self.time_ms),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> "Funding":
        """Read a funding update; raises BadMessage."""
        return cls(
            symbol=_text(fields, b"symbol"),
            rate=_number(fields, b"rate"),
            mark_price=_positive(fields, b"mark_price"),
            index_price=_positive(fields, b"index_price"),
            time_ms=_time_ms(fields),
        )


class Signal(NamedTuple):
    """A service's conclusion about a symbol."""

    service: str
    symbol: str
    name: str
    value: float
    direction: int  # -1, 0, +1
    confidence: float  # 0..1
    time_ms: int

    def to_fields(self) -> dict[str, str]:
        """Return the signal as stream fields."""
        return {
            "service": self.service,
            "symbol": self.symbol,
            "name": self.name,
            "value": repr(self.value),
            "direction": str(self.direction),
            "confidence": repr(self.confidence),
            "time_ms": str(self.time_ms),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> "Signal":
        """Read a signal; raises BadMessage."""
        direction = _whole(fields, b"direction")
        if not -1 <= direction <= 1:
            raise BadMessage(f"direction: {direction} is not -1, 0 or 1")
        confidence = _number(fields, b"confidence")
        if not 0.0 <= confidence <= 1.0:
            raise BadMessage(f"confidence: {confidence} is not within 0..1")
        return cls(
            service=_text(fields, b"service"),
            symbol=_text(fields, b"symbol"),
            name=_text(fields, b"name"),
            value=_number(fields, b"value"),
            direction=direction,
            confidence=confidence,
            time_ms=_time_ms(fields),
        )


Event: TypeAlias = Trade | Book | Funding | Signal


def _raw(fields: Fields, name: bytes) -> bytes:
    value = fields.get(name)
    if value is None:
        raise BadMessage(f"{name.decode()}: missing")
    return value


def _text(fields: Fields, name: bytes) -> str:
    value = _raw(fields, name)
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > LONGEST_TEXT or not text.isprintable():
        raise BadMessage(f"{name.decode()}: {value[:LONGEST_TEXT]!r} is not a name")
    return text


def _number(fields: Fields, name: bytes) -> float:
    value = _raw(fields, name)
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise BadMessage(f"{name.decode()}: {value[:LONGEST_TEXT]!r} is not a finite number")
    return number


def _positive(fields: Fields, name: bytes) -> float:
    number = _number(fields, name)
    if number <= 0.0:
        raise BadMessage(f"{name.decode()}: {number} is not above 0")
    return number


def _whole(fields: Fields, name: bytes) -> int:
    value = _raw(fields, name)
    try:
        if len(value) <= LONGEST_NUMBER:
            return int(value)
    except ValueError:
        pass
    raise BadMessage(f"{name.decode()}: {value[:LONGEST_NUMBER]!r} is not a whole number")


def _time_ms(fields: Fields) -> int:
    time_ms = _whole(fields, b"time_ms")
    if not 0 < time_ms <= LAST_TIME_MS:
        raise BadMessage(f"time_ms: {time_ms} is not a time")
    return time_ms


def _flag(fields: Fields, name: bytes) -> bool:
    value = _raw(fields, name)
    if value not in (b"0", b"1"):
        raise BadMessage(f"{name.decode()}: {value[:LONGEST_TEXT]!r} is not 0 or 1")
    return value == b"1"


def _levels(fields: Fields, name: bytes) -> tuple[Level, ...]:
    value = _raw(fields, name)
    if not value:
        return ()
    if value.count(b",") >= MOST_LEVELS:
        raise BadMessage(f"{name.decode()}: more than {MOST_LEVELS} levels")
    try:
        levels = tuple([_level(*pair.split(b":")) for pair in value.split(b",")])
    except (TypeError, ValueError):
        raise BadMessage(f"{name.decode()}: {value[:LONGEST_TEXT]!r} is not levels") from None
    return levels


def _level(price_text: bytes, quantity_text: bytes) -> Level:
    price = float(price_text)
    quantity = float(quantity_text)
    if not (0.0 < price < float("inf") and 0.0 <= quantity < float("inf")):
        raise ValueError("a level out of bounds")
    return price, quantity
