"""Events survive the way through a stream; nothing malformed becomes an event."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.events import BadMessage, Book, Event, Funding, Signal, Trade

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
amounts = st.floats(min_value=1e-12, max_value=1e12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(min_value=1, max_value=1 << 53)
levels = st.lists(st.tuples(amounts, amounts), max_size=20).map(tuple)
trades = st.builds(
    Trade,
    symbol=names,
    price=amounts,
    quantity=amounts,
    taker_is_buyer=st.booleans(),
    time_ms=times,
    id=st.integers(min_value=-1, max_value=(1 << 63) - 1),
)
books = st.builds(Book, symbol=names, bids=levels, asks=levels, time_ms=times)
fundings = st.builds(
    Funding, symbol=names, rate=numbers, mark_price=amounts, index_price=amounts, time_ms=times
)
signals = st.builds(
    Signal,
    service=names,
    symbol=names,
    name=names,
    value=numbers,
    direction=st.sampled_from((-1, 0, 1)),
    confidence=st.floats(min_value=0.0, max_value=1.0),
    time_ms=times,
)


def raw(event: Event) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in event.to_fields().items()}


@given(st.one_of(trades, books, fundings, signals))
def test_an_event_read_back_is_the_event_written(event: Event) -> None:
    assert type(event).from_fields(raw(event)) == event


@given(st.one_of(trades, books, fundings, signals), st.data())
def test_a_missing_field_is_named(event: Event, data: st.DataObject) -> None:
    fields = raw(event)
    lost = data.draw(st.sampled_from(sorted(fields)))
    del fields[lost]
    with pytest.raises(BadMessage, match=f"{lost.decode()}: missing"):
        type(event).from_fields(fields)


@given(
    st.sampled_from((Trade, Book, Funding, Signal)),
    st.dictionaries(
        st.sampled_from(
            b"symbol price quantity buyer time_ms id bids asks rate mark_price index_price"
            b" service name value direction confidence".split()
        ),
        st.binary(max_size=30),
    ),
)
def test_arbitrary_bytes_are_an_event_or_a_bad_message(
    kind: type[Event], fields: Mapping[bytes, bytes]
) -> None:
    try:
        event = kind.from_fields(fields)
    except BadMessage:
        return
    assert kind.from_fields(raw(event)) == event


TRADE = Trade(
    symbol="BTCUSDT", price=1.5, quantity=2.0, taker_is_buyer=True, time_ms=1_700_000_000_000, id=7
)
BOOK = Book(symbol="BTCUSDT", bids=((1.0, 2.0),), asks=((1.1, 2.0),), time_ms=1_700_000_000_000)
SIGNAL = Signal(
    service="risk",
    symbol="BTCUSDT",
    name="var",
    value=0.1,
    direction=1,
    confidence=0.5,
    time_ms=1_700_000_000_000,
)


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [
        (TRADE, b"price", b"nan"),
        (TRADE, b"price", b"inf"),
        (TRADE, b"price", b"0"),
        (TRADE, b"price", b"-1"),
        (TRADE, b"price", b""),
        (TRADE, b"price", b"12,5"),
        (TRADE, b"quantity", b"-0.1"),
        (TRADE, b"buyer", b"yes"),
        (TRADE, b"time_ms", b"0"),
        (TRADE, b"time_ms", b"1e12"),
        (TRADE, b"time_ms", b"99999999999999999999999"),
        (TRADE, b"id", b"seven"),
        (TRADE, b"symbol", b""),
        (TRADE, b"symbol", b"BTC\nUSDT"),
        (TRADE, b"symbol", "BTC\u00df".encode()),
        (TRADE, b"symbol", b"X" * 65),
        (BOOK, b"bids", b"1.0"),
        (BOOK, b"bids", b"1.0:2.0:3.0"),
        (BOOK, b"bids", b"1.0:nan"),
        (BOOK, b"asks", b"-1.0:2.0"),
        (BOOK, b"asks", b"1.0:2.0," * 1_000 + b"1.0:2.0"),
        (SIGNAL, b"direction", b"2"),
        (SIGNAL, b"confidence", b"1.01"),
        (SIGNAL, b"value", b"nan"),
    ],
)
def test_malformed_fields_are_refused(event: Event, field: bytes, value: bytes) -> None:
    fields = raw(event) | {field: value}
    with pytest.raises(BadMessage, match=field.decode()):
        type(event).from_fields(fields)


def test_fields_of_a_kind_never_vary_in_name_or_order() -> None:
    assert list(TRADE.to_fields()) == ["symbol", "price", "quantity", "buyer", "time_ms", "id"]
    assert list(BOOK.to_fields()) == ["symbol", "bids", "asks", "time_ms"]
