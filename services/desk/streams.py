"""The streams' names, how many entries each keeps, and how entries are written and read."""

from collections.abc import Mapping

from desk.codec import Fields, decode, encode
from desk.events import BadMessage, Book, Event, Funding, Signal, Trade
from desk.redis import Command, Reply

TRADES = "trades"
BOOKS = "books"
FUNDING = "funding"
SIGNALS = "signals"
FUSED = "fused"

# About 6 MB of Redis when all are full (48 bytes a trade, 190 a book of ten levels, 52 a signal):
# minutes of a busy market, far more than a restart takes.
LENGTHS: Mapping[str, int] = {
    TRADES: 50_000,
    BOOKS: 10_000,
    FUNDING: 5_000,
    SIGNALS: 20_000,
    FUSED: 5_000,
}


KINDS: Mapping[str, type[Event]] = {
    TRADES: Trade,
    BOOKS: Book,
    FUNDING: Funding,
    SIGNALS: Signal,
    FUSED: Signal,
}


class Entry:
    """One entry of a stream; no fields mean it was trimmed while it was pending."""

    __slots__ = ("fields", "id", "stream")

    def __init__(self, stream: str, identifier: bytes, fields: Fields | None) -> None:
        self.stream = stream
        self.id = identifier
        self.fields = fields

    @property
    def position(self) -> tuple[int, int]:
        """Return the millisecond in which Redis took the entry, and its number within it."""
        time_ms, _, number = self.id.partition(b"-")
        return int(time_ms), int(number)

    def event(self) -> Event:
        """Read the event; raises BadMessage."""
        if self.fields is None:
            raise BadMessage("trimmed")
        return decode(KINDS[self.stream], self.fields)


def add(stream: str, event: Event) -> Command:
    """Return the command that appends an event and trims the stream in whole nodes.

    Signals also need the command of `labels.explain`.
    """
    pairs = [part for pair in encode(event).items() for part in pair]
    return ("XADD", stream, "MAXLEN", "~", LENGTHS[stream], "*", *pairs)


def entries(stream: str, reply: Reply) -> list[Entry]:
    """Read the [id, [name, value, ...]] pairs that XREADGROUP and XCLAIM answer with."""
    read = []
    for identifier, flat in reply:
        fields = None if flat is None else dict(zip(flat[::2], flat[1::2], strict=False))
        read.append(Entry(stream, identifier, fields))
    return read
