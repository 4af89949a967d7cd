"""The exchange's messages, as its documentation shows them, and all that is not one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.events import BadMessage, Book, Event, Funding, Trade
from exchange import format_event, parse, subscription
from replay import MarketEvent, replay

NOW_MS = 1_700_000_000_123
AGG_TRADE: dict[str, Any] = json.loads(
    '{"e": "aggTrade", "E": 123456789, "s": "BTCUSDT", "a": 5933014, "p": "0.001", "q": "100",'
    ' "f": 100, "l": 105, "T": 123456785, "m": true}'
)
DEPTH: dict[str, Any] = json.loads(
    '{"e": "depthUpdate", "E": 1571889248277, "T": 1571889248276, "s": "BTCUSDT", "U": 390497796,'
    ' "u": 390497878, "pu": 390497794, "b": [["7403.89", "0.002"], ["7403.90", "3.906"]],'
    ' "a": [["7405.96", "3.340"], ["7406.63", "4.525"]]}'
)
MARK: dict[str, Any] = json.loads(
    '{"e": "markPriceUpdate", "E": 1562305380000, "s": "BTCUSDT", "p": "11794.15000000",'
    ' "i": "11784.62659091", "P": "11784.25641265", "r": "0.00038167", "T": 1562306400000}'
)
SPOT_TRADE = {"e": "trade", "s": "BNBBTC", "t": 12345, "p": "0.5", "q": "2", "T": 7, "m": False}
SPOT_DEPTH = {"lastUpdateId": 160, "bids": [["0.0024", "10"]], "asks": [["0.0026", "100"]]}


def read(data: dict[str, Any]) -> Any:
    return parse(json.dumps({"stream": "bnbbtc@depth10@100ms", "data": data}), NOW_MS)


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (AGG_TRADE, Trade("BTCUSDT", 0.001, 100.0, False, 123456785, 5933014)),
        (SPOT_TRADE, Trade("BNBBTC", 0.5, 2.0, True, 7, 12345)),
        (
            DEPTH,
            Book(
                "BTCUSDT",
                ((7403.89, 0.002), (7403.90, 3.906)),
                ((7405.96, 3.340), (7406.63, 4.525)),
                1571889248276,
            ),
        ),
        # the stream names the symbol, the clock gives the time
        (SPOT_DEPTH, Book("BNBBTC", ((0.0024, 10.0),), ((0.0026, 100.0),), NOW_MS)),
        (MARK, Funding("BTCUSDT", 0.00038167, 11794.15, 11784.62659091, 1562305380000)),
        ({"result": None, "id": 1}, None),
        ({"e": "forceOrder"}, None),
    ],
)
def test_messages_of_the_futures_and_the_spot_market(
    data: dict[str, Any], event: Event | None
) -> None:
    assert read(data) == event


BAD_VALUES = {
    "p": ("nan", "0", "-1", None, "1e999"),
    "q": ("many", None),
    "T": ("soon", -1, None),
    "s": ("", "BTC USDT", 7, None),
    "a": (1.5, None),
    "m": (1,),
}
BAD_BOOKS: tuple[dict[str, Any], ...] = (
    *({"b": bids} for bids in (7, [["1"]], [["1", "-1"]], [["0", "1"]])),
    {"a": [], "b": []},
)
BAD_MESSAGES = (
    *(AGG_TRADE | {name: value} for name, values in BAD_VALUES.items() for value in values),
    *(DEPTH | change for change in BAD_BOOKS),
    *(MARK | change for change in ({"r": ""}, {"i": "0"})),
)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "7", '"text"', '{"data": []}', '{"data": null}', "[" * 100_000),
        *(json.dumps({"data": data}) for data in BAD_MESSAGES),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        parse(text, NOW_MS)


@pytest.mark.parametrize("name", ["s", "p", "q", "T", "m", "a"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(BadMessage, match=f"{name}: missing"):
        read({key: value for key, value in AGG_TRADE.items() if key != name})


@given(st.integers(min_value=0, max_value=1 << 31), st.integers(min_value=0, max_value=200))
def test_what_the_feed_writes_is_read_back(seed: int, skipped: int) -> None:
    event = first_events(skipped + 1, seed)[-1]
    assert parse(format_event(event), NOW_MS) == event


def first_events(count: int, seed: int = 1) -> list[MarketEvent]:
    events = replay(seed, ("BTCUSDT", "XRPUSDT"), 100.0, 1_000)
    return [next(events) for _ in range(count)]


def test_the_replay_is_the_same_every_time_at_its_rate_and_another_with_another_seed() -> None:
    events = first_events(3_000)
    assert first_events(3_000) == events
    assert first_events(3_000, seed=2) != events
    assert [events[number].time_ms for number in (0, 300)] == [1_000, 4_000]
    assert events == sorted(events, key=lambda event: event.time_ms)


def test_the_replay_has_everything_the_indicators_need() -> None:
    events = first_events(20_000)
    assert {type(event) for event in events} == {Trade, Book, Funding}
    for book in (event for event in events if isinstance(event, Book)):
        assert book.bids[0][0] < book.asks[0][0]
        assert list(book.bids) == sorted(book.bids, reverse=True)
        assert list(book.asks) == sorted(book.asks)
    buyers = [event.taker_is_buyer for event in events if isinstance(event, Trade)]
    assert 0.4 < sum(buyers) / len(buyers) < 0.6


def test_the_subscription_names_every_symbol_and_channel_unless_the_url_does() -> None:
    names = (
        "btcusdt@aggTrade/btcusdt@depth10/btcusdt@markPrice@1s"
        "/ethusdt@aggTrade/ethusdt@depth10/ethusdt@markPrice@1s"
    )
    url = subscription("wss://host/stream", ("BTCUSDT", "ETHUSDT"))
    assert url == f"wss://host/stream?streams={names}"
    assert subscription(url, ("SOLUSDT",)) == url
