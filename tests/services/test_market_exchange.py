"""The exchange's messages, as its documentation shows them, and all that is not one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.events import BadMessage, Book, Funding, Trade
from exchange import format_event, parse, subscription
from replay import MarketEvent, replay

NOW_MS = 1_700_000_000_123

AGG_TRADE: dict[str, Any] = {
    "e": "aggTrade",
    "E": 123456789,
    "s": "BTCUSDT",
    "a": 5933014,
    "p": "0.001",
    "q": "100",
    "f": 100,
    "l": 105,
    "T": 123456785,
    "m": True,
}
DEPTH: dict[str, Any] = {
    "e": "depthUpdate",
    "E": 1571889248277,
    "T": 1571889248276,
    "s": "BTCUSDT",
    "U": 390497796,
    "u": 390497878,
    "pu": 390497794,
    "b": [["7403.89", "0.002"], ["7403.90", "3.906"]],
    "a": [["7405.96", "3.340"], ["7406.63", "4.525"]],
}
MARK: dict[str, Any] = {
    "e": "markPriceUpdate",
    "E": 1562305380000,
    "s": "BTCUSDT",
    "p": "11794.15000000",
    "i": "11784.62659091",
    "P": "11784.25641265",
    "r": "0.00038167",
    "T": 1562306400000,
}


def read(data: dict[str, Any], stream: str = "btcusdt@x") -> Any:
    return parse(json.dumps({"stream": stream, "data": data}), NOW_MS)


def test_a_futures_trade() -> None:
    assert read(AGG_TRADE) == Trade(
        symbol="BTCUSDT",
        price=0.001,
        quantity=100.0,
        taker_is_buyer=False,
        time_ms=123456785,
        id=5933014,
    )


def test_a_spot_trade() -> None:
    data = {"e": "trade", "s": "BNBBTC", "t": 12345, "p": "0.5", "q": "2", "T": 7, "m": False}
    assert read(data) == Trade(
        symbol="BNBBTC", price=0.5, quantity=2.0, taker_is_buyer=True, time_ms=7, id=12345
    )


def test_a_futures_book() -> None:
    assert read(DEPTH) == Book(
        symbol="BTCUSDT",
        bids=((7403.89, 0.002), (7403.90, 3.906)),
        asks=((7405.96, 3.340), (7406.63, 4.525)),
        time_ms=1571889248276,
    )


def test_a_spot_book_takes_its_symbol_from_the_stream_and_its_time_from_the_clock() -> None:
    data = {"lastUpdateId": 160, "bids": [["0.0024", "10"]], "asks": [["0.0026", "100"]]}
    assert read(data, "bnbbtc@depth10@100ms") == Book(
        symbol="BNBBTC", bids=((0.0024, 10.0),), asks=((0.0026, 100.0),), time_ms=NOW_MS
    )


def test_a_mark_price() -> None:
    assert read(MARK) == Funding(
        symbol="BTCUSDT",
        rate=0.00038167,
        mark_price=11794.15,
        index_price=11784.62659091,
        time_ms=1562305380000,
    )


def test_messages_without_a_market_event_are_passed_over() -> None:
    assert parse('{"result": null, "id": 1}', NOW_MS) is None
    assert parse('{"data": {"e": "forceOrder"}}', NOW_MS) is None


BAD_TRADES: tuple[dict[str, Any], ...] = (
    {"p": "nan"},
    {"p": "0"},
    {"p": "-1"},
    {"p": None},
    {"p": "1e999"},
    {"q": "many"},
    {"T": "soon"},
    {"T": -1},
    {"s": ""},
    {"s": "BTC USDT"},
    {"s": 7},
    {"a": 1.5},
    {"m": 1},
)
BAD_BOOKS: tuple[dict[str, Any], ...] = (
    {"b": 7},
    {"b": [["1"]]},
    {"b": [["1", "-1"]]},
    {"b": [["0", "1"]]},
    {"a": [], "b": []},
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '"text"',
        '{"data": []}',
        '{"data": null}',
        "[" * 100_000,
        *(json.dumps({"data": AGG_TRADE | change}) for change in BAD_TRADES),
        *(json.dumps({"data": DEPTH | change}) for change in BAD_BOOKS),
        json.dumps({"data": MARK | {"r": ""}}),
        json.dumps({"data": MARK | {"i": "0"}}),
        *(json.dumps({"data": {**AGG_TRADE, name: None}}) for name in ("p", "q", "T", "s", "a")),
    ],
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        parse(text, NOW_MS)


@pytest.mark.parametrize("name", ["s", "p", "q", "T", "m", "a"])
def test_a_missing_field_is_named(name: str) -> None:
    data = {key: value for key, value in AGG_TRADE.items() if key != name}
    with pytest.raises(BadMessage, match=f"{name}: missing"):
        read(data)


@given(st.integers(min_value=0, max_value=1 << 31), st.integers(min_value=0, max_value=200))
def test_what_the_feed_writes_is_read_back(seed: int, skipped: int) -> None:
    events = replay(seed, ("BTCUSDT", "XRPUSDT"), 50.0, 1_700_000_000_000)
    for _ in range(skipped):
        next(events)
    event = next(events)
    assert parse(format_event(event), NOW_MS) == event


def first_events(count: int, seed: int = 1, rate: float = 100.0) -> list[MarketEvent]:
    events = replay(seed, ("BTCUSDT", "ETHUSDT"), rate, 1_000)
    return [next(events) for _ in range(count)]


def test_the_replay_is_the_same_every_time_and_another_with_another_seed() -> None:
    assert first_events(3_000) == first_events(3_000)
    assert first_events(3_000) != first_events(3_000, seed=2)


def test_the_replay_keeps_its_rate_in_its_own_time() -> None:
    times = [event.time_ms for event in first_events(301, rate=100.0)]
    assert times[0] == 1_000
    assert times[300] == 4_000
    assert times == sorted(times)


def test_the_replay_has_everything_the_indicators_need() -> None:
    events = first_events(20_000)
    assert {type(event) for event in events} == {Trade, Book, Funding}
    books = [event for event in events if isinstance(event, Book)]
    assert all(book.bids[0][0] < book.asks[0][0] for book in books)
    assert all(list(book.bids) == sorted(book.bids, reverse=True) for book in books)
    assert all(list(book.asks) == sorted(book.asks) for book in books)
    buyers = [event.taker_is_buyer for event in events if isinstance(event, Trade)]
    assert 0.4 < sum(buyers) / len(buyers) < 0.6


def test_the_subscription_names_every_symbol_and_channel() -> None:
    url = subscription("wss://host/stream", ("BTCUSDT", "ETHUSDT"))
    assert url == (
        "wss://host/stream?streams=btcusdt@aggTrade/btcusdt@depth10/btcusdt@markPrice@1s"
        "/ethusdt@aggTrade/ethusdt@depth10/ethusdt@markPrice@1s"
    )


def test_a_url_with_streams_is_taken_as_it_is() -> None:
    url = "wss://stream.binance.com:9443/stream?streams=btcusdt@trade"
    assert subscription(url, ("ETHUSDT",)) == url
