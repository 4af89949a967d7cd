"""Keys with their contents, read from a server in small pieces and written to another one.

A piece is bounded in elements and bytes, so that reading never keeps the audited server busy. Of a
large collection the first elements are read, of a large stream some windows of successive entries.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from onegig.redis.connect import is_denied, is_untracked
from onegig.redis.consumers import pending_bytes, read_backlog
from onegig.redis.encodings import (
    Entry,
    Id,
    Settings,
    hash_bytes,
    key_bytes,
    list_bytes,
    set_bytes,
    stream_bytes,
    table_bytes,
    zset_bytes,
)

MOST_BYTES = 256 * 1024  # of one piece
MOST_ELEMENTS = 1000
WINDOWS = 3  # of a stream
MOST_ENTRIES = 500  # of a window: several nodes
TYPES = ("string", "hash", "list", "set", "zset", "stream")
LONG_SECONDS = 7 * 86_400  # of a copy that only has to expire some time
T = TypeVar("T")
Client = Any  # redis.Redis: its own types allow for asynchronous answers everywhere
SIZES = {"hash": hash_bytes, "list": list_bytes, "set": set_bytes, "zset": zset_bytes}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A key and what was read of it.

    `content` has a string's value, the elements of a list or set, fields and values of a hash or
    members and scores of a sorted set in turn. `share` is the part of the key that was read.
    """

    name: bytes
    type: str
    content: tuple[bytes, ...] = ()
    entries: tuple[Entry, ...] = ()  # of a stream, successive ones
    expires: bool = False
    idle_seconds: int = 0
    usage_bytes: int = 0  # MEMORY USAGE of the whole key
    pending_bytes: int = 0  # of that, entries that a stream's groups have not acknowledged
    share: float = 1.0

    @property
    def values(self) -> tuple[bytes, ...]:
        """Return the values, without names of fields and without scores."""
        if self.type == "stream":
            return tuple(chain.from_iterable(content[1::2] for _, content in self.entries))
        if self.type == "hash":
            return self.content[1::2]
        return self.content[::2] if self.type == "zset" else self.content

    def half(self) -> "Sample":
        """Return the first half of what was read; all of a string."""
        if self.type == "string":
            return self
        per_element = 2 if self.type in {"hash", "zset"} else 1
        elements = max(1, len(self.content) // per_element // 2)
        return replace(
            self,
            content=self.content[: elements * per_element],
            entries=self.entries[: max(1, len(self.entries) // 2)],
            share=self.share / 2,
        )


# ---- reading ------------------------------------------------------------------------------------


def select(client: Client, database: int) -> None:
    """Select a database; a user who may only read may not, and stays in the first one."""
    try:
        client.execute_command("SELECT", database)
    except ResponseError as error:
        if database or not is_denied(error):
            raise


def read_sample(client: Client, name: bytes, kind: str) -> tuple[Sample, ...]:
    """Return what a key holds: one sample, of a large stream several; none where it is gone.

    Raises redis.RedisError where a command is denied.
    """
    idle, usage, ttl = (_idle_seconds(client, name), client.memory_usage(name), client.pttl(name))
    if usage is None:
        return ()
    known: dict[str, Any] = {
        "name": name,
        "type": kind,
        "expires": ttl > 0,
        "idle_seconds": idle,
        "usage_bytes": int(usage),
    }
    if kind == "stream":
        return _read_stream(client, known)
    length, content = _read_content(client, name, kind, int(usage))
    if not content:
        return ()
    per_element = 2 if kind in {"hash", "zset"} else 1
    got = len(content[0]) if kind == "string" else len(content) // per_element
    share = min(1.0, got / length) if length else 1.0
    return (Sample(**known, content=content, share=share),)


def _idle_seconds(client: Client, name: bytes) -> int:
    """Return the seconds for which a key was not used; 0 where the server does not track them."""
    try:
        return int(client.object("IDLETIME", name) or 0)
    except ResponseError as error:
        if is_untracked(error):
            return 0
        raise


def _read_content(
    client: Client, name: bytes, kind: str, usage: int
) -> tuple[int, tuple[bytes, ...]]:
    """Return how long a value is and its beginning."""
    if kind == "string":
        return client.strlen(name), (client.getrange(name, 0, MOST_BYTES - 1),)
    lengths = {"hash": client.hlen, "list": client.llen, "set": client.scard, "zset": client.zcard}
    length = int(lengths[kind](name))
    most = most_elements(usage, length)
    if kind == "list":
        return length, tuple(client.lrange(name, 0, most - 1))
    if kind == "zset":
        pairs = client.zrange(name, 0, most - 1, withscores=True)
        return length, tuple(chain.from_iterable((m, b"%.17g" % s) for m, s in pairs))
    return length, _scan(client, name, kind, most)


def _scan(client: Client, name: bytes, kind: str, most: int) -> tuple[bytes, ...]:
    """Return elements of a hash or set; a small one comes in a single piece."""
    cursor, pieces = 0, list[bytes]()
    count = min(200, most)
    scan = client.hscan if kind == "hash" else client.sscan
    while True:
        cursor, found = scan(name, cursor, count=count)
        pieces += chain.from_iterable(found.items()) if kind == "hash" else found
        if cursor == 0 or len(pieces) >= most * (2 if kind == "hash" else 1):
            return tuple(pieces)


def most_elements(usage: int, length: int) -> int:
    """Return how many elements of a collection a piece may have; at least one."""
    each = usage / max(1, length)
    return max(1, min(MOST_ELEMENTS, int(MOST_BYTES / max(1.0, each))))


def _read_stream(client: Client, known: dict[str, Any]) -> tuple[Sample, ...]:
    name = known["name"]
    length = int(client.xlen(name))
    most = min(MOST_ENTRIES, most_elements(known["usage_bytes"], length))
    windows = read_windows(client, name, length, most)
    if windows:
        known["pending_bytes"] = round(pending_bytes(read_backlog(client, name), windows[0]))
    return tuple(Sample(**known, entries=window, share=len(window) / length) for window in windows)


def read_windows(
    client: Client, name: bytes, length: int, most: int
) -> tuple[tuple[Entry, ...], ...]:
    """Return a short stream whole, of a longer one windows of `most` entries, spread over it."""
    if length <= most:
        window = _entries(client.xrange(name, count=most))
        return (window,) if window else ()
    first = _entries(client.xrange(name, count=1))
    last = _entries(client.xrevrange(name, count=1))
    if not first or not last:
        return ()
    begin, end = first[0][0][0], last[0][0][0]
    starts = (begin + (end - begin) * n // WINDOWS for n in range(WINDOWS))
    windows = []
    after: Id = (0, -1)
    for start in starts:
        low = max((start, 0), (after[0], after[1] + 1))
        window = _entries(client.xrange(name, min=f"{low[0]}-{low[1]}", count=most))
        if window:
            windows.append(window)
            after = window[-1][0]
    return tuple(windows)


def _entries(answer: Iterable[Any]) -> tuple[Entry, ...]:
    entries = []
    for entry_id, content in answer:
        milliseconds, sequence = entry_id.split(b"-")
        flat = tuple(chain.from_iterable((content or {}).items()))
        entries.append(((int(milliseconds), int(sequence)), flat))
    return tuple(entries)


# ---- writing ------------------------------------------------------------------------------------


def write_samples(client: Client, samples: Iterable[Sample]) -> None:
    """Write samples to a server of ours; an element after the other, as their writers did."""
    for batch in batched(chain.from_iterable(map(_commands, samples)), 1000):
        pipeline = client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)
        pipeline.execute()


def batched(items: Iterable[T], most: int) -> Iterator[tuple[T, ...]]:
    """Yield the items in tuples of `most` (itertools.batched from Python 3.12 on)."""
    rest = iter(items)
    while batch := tuple(islice(rest, most)):
        yield batch


def _commands(sample: Sample) -> Iterable[Sequence[Any]]:
    name, content = sample.name, sample.content
    match sample.type:
        case "string":
            yield ("SET", name, content[0])
        case "hash":
            yield from (("HSET", name, *pairs) for pairs in batched(content, 100))
        case "list":
            yield from (("RPUSH", name, *some) for some in batched(content, 50))
        case "set":
            yield from (("SADD", name, *some) for some in batched(content, 50))
        case "zset":
            for some in batched(content, 100):
                yield ("ZADD", name, *chain.from_iterable(zip(some[1::2], some[::2], strict=True)))
        case "stream":
            for (ms, sequence), fields in sample.entries:
                yield ("XADD", name, f"{ms}-{sequence}", *fields)
    if sample.expires:
        yield ("EXPIRE", name, LONG_SECONDS)


# ---- predicted sizes ----------------------------------------------------------------------------


def predicted_bytes(samples: Sequence[Sample], settings: Settings) -> int:
    """Return what these keys add to a server's used memory, by the sizes of encodings."""
    expiring = sum(sample.expires for sample in samples)
    tables = table_bytes(len(samples), settings) + table_bytes(expiring, settings)
    return tables + sum(_predicted(sample, settings) for sample in samples)


def _predicted(sample: Sample, settings: Settings) -> int:
    value = sample.content[0] if sample.type == "string" else None
    own = key_bytes(sample.name, value, settings, expires=sample.expires)
    match sample.type:
        case "string":
            return own
        case "stream":
            return own + stream_bytes(sample.entries, settings)
        case _:
            return own + SIZES[sample.type](sample.content, settings)
