"""The exchange's messages, read and written: combined streams of trades, books and mark prices.

Both the spot form (`trade`, partial depth without a time) and the futures form (`aggTrade`,
`depthUpdate`, `markPriceUpdate`) are read; the replay's feed writes the futures form, which is the
only one that has funding. Numbers arrive as text.
"""

import json
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

from desk.events import BadMessage, Book, Event, Funding, Level, Trade
from desk.streams import BOOKS, FUNDING, TRADES

CHANNELS = ("aggTrade", "depth10", "markPrice@1s")
MOST_LEVELS = 20
STREAM_OF: dict[type, str] = {Trade: TRADES, Book: BOOKS, Funding: FUNDING}


def subscription(url: str, symbols: Iterable[str]) -> str:
    """Return the URL that streams all symbols, unless it names its streams already."""
    if "streams=" in url:
        return url
    names = [f"{symbol.lower()}@{channel}" for symbol in symbols for channel in CHANNELS]
    return f"{url}{'&' if '?' in url else '?'}streams={'/'.join(names)}"


def parse(text: str, now_ms: int) -> Event | None:
    """Read a message; None if it isn't a market event. Raises BadMessage.

    now_ms stands in where the exchange gives no time (spot depth).
    """
    try:
        message = json.loads(text)
        stream = message.get("stream", "")
        data = message.get("data", message)
        kind = data.get("e", "depth" if "bids" in data else "")
        if kind in ("trade", "aggTrade"):
            return _trade(data)
        if kind in ("depthUpdate", "depth"):
            return _book(data, stream, now_ms)
        return _funding(data) if kind == "markPriceUpdate" else None
    except BadMessage:
        raise
    except KeyError as error:
        raise BadMessage(f"{error.args[0]}: missing") from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise BadMessage(str(error)) from error


def format_event(event: Trade | Book | Funding) -> str:
    """Write an event as the exchange would."""
    symbol = event.symbol
    data: dict[str, Any] = {"E": event.time_ms, "T": event.time_ms, "s": symbol}
    if isinstance(event, Trade):
        channel = CHANNELS[0]
        side = {"m": not event.taker_is_buyer, "a": event.id}
        data |= {"e": "aggTrade", "p": _text(event.price), "q": _text(event.quantity), **side}
    elif isinstance(event, Book):
        channel = CHANNELS[1]
        data |= {"e": "depthUpdate", "b": _texts(event.bids), "a": _texts(event.asks)}
    else:
        channel = CHANNELS[2]
        prices = {"p": _text(event.mark_price), "i": _text(event.index_price)}
        data |= {"e": "markPriceUpdate", "r": _text(event.rate), **prices}
    message = {"stream": f"{symbol.lower()}@{channel}", "data": data}
    return json.dumps(message, separators=(",", ":"))


def _trade(data: dict[str, Any]) -> Trade:
    return Trade(
        symbol=_symbol(data["s"]),
        price=_positive(data["p"]),
        quantity=_positive(data["q"]),
        taker_is_buyer=not _flag(data["m"]),
        time_ms=_whole(data["T"]),
        id=_whole(data["t"] if data["e"] == "trade" else data["a"]),
    )


def _book(data: dict[str, Any], stream: str, now_ms: int) -> Book:
    symbol = data["s"] if "s" in data else stream.partition("@")[0].upper()
    bids = _levels(data["bids"] if "bids" in data else data["b"])
    asks = _levels(data["asks"] if "asks" in data else data["a"])
    if not (bids or asks):
        raise BadMessage("an empty book")
    time_ms = _whole(data.get("T") or data.get("E") or now_ms)
    return Book(symbol=_symbol(symbol), bids=bids, asks=asks, time_ms=time_ms)


def _funding(data: dict[str, Any]) -> Funding:
    return Funding(
        symbol=_symbol(data["s"]),
        rate=_finite(data["r"]),
        mark_price=_positive(data["p"]),
        index_price=_positive(data["i"]),
        time_ms=_whole(data["E"]),
    )


def _symbol(value: object) -> str:
    if isinstance(value, str) and value.isascii() and value.isalnum() and len(value) <= 32:
        return value.upper()
    raise BadMessage(f"{value!r} is not a symbol")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise BadMessage(f"{value!r} is neither true nor false")


def _finite(value: object) -> float:
    if isinstance(value, str | int | float):
        number = float(value)
        if isfinite(number):
            return number
    raise BadMessage(f"{value!r} is not a finite number")


def _positive(value: object) -> float:
    number = _finite(value)
    if number <= 0.0:
        raise BadMessage(f"{number} is not above 0")
    return number


def _whole(value: object) -> int:
    if isinstance(value, int) and 0 <= value < 1 << 63:
        return value
    raise BadMessage(f"{value!r} is not a whole number")


def _levels(pairs: Sequence[Sequence[str]]) -> tuple[Level, ...]:
    levels = [(_positive(price), _finite(quantity)) for price, quantity in pairs[:MOST_LEVELS]]
    if any(quantity < 0.0 for _, quantity in levels):
        raise BadMessage("a negative quantity")
    return tuple(levels)


def _text(value: float) -> str:
    return f"{value:.8f}"


def _texts(levels: Iterable[Level]) -> list[list[str]]:
    return [[_text(price), _text(quantity)] for price, quantity in levels]
