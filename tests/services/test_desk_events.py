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
identifiers = st.integers(min_value=-1, max_value=(1 << 63) - 1)
directions, shares = st.sampled_from((-1, 0, 1)), st.floats(min_value=0.0, max_value=1.0)
EVENTS = st.one_of(
    st.builds(Trade, names, amounts, amounts, st.booleans(), times, identifiers),
    st.builds(Book, names, levels, levels, times),
    st.builds(Funding, names, numbers, amounts, amounts, times),
    st.builds(Signal, names, names, names, numbers, directions, shares, times),
)
FIELDS = (
    b"symbol price quantity buyer time_ms id bids asks rate mark_price index_price"
    b" service name value direction confidence"
).split()


def raw(event: Event) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in event.to_fields().items()}


@given(EVENTS)
def test_an_event_read_back_is_the_event_written(event: Event) -> None:
    assert type(event).from_fields(raw(event)) == event


@given(EVENTS, st.data())
def test_a_missing_field_is_named(event: Event, data: st.DataObject) -> None:
    fields = raw(event)
    lost = data.draw(st.sampled_from(sorted(fields)))
    del fields[lost]
    with pytest.raises(BadMessage, match=f"{lost.decode()}: missing"):
        type(event).from_fields(fields)


@given(
    st.sampled_from((Trade, Book, Funding, Signal)),
    st.dictionaries(st.sampled_from(FIELDS), st.binary(max_size=30)),
)
def test_arbitrary_bytes_are_an_event_or_a_bad_message(
    kind: type[Event], fields: Mapping[bytes, bytes]
) -> None:
    try:
        event = kind.from_fields(fields)
    except BadMessage:
        return
    assert kind.from_fields(raw(event)) == event


TRADE = Trade("BTCUSDT", 1.5, 2.0, True, 1_700_000_000_000, 7)
BOOK = Book("BTCUSDT", ((1.0, 2.0),), ((1.1, 2.0),), 1_700_000_000_000)
SIGNAL = Signal("risk", "BTCUSDT", "var", 0.1, 1, 0.5, 1_700_000_000_000)


@pytest.mark.parametrize(
    ("event", "field", "values"),
    [
        (TRADE, "price", (b"nan", b"inf", b"0", b"-1", b"", b"12,5")),
        (TRADE, "quantity", (b"-0.1",)),
        (TRADE, "buyer", (b"yes",)),
        (TRADE, "time_ms", (b"0", b"1e12", b"99999999999999999999999")),
        (TRADE, "id", (b"seven",)),
        (TRADE, "symbol", (b"", b"BTC\nUSDT", "BTC\u00df".encode(), b"X" * 65)),
        (BOOK, "bids", (b"1.0", b"1.0:2.0:3.0", b"1.0:nan")),
        (BOOK, "asks", (b"-1.0:2.0", b"1.0:2.0," * 1_000 + b"1.0:2.0")),
        (SIGNAL, "direction", (b"2",)),
        (SIGNAL, "confidence", (b"1.01",)),
        (SIGNAL, "value", (b"nan",)),
    ],
)
def test_malformed_fields_are_refused(event: Event, field: str, values: tuple[bytes, ...]) -> None:
    for value in values:
        with pytest.raises(BadMessage, match=field):
            type(event).from_fields(raw(event) | {field.encode(): value})


def test_fields_of_a_kind_never_vary_in_name_or_order() -> None:
    assert list(TRADE.to_fields()) == ["symbol", "price", "quantity", "buyer", "time_ms", "id"]
    assert list(BOOK.to_fields()) == ["symbol", "bids", "asks", "time_ms"]
