"""Events as stream entries: compact, versioned, and with field names that never vary.

Redis stores the names of a node's entries only once while they are the same, and text that is a
whole number in 2 to 10 bytes. So version 2, the one written, has short names that are the same in
every entry of a stream, and whole numbers:

    2        the symbol; of a signal the key of its label, which `labels` explains. The name of
             this field is the version
    f        the form: four bits for each number, the lowest for `a`; above them what needs no
             field of its own (a trade's side, a signal's direction + 1)
    t        the time in milliseconds
    a, b, c  trade: price, quantity, id. Book: bids, asks. Funding: rate, mark price, index price.
             Signal: value, confidence

The four bits count the decimals, 0 to 14, of a number that is written without its point: 654321
with 1 is 65432.1, exactly. 15 marks the eight bytes of a double that has more decimals. A book's
levels are `price,quantity,step,quantity,...` in whole numbers, where a step leads from one price
to the next; with 15 they are `price:quantity,price:quantity`.

Version 1 named every value in full and wrote numbers as text. It is still read.
"""

from collections.abc import Callable, Mapping, Sequence
from struct import pack, unpack
from typing import TypeAlias

from desk.events import MOST_LEVELS, BadMessage, Book, Event, Funding, Level, Signal, Trade

Fields: TypeAlias = Mapping[bytes, bytes]
Written: TypeAlias = dict[str, str | bytes | int]
Shortened: TypeAlias = tuple[int | bytes, int]

SUBJECT = b"2"
MOST_DECIMALS = 14
AS_DOUBLE = 15
POWERS: tuple[int, ...] = tuple(10**decimals for decimals in range(MOST_DECIMALS + 1))
LARGEST_WHOLE = (1 << 63) - 1
LONGEST_NUMBER = 20
LONGEST_EXCERPT = 64
LABEL_SEPARATOR = "\t"
FNV_OFFSET, FNV_PRIME, FNV_MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1
KEY_MASK = (1 << 48) - 1


# ---- writing -------------------------------------------------------------------------------------


def encode(event: Event) -> Written:
    """Return the fields of version 2."""
    if isinstance(event, Trade):
        price, quantity = _shorten(event.price), _shorten(event.quantity)
        form = price[1] | quantity[1] << 4 | event.taker_is_buyer << 8
        return _fields(event.symbol, form, event.time_ms, price[0], quantity[0], event.id)
    if isinstance(event, Book):
        form, bids, asks = _pack_book(event)
        return _fields(event.symbol, form, event.time_ms, bids, asks)
    if isinstance(event, Funding):
        numbers = [_shorten(event.rate), _shorten(event.mark_price), _shorten(event.index_price)]
        form = sum(decimals << 4 * place for place, (_, decimals) in enumerate(numbers))
        return _fields(event.symbol, form, event.time_ms, *(number for number, _ in numbers))
    value, confidence = _shorten(event.value), _shorten(event.confidence)
    form = value[1] | confidence[1] << 4 | (event.direction + 1) << 8
    return _fields(key_of(label(event)), form, event.time_ms, value[0], confidence[0])


def label(signal: Signal) -> str:
    """Return what all signals of a service about a symbol share."""
    return LABEL_SEPARATOR.join((signal.service, signal.symbol, signal.name))


def key_of(label: str) -> bytes:
    """Return a label's key: 48 bits of its FNV-1a hash (draft-eastlake-fnv), as six bytes.

    Among 10,000 labels two share a key with a probability of 2e-7.
    """
    number = FNV_OFFSET
    for byte in label.encode():
        number = (number ^ byte) * FNV_PRIME & FNV_MASK
    return ((number >> 48 ^ number) & KEY_MASK).to_bytes(6, "big")


def _fields(subject: str | bytes, form: int, time_ms: int, *values: str | bytes | int) -> Written:
    written: Written = {"2": subject, "f": form, "t": time_ms}
    written.update(zip("abc", values, strict=False))
    return written


def _shorten(number: float) -> Shortened:
    """Return a whole number and its decimals, or the double's bytes and AS_DOUBLE."""
    digits, _, exponent = repr(number).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = "" if fraction == "0" else fraction
    decimals = len(fraction) - int(exponent or 0)
    if 0 <= decimals <= MOST_DECIMALS:
        shortened = int(whole + fraction)
        if abs(shortened) <= LARGEST_WHOLE and (shortened or digits[0] != "-"):
            return shortened, decimals
    return pack("<d", number), AS_DOUBLE


def _pack_book(book: Book) -> tuple[int, str, str]:
    """Return the form, the bids and the asks."""
    sides = [
        [(_shorten(price), _shorten(quantity)) for price, quantity in levels]
        for levels in (book.bids, book.asks)
    ]
    levels = [*sides[0], *sides[1]]
    prices = max([price[1] for price, _ in levels], default=0)
    quantities = max([quantity[1] for _, quantity in levels], default=0)
    try:
        bids, asks = (_pack_levels(side, prices, quantities) for side in sides)
    except ValueError:
        return AS_DOUBLE, _name_levels(book.bids), _name_levels(book.asks)
    return prices | quantities << 4, bids, asks


def _pack_levels(side: list[tuple[Shortened, Shortened]], prices: int, quantities: int) -> str:
    """Return prices and quantities with the given decimals; raises ValueError if they can't be."""
    packed = []
    before = 0
    for price, quantity in side:
        whole = _scale(price, prices)
        packed.append(f"{whole - before},{_scale(quantity, quantities)}")
        before = whole
    return ",".join(packed)


def _scale(number: Shortened, decimals: int) -> int:
    whole, own = number
    if decimals <= MOST_DECIMALS and not isinstance(whole, bytes):
        whole *= POWERS[decimals - own]
        if abs(whole) <= LARGEST_WHOLE:
            return whole
    raise ValueError


def _name_levels(levels: Sequence[Level]) -> str:
    return ",".join([f"{price!r}:{quantity!r}" for price, quantity in levels])


# ---- reading -------------------------------------------------------------------------------------


def decode(kind: type[Event], fields: Fields) -> Event:
    """Read an entry of either version as an event of the kind; raises BadMessage.

    A signal's label must have taken the place of its key (`Labels.resolve`).
    """
    read = READERS[kind][SUBJECT in fields]
    event = read(fields)
    event.check()
    return event


def _trade(fields: Fields) -> Trade:
    form = _form(fields, 9)
    return Trade(
        symbol=_text(fields, b"2", "symbol"),
        price=_number(fields, b"a", "price", form),
        quantity=_number(fields, b"b", "quantity", form >> 4),
        taker_is_buyer=bool(form >> 8),
        time_ms=_whole(fields, b"t", "time_ms"),
        id=_whole(fields, b"c", "id"),
    )


def _book(fields: Fields) -> Book:
    form = _form(fields, 8)
    return Book(
        symbol=_text(fields, b"2", "symbol"),
        bids=_unpack_levels(fields, b"a", "bids", form),
        asks=_unpack_levels(fields, b"b", "asks", form),
        time_ms=_whole(fields, b"t", "time_ms"),
    )


def _funding(fields: Fields) -> Funding:
    form = _form(fields, 12)
    return Funding(
        symbol=_text(fields, b"2", "symbol"),
        rate=_number(fields, b"a", "rate", form),
        mark_price=_number(fields, b"b", "mark_price", form >> 4),
        index_price=_number(fields, b"c", "index_price", form >> 8),
        time_ms=_whole(fields, b"t", "time_ms"),
    )


def _signal(fields: Fields) -> Signal:
    form = _form(fields, 10)
    key = _raw(fields, b"2", "label")
    names = key.decode("ascii", "replace").split(LABEL_SEPARATOR)
    if len(names) != 3:
        raise BadMessage(f"label: {_excerpt(key)} is not known")
    service, symbol, name = names
    return Signal(
        service=service,
        symbol=symbol,
        name=name,
        value=_number(fields, b"a", "value", form),
        direction=(form >> 8) - 1,
        confidence=_number(fields, b"b", "confidence", form >> 4),
        time_ms=_whole(fields, b"t", "time_ms"),
    )


def _form(fields: Fields, bits: int) -> int:
    form = _whole(fields, b"f", "form")
    if form >> bits:
        raise BadMessage(f"form: {form} is not valid")
    return form


def _number(fields: Fields, field: bytes, name: str, form: int) -> float:
    value = _raw(fields, field, name)
    decimals = form & 15
    try:
        if decimals < AS_DOUBLE:
            return _parse_whole(value) / POWERS[decimals]
        if len(value) == 8:
            return float(unpack("<d", value)[0])
    except ValueError:
        pass
    raise BadMessage(f"{name}: {_excerpt(value)} is not a number")


def _unpack_levels(fields: Fields, field: bytes, name: str, form: int) -> tuple[Level, ...]:
    if form == AS_DOUBLE:
        return _named_levels(fields, field, name)
    value = _raw(fields, field, name)
    if value.count(b",") >= 2 * MOST_LEVELS:
        raise BadMessage(f"{name}: more than {MOST_LEVELS} levels")
    price = 0
    levels = []
    try:
        numbers = [_parse_whole(text) for text in value.split(b",")] if value else []
        for step, quantity in zip(numbers[::2], numbers[1::2], strict=True):
            price += step
            levels.append((price / POWERS[form & 15], quantity / POWERS[form >> 4]))
    except (ValueError, IndexError):
        raise BadMessage(f"{name}: {_excerpt(value)} is not levels") from None
    return tuple(levels)


# ---- reading version 1 ---------------------------------------------------------------------------


def _named_trade(fields: Fields) -> Trade:
    side = _raw(fields, b"buyer", "buyer")
    if side not in (b"0", b"1"):
        raise BadMessage(f"buyer: {_excerpt(side)} is not 0 or 1")
    return Trade(
        symbol=_text(fields, b"symbol", "symbol"),
        price=_float(fields, b"price", "price"),
        quantity=_float(fields, b"quantity", "quantity"),
        taker_is_buyer=side == b"1",
        time_ms=_whole(fields, b"time_ms", "time_ms"),
        id=_whole(fields, b"id", "id"),
    )


def _named_book(fields: Fields) -> Book:
    return Book(
        symbol=_text(fields, b"symbol", "symbol"),
        bids=_named_levels(fields, b"bids", "bids"),
        asks=_named_levels(fields, b"asks", "asks"),
        time_ms=_whole(fields, b"time_ms", "time_ms"),
    )


def _named_funding(fields: Fields) -> Funding:
    return Funding(
        symbol=_text(fields, b"symbol", "symbol"),
        rate=_float(fields, b"rate", "rate"),
        mark_price=_float(fields, b"mark_price", "mark_price"),
        index_price=_float(fields, b"index_price", "index_price"),
        time_ms=_whole(fields, b"time_ms", "time_ms"),
    )


def _named_signal(fields: Fields) -> Signal:
    return Signal(
        service=_text(fields, b"service", "service"),
        symbol=_text(fields, b"symbol", "symbol"),
        name=_text(fields, b"name", "name"),
        value=_float(fields, b"value", "value"),
        direction=_whole(fields, b"direction", "direction"),
        confidence=_float(fields, b"confidence", "confidence"),
        time_ms=_whole(fields, b"time_ms", "time_ms"),
    )


def _named_levels(fields: Fields, field: bytes, name: str) -> tuple[Level, ...]:
    value = _raw(fields, field, name)
    if value.count(b",") >= MOST_LEVELS:
        raise BadMessage(f"{name}: more than {MOST_LEVELS} levels")
    try:
        pairs = [pair.split(b":") for pair in value.split(b",")] if value else []
        return tuple([(float(price), float(quantity)) for price, quantity in pairs])
    except ValueError:
        raise BadMessage(f"{name}: {_excerpt(value)} is not levels") from None


# By kind: what reads version 1, and what reads version 2.
READERS: Mapping[type[Event], tuple[Callable[[Fields], Event], Callable[[Fields], Event]]] = {
    Trade: (_named_trade, _trade),
    Book: (_named_book, _book),
    Funding: (_named_funding, _funding),
    Signal: (_named_signal, _signal),
}


def _raw(fields: Fields, field: bytes, name: str) -> bytes:
    value = fields.get(field)
    if value is None:
        raise BadMessage(f"{name}: missing")
    return value


def _text(fields: Fields, field: bytes, name: str) -> str:
    value = _raw(fields, field, name)
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        raise BadMessage(f"{name}: {_excerpt(value)} is not a name") from None


def _float(fields: Fields, field: bytes, name: str) -> float:
    value = _raw(fields, field, name)
    try:
        return float(value)
    except ValueError:
        raise BadMessage(f"{name}: {_excerpt(value)} is not a number") from None


def _whole(fields: Fields, field: bytes, name: str) -> int:
    value = _raw(fields, field, name)
    try:
        return _parse_whole(value)
    except ValueError:
        raise BadMessage(f"{name}: {_excerpt(value)} is not a whole number") from None


def _parse_whole(text: bytes) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError
    return int(text)


def _excerpt(value: bytes) -> str:
    return repr(value[:LONGEST_EXCERPT])
