"""Six hours of the desk's data, the same in every run: stream entries, results and candles.

Everything follows from seeds. A record has what its service knew (`own`), what follows from that
and was written all the same (`derived`), and the service's metadata.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from desk.events import Book, Event, Funding, Level, Signal, Trade
from desk.streams import BOOKS, FUNDING, FUSED, SIGNALS, TRADES

Values: TypeAlias = dict[str, Any]

END_MS = int(datetime(2026, 11, 28, tzinfo=UTC).timestamp() * 1000)
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
START_MS = END_MS - 6 * HOUR_MS
DEPLOYED_MS = START_MS + 7 * HOUR_MS // 2
QUOTE = "USDT"
# The price that a symbol begins with, and the decimals of prices and quantities.
SYMBOLS: Mapping[str, tuple[float, int, int]] = {
    "BTCUSDT": (65_432.1, 1, 3),
    "ETHUSDT": (3_456.78, 2, 3),
    "SOLUSDT": (151.42, 2, 0),
    "BNBUSDT": (602.31, 2, 2),
    "XRPUSDT": (0.5213, 4, 1),
    "DOGEUSDT": (0.12345, 5, 0),
    "ADAUSDT": (0.4512, 4, 0),
    "LINKUSDT": (14.123, 3, 2),
}
INDICATORS = (
    ("aggressor", "trade_imbalance"),
    ("aggressor", "vpin"),
    ("momentum", "macd_histogram"),
    ("momentum", "rsi"),
    ("mean-reversion", "z_score"),
    ("volatility", "realized_volatility"),
    ("liquidity", "spread_bps"),
    ("order-flow", "book_imbalance"),
    ("whale-watch", "whale_score"),
    ("correlation", "correlation"),
    ("regime", "trend_probability"),
    ("funding", "annualised_funding"),
    ("risk", "value_at_risk_99"),
)
# The names of the values that a record has of its own, by stream or kind of key.
OWN: Mapping[str, tuple[str, ...]] = {
    TRADES: ("symbol", "price", "quantity", "side", "timestamp", "trade_id"),
    BOOKS: ("symbol", "bids", "asks", "timestamp"),
    FUNDING: ("symbol", "rate", "mark_price", "index_price", "timestamp"),
    **dict.fromkeys(
        (SIGNALS, FUSED),
        ("service", "symbol", "name", "value", "direction", "confidence", "timestamp"),
    ),
    "result": ("value", "samples"),
    "candle": ("open", "high", "low", "close", "volume", "trades"),
}
COUNTS: Mapping[str, int] = {
    TRADES: 236_000,
    BOOKS: 35_000,
    FUNDING: 24_000,
    SIGNALS: 106_000,
    FUSED: 12_000,
    "results": 82_000,
    "candles": 33_000,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Values of an entry or a key, and the service that wrote it at a time."""

    service: str
    time_ms: int
    own: Values
    derived: Values

    @property
    def metadata(self) -> Values:
        """Return what the service said about itself at that time."""
        return metadata_of(self.service, self.time_ms)

    @property
    def everything(self) -> Values:
        """Return the record as the services first wrote it."""
        return self.own | self.derived | {"metadata": self.metadata}


def metadata_of(service: str, time_ms: int) -> Values:
    """Return a service's metadata; there was a deployment in the middle."""
    version = "2.4.0" if time_ms >= DEPLOYED_MS else "2.3.1"
    return {"service": service, "version": version, "environment": "production"}


# ---- streams -------------------------------------------------------------------------------------


def entries(stream: str, scale: float) -> Iterator[tuple[str, Event]]:
    """Yield a stream's entries as id and event, oldest first."""
    count = int(COUNTS[stream] * scale)
    chance = random.Random(stream)  # noqa: S311 - the same data in every run is wanted
    make = MAKERS[stream]
    prices = {symbol: price for symbol, (price, _, _) in SYMBOLS.items()}
    for number in range(count):
        taken_ms = START_MS + number * (END_MS - START_MS) // count
        symbol = chance.choice(list(SYMBOLS))
        prices[symbol] *= 1.0 + chance.gauss(0.0, 0.0002)
        event = make(chance, symbol, prices[symbol], taken_ms - chance.randint(3, 60), number)
        yield f"{taken_ms}-{number % 10}", event


def record(stream: str, taken_ms: int, event: Event) -> Record:
    """Return an event's record."""
    own, derived = DESCRIBERS[type(event)](event)
    service = own.get("service", "market-data")
    common = {"type": stream.rstrip("s"), "datetime": iso(event.time_ms), **assets(event.symbol)}
    return Record(service=service, time_ms=taken_ms, own=own, derived=common | derived)


def event_of(stream: str, values: Values) -> Event:
    """Return the event that a record's values describe."""
    own = {name: values[name] for name in OWN[stream]}
    own["time_ms"] = own.pop("timestamp")
    if stream == TRADES:
        return Trade(taker_is_buyer=own.pop("side") == "buy", id=own.pop("trade_id"), **own)
    if stream == BOOKS:
        sides = {name: tuple(map(tuple, own.pop(name))) for name in ("bids", "asks")}
        return Book(**sides, **own)
    return Funding(**own) if stream == FUNDING else Signal(**own)


def iso(time_ms: int) -> str:
    """Return a time as ISO 8601, in milliseconds."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03}Z"


def assets(symbol: str) -> Values:
    """Return the two assets that a symbol names."""
    return {"base_asset": symbol.removesuffix(QUOTE), "quote_asset": QUOTE}


def _make_trade(
    chance: random.Random, symbol: str, price: float, time_ms: int, number: int
) -> Trade:
    _, decimals, parts = SYMBOLS[symbol]
    quantity = round(chance.expovariate(price / 2_000) + 10.0**-parts, parts)
    is_buyer = chance.random() < 0.5
    return Trade(
        symbol, round(price, decimals), quantity, is_buyer, time_ms, 3_110_000_000 + number
    )


def _make_book(chance: random.Random, symbol: str, price: float, time_ms: int, _: int) -> Book:
    _, decimals, parts = SYMBOLS[symbol]
    tick = 10.0**-decimals

    def levels(away: int) -> tuple[Level, ...]:
        steps = sorted(chance.sample(range(1, 30), 10))
        return tuple(
            (
                round(price + away * step * tick, decimals),
                round(chance.expovariate(price / 9_000) + 10.0**-parts, parts),
            )
            for step in steps
        )

    return Book(symbol, levels(-1), levels(1), time_ms)


def _make_funding(
    chance: random.Random, symbol: str, price: float, time_ms: int, _: int
) -> Funding:
    mark, index = round(price, 8), round(price * (1 + chance.gauss(0.0, 1e-4)), 8)
    return Funding(symbol, round(chance.gauss(1e-4, 5e-5), 8), mark, index, time_ms)


def _make_signal(chance: random.Random, symbol: str, _: float, time_ms: int, number: int) -> Signal:
    service, name = INDICATORS[number % len(INDICATORS)]
    value, confidence = chance.gauss(0.0, 1.0), chance.random()
    return Signal(service, symbol, name, value, chance.choice((-1, 0, 1)), confidence, time_ms)


def _make_fused(chance: random.Random, symbol: str, _: float, time_ms: int, number: int) -> Signal:
    signal = _make_signal(chance, symbol, 0.0, time_ms, number)
    return signal._replace(service="signal-fusion", name="probability_up")


def _describe_trade(trade: Trade) -> tuple[Values, Values]:
    side = "buy" if trade.taker_is_buyer else "sell"
    own = {"symbol": trade.symbol, "price": trade.price, "quantity": trade.quantity, "side": side}
    own |= {"timestamp": trade.time_ms, "trade_id": trade.id}
    notional = trade.price * trade.quantity
    return own, {"notional": notional, "is_buyer_maker": not trade.taker_is_buyer}


def _describe_book(book: Book) -> tuple[Values, Values]:
    bids, asks = ([list(level) for level in levels] for levels in (book.bids, book.asks))
    own = {"symbol": book.symbol, "bids": bids, "asks": asks, "timestamp": book.time_ms}
    bid, ask = book.bids[0][0], book.asks[0][0]
    return own, {"best_bid": bid, "best_ask": ask, "mid_price": (bid + ask) / 2}


def _describe_funding(funding: Funding) -> tuple[Values, Values]:
    own = funding._asdict()
    own["timestamp"] = own.pop("time_ms")
    return own, {"basis": funding.mark_price - funding.index_price}


def _describe_signal(signal: Signal) -> tuple[Values, Values]:
    own = signal._asdict()
    own["timestamp"] = own.pop("time_ms")
    percent = round(signal.confidence * 100, 2)
    direction = ("down", "neutral", "up")[signal.direction + 1]
    return own, {"direction_label": direction, "confidence_percent": percent}


MAKERS: Mapping[str, Callable[[random.Random, str, float, int, int], Event]] = {
    TRADES: _make_trade,
    BOOKS: _make_book,
    FUNDING: _make_funding,
    SIGNALS: _make_signal,
    FUSED: _make_fused,
}
DESCRIBERS: Mapping[type, Callable[[Any], tuple[Values, Values]]] = {
    Trade: _describe_trade,
    Book: _describe_book,
    Funding: _describe_funding,
    Signal: _describe_signal,
}


# ---- keys ----------------------------------------------------------------------------------------


def results(scale: float) -> Iterator[tuple[str, Record]]:
    """Yield temporary results as key and record: steps on the way to a signal."""
    count = int(COUNTS["results"] * scale)
    chance = random.Random("results")  # noqa: S311 - the same data in every run is wanted
    places = [(service, symbol) for service, _ in INDICATORS[1:] for symbol in list(SYMBOLS)[:5]]
    for number in range(count):
        seconds = (START_MS + number * (END_MS - START_MS) // count) // 1000
        service, symbol = places[number % len(places)]
        own = {"value": chance.gauss(0.0, 1.0), "samples": chance.randint(20, 500)}
        key = f"result:{service}:{symbol}:{seconds}"
        yield key, keyed_record(key, own)


def candles(scale: float) -> Iterator[tuple[str, Record]]:
    """Yield candles of a minute, which are kept, as key and record."""
    minutes = int(COUNTS["candles"] * scale) // len(SYMBOLS)
    chance = random.Random("candles")  # noqa: S311 - the same data in every run is wanted
    for symbol, (price, decimals, parts) in SYMBOLS.items():
        for minute in range(END_MS // MINUTE_MS - minutes, END_MS // MINUTE_MS):
            prices = [round(price * (1 + chance.gauss(0.0, 1e-3)), decimals) for _ in range(4)]
            own: Values = {"open": prices[0], "high": max(prices), "low": min(prices)}
            own |= {"close": prices[3], "volume": round(chance.expovariate(price / 1e6), parts)}
            own["trades"] = chance.randint(1, 900)
            key = f"candle:{symbol}:{minute}"
            yield key, keyed_record(key, own)


def keyed_record(key: str, own: Values) -> Record:
    """Return the record of a key, whose name says the rest."""
    kind, *place, moment = key.split(":")
    if kind == "candle":
        open_ms = int(moment) * MINUTE_MS
        derived: Values = {"symbol": place[0], "interval": "1m", "open_time": open_ms}
        derived |= {"close_time": open_ms + MINUTE_MS - 1, "datetime": iso(open_ms)}
        return Record(service="market-data", time_ms=open_ms, own=own, derived=derived)
    service, symbol = place
    time_ms = int(moment) * 1000
    derived = {"service": service, "symbol": symbol, "timestamp": time_ms}
    derived |= {"computed_at": iso(time_ms), **assets(symbol)}
    return Record(service=service, time_ms=time_ms, own=own, derived=derived)
