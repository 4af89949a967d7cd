"""Events survive the way through a stream, old entries included; nothing malformed becomes one."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from desk.codec import SUBJECT, decode, encode, key_of, label
from desk.events import BadMessage, Book, Event, Funding, Signal, Trade
from desk.labels import HASH, MOST_REMEMBERED, Labels, explain
from desk.redis import Redis
from desk.streams import SIGNALS, Entry, add, entries

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
amounts = st.one_of(
    st.floats(min_value=1e-12, max_value=1e12),
    st.decimals("0.00001", 1_000_000, places=5).map(float),
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(min_value=1, max_value=1 << 53)
levels = st.lists(st.tuples(amounts, amounts), max_size=20).map(tuple)
identifiers = st.integers(min_value=-1, max_value=(1 << 63) - 1)
texts = numbers.map(lambda number: repr(number).encode())
directions, shares = st.sampled_from((-1, 0, 1)), st.floats(min_value=0.0, max_value=1.0)
EVENTS = st.one_of(
    st.builds(Trade, names, amounts, amounts, st.booleans(), times, identifiers),
    st.builds(Book, names, levels, levels, times),
    st.builds(Funding, names, numbers, amounts, amounts, times),
    st.builds(Signal, names, names, names, numbers, directions, shares, times),
)
FIELDS = (
    b"symbol price quantity buyer time_ms id bids asks rate mark_price index_price"
    b" service name value direction confidence 2 f t a b c"
).split()

TRADE = Trade("BTCUSDT", 65432.1, 0.012, True, 1_700_000_000_000, 7)
BOOK = Book("BTCUSDT", ((99.5, 2.0), (99.0, 1.25)), ((100.5, 3.0),), 1_700_000_000_000)
FUNDING = Funding("BTCUSDT", -1.25e-05, 65432.1, 65430.0, 1_700_000_000_000)
SIGNAL = Signal("risk", "BTCUSDT", "var", 1 / 3, 1, 0.5, 1_700_000_000_000)
EXAMPLES = (TRADE, BOOK, FUNDING, SIGNAL)

# What the first version wrote, before there was a second.
OLD_ENTRIES: dict[Event, dict[str, str]] = {
    TRADE: {
        "symbol": "BTCUSDT",
        "price": "65432.1",
        "quantity": "0.012",
        "buyer": "1",
        "time_ms": "1700000000000",
        "id": "7",
    },
    BOOK: {
        "symbol": "BTCUSDT",
        "bids": "99.5:2.0,99.0:1.25",
        "asks": "100.5:3.0",
        "time_ms": "1700000000000",
    },
    FUNDING: {
        "symbol": "BTCUSDT",
        "rate": "-1.25e-05",
        "mark_price": "65432.1",
        "index_price": "65430.0",
        "time_ms": "1700000000000",
    },
    SIGNAL: {
        "service": "risk",
        "symbol": "BTCUSDT",
        "name": "var",
        "value": "0.3333333333333333",
        "direction": "1",
        "confidence": "0.5",
        "time_ms": "1700000000000",
    },
}


def raw(fields: Mapping[str, object]) -> dict[bytes, bytes]:
    """Return fields as Redis hands them out."""
    return {
        name.encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in fields.items()
    }


def written(event: Event) -> dict[bytes, bytes]:
    """Return the fields of an event's entry, with a signal's label in the place of its key."""
    fields = raw(encode(event))
    return fields | ({SUBJECT: label(event).encode()} if isinstance(event, Signal) else {})


@given(EVENTS)
@example(TRADE._replace(price=1e-15, quantity=1e22))
@example(SIGNAL._replace(value=-0.0))
@example(BOOK._replace(bids=((1e12, 1.0), (1e-12, 1.0)), asks=()))
def test_an_event_read_back_is_the_event_written(event: Event) -> None:
    read = decode(type(event), written(event))
    assert read == event
    assert repr(read) == repr(event)


@pytest.mark.parametrize("event", EXAMPLES)
def test_an_old_entry_is_the_same_event_as_a_new_one(event: Event) -> None:
    assert decode(type(event), raw(OLD_ENTRIES[event])) == decode(type(event), written(event))


@pytest.mark.parametrize("event", EXAMPLES)
def test_a_missing_field_is_named(event: Event) -> None:
    old = raw(OLD_ENTRIES[event])
    for lost in old:
        rest = {name: value for name, value in old.items() if name != lost}
        with pytest.raises(BadMessage, match=f"^{lost.decode()}: missing"):
            decode(type(event), rest)
    new = written(event)
    for lost in new.keys() - {SUBJECT}:
        rest = {name: value for name, value in new.items() if name != lost}
        with pytest.raises(BadMessage, match=r"^[a-z_]{2,}: missing"):
            decode(type(event), rest)


@given(
    st.sampled_from((Trade, Book, Funding, Signal)),
    st.dictionaries(
        st.sampled_from(FIELDS),
        st.one_of(st.binary(max_size=30), texts),
    ),
)
def test_arbitrary_bytes_are_an_event_or_a_bad_message(
    kind: type[Event], fields: Mapping[bytes, bytes]
) -> None:
    try:
        event = decode(kind, fields)
    except BadMessage:
        return
    assert decode(kind, written(event)) == event


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
def test_malformed_old_fields_are_refused(
    event: Event, field: str, values: tuple[bytes, ...]
) -> None:
    for value in values:
        with pytest.raises(BadMessage, match=f"^{field}: "):
            decode(type(event), raw(OLD_ENTRIES[event]) | {field.encode(): value})


@pytest.mark.parametrize(
    ("event", "field", "named", "values"),
    [
        (TRADE, "a", "price", (b"0", b"-1", b"", b"1.5", b"1" * 21)),
        (TRADE, "c", "id", (b"seven",)),
        (TRADE, "f", "form", (b"-1", b"512", b"x")),
        (TRADE, "t", "time_ms", (b"0",)),
        (TRADE, "2", "symbol", (b"", b"BTC\nUSDT")),
        (BOOK, "a", "bids", (b"1", b"1,2,3", b"0,1", b"5,1,-9,1", b"1," * 2_000 + b"1")),
        (FUNDING, "a", "rate", (b"-1.25e-05", b"")),
        (SIGNAL, "2", "label", (b"\xff\x00", key_of("risk"), b"risk\tBTCUSDT")),
        (SIGNAL, "a", "value", (b"\xff" * 8, b"1234567")),
        (SIGNAL, "f", "direction", (b"799",)),
    ],
)
def test_malformed_new_fields_are_refused(
    event: Event, field: str, named: str, values: tuple[bytes, ...]
) -> None:
    for value in values:
        with pytest.raises(BadMessage, match=f"^{named}: "):
            decode(type(event), written(event) | {field.encode(): value})


def test_entries_of_a_kind_never_vary_in_names_or_order() -> None:
    found = [list(encode(event)) for event in (*EXAMPLES, Trade("E", 1e300, 1.0, False, 1, 0))]
    assert found == [[*"2ftabc"], [*"2ftab"], [*"2ftabc"], [*"2ftab"], [*"2ftabc"]]


SIDES = [[((654_321 + way * step) / 10, 1.5 + step) for step in range(10)] for way in (-1, 1)]
TEN_LEVELS = {
    name: ",".join(f"{price!r}:{quantity!r}" for price, quantity in side)
    for name, side in zip(("bids", "asks"), SIDES, strict=True)
}
DEEP_BOOK = Book("BTCUSDT", tuple(SIDES[0]), tuple(SIDES[1]), 1_700_000_000_000)


@pytest.mark.parametrize(
    ("old", "new", "most"),
    [
        (OLD_ENTRIES[TRADE], TRADE, 0.95),
        (OLD_ENTRIES[FUNDING], FUNDING, 0.95),
        (OLD_ENTRIES[SIGNAL], SIGNAL, 0.7),
        (OLD_ENTRIES[BOOK] | TEN_LEVELS, DEEP_BOOK, 0.6),
    ],
    ids=["trade", "funding", "signal", "book"],
)
def test_a_new_entry_takes_less_than_an_old_one(
    redis: Redis, old: dict[str, str], new: Event, most: float
) -> None:
    for key, fields in (("old", old), ("new", encode(new))):
        pairs = [part for pair in fields.items() for part in pair]
        redis.pipeline([("XADD", key, "*", *pairs)] * 2_000)
    assert size(redis, "new") < most * size(redis, "old")


def size(redis: Redis, key: str) -> int:
    """Return the bytes that Redis counts for a key."""
    return int(redis.call("MEMORY", "USAGE", key, "SAMPLES", 0))


def test_labels_are_kept_once_and_found_again(redis: Redis) -> None:
    signals = [SIGNAL._replace(symbol=symbol) for symbol in ("A", "B", "A")]
    redis.transaction([*explain(signals), *(add(SIGNALS, signal) for signal in signals)])
    assert redis.call("HLEN", HASH) == 2
    labels = Labels(redis)
    for _ in range(2):  # asked for, and remembered
        read = entries(SIGNALS, redis.call("XRANGE", SIGNALS, "-", "+"))
        labels.resolve(read)
        assert [entry.event() for entry in read] == signals
        redis.call("DEL", HASH)
    read = entries(SIGNALS, redis.call("XRANGE", SIGNALS, "-", "+"))
    Labels(redis).resolve(read)
    with pytest.raises(BadMessage, match=r"label: .* is not known"):
        read[0].event()


def test_an_old_signal_needs_no_label(redis: Redis) -> None:
    entry = Entry(SIGNALS, b"1-1", raw(OLD_ENTRIES[SIGNAL]))
    Labels(redis).resolve([entry, Entry(SIGNALS, b"1-2", None)])
    assert entry.event() == SIGNAL


def test_more_labels_than_are_remembered_are_still_found(redis: Redis) -> None:
    labels = Labels(redis)
    signals = [SIGNAL._replace(name=f"n{number}") for number in range(MOST_REMEMBERED + 10)]
    redis.transaction(explain(signals))
    for start in range(0, len(signals), 100):
        page = signals[start : start + 100]
        read = [Entry(SIGNALS, b"1-1", raw(encode(signal))) for signal in page]
        labels.resolve(read)
        assert [entry.event() for entry in read] == page
