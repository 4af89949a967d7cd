"""The desk's data in Redis: as it first was, and with each technique that makes it smaller.

A layout is written and read back as the records it holds, so that any two can be compared.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import market
from market import Record, Values

from desk.codec import decode, encode, label
from desk.events import Event, Signal
from desk.labels import Labels, explain
from desk.redis import Command, CommandError, Redis
from desk.streams import KINDS, Entry
from desk.streams import entries as parse_entries

TTL_SECONDS = 900
BUCKET_SECONDS = 300
BATCH = 500
METADATA_PREFIX = "metadata:"
NODE_LIMITS = {"stream-node-max-bytes": "16kb", "stream-node-max-entries": "400"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The techniques in use; none is the layout that the desk began with."""

    compact: bool = False  # stream entries as desk.codec writes them, instead of JSON
    ttl: bool = False  # results expire
    eliminate: bool = False  # what follows from other values is not written
    deduplicate: bool = False  # metadata and labels once in a hash
    nodes: bool = False  # larger nodes of streams
    hashes: bool = False  # one hash for many keys, with values as JSON arrays


# ---- writing -------------------------------------------------------------------------------------


def fill(redis: Redis, layout: Layout, scale: float) -> None:
    """Write all data; raises RedisError."""
    if layout.nodes:
        for name, value in NODE_LIMITS.items():
            redis.call("CONFIG", "SET", name, value)
    for commands in _batches(_all_commands(layout, scale)):
        for reply in redis.pipeline(commands):
            if isinstance(reply, CommandError):
                raise reply


def _batches(commands: Iterable[Command]) -> Iterator[list[Command]]:
    batch: list[Command] = []
    for command in commands:
        batch.append(command)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def _all_commands(layout: Layout, scale: float) -> Iterator[Command]:
    if layout.deduplicate:
        for service in ("market-data", "signal-fusion", *dict(market.INDICATORS)):
            for since_ms in (0, market.DEPLOYED_MS):
                text = json.dumps(market.metadata_of(service, since_ms))
                yield ("HSET", METADATA_PREFIX + service, since_ms, text)
    for stream in KINDS:
        for identifier, event in market.entries(stream, scale):
            if layout.compact and layout.deduplicate and isinstance(event, Signal):
                yield from explain([event])
            record = market.record(stream, int(identifier.partition("-")[0]), event)
            fields = _entry_fields(layout, record, event)
            yield ("XADD", stream, identifier, *[part for pair in fields.items() for part in pair])
    for key, record in market.results(scale):
        yield from _write_result(layout, key, record)
    for key, record in market.candles(scale):
        yield from _write_key(layout, key, record)


def _entry_fields(layout: Layout, record: Record, event: Event) -> Mapping[str, str | bytes | int]:
    if not layout.compact:
        return {"data": json.dumps(_kept(layout, record))}
    fields = encode(event)
    if isinstance(event, Signal) and not layout.deduplicate:
        fields["2"] = label(event)
    extra = {"d": record.derived, "m": record.metadata}
    left = {"d": not layout.eliminate, "m": not layout.deduplicate}
    return fields | {name: _array(extra[name]) for name in "dm" if left[name]}


def _kept(layout: Layout, record: Record) -> Values:
    """Return what the layout keeps of a record, with names."""
    values = record.own | ({} if layout.eliminate else record.derived)
    return values if layout.deduplicate else values | {"metadata": record.metadata}


def _array(values: Values) -> str:
    """Return values without their names."""
    return json.dumps(list(values.values()), separators=(",", ":"))


def _write_result(layout: Layout, key: str, record: Record) -> Iterator[Command]:
    """Write a result; one that would have expired by the end is left out."""
    if layout.ttl and has_expired(key):
        return
    yield from _write_key(layout, key, record)
    if layout.ttl:
        yield ("EXPIRE", bucket_of(key)[0] if layout.hashes else key, TTL_SECONDS)


def has_expired(key: str) -> bool:
    """Return whether a key is a result that nobody reads any more at the data's end."""
    kind, _, rest = key.partition(":")
    if kind != "result":
        return False
    return int(rest.rpartition(":")[2]) <= market.END_MS // 1000 - TTL_SECONDS


def _write_key(layout: Layout, key: str, record: Record) -> Iterator[Command]:
    kept = _kept(layout, record)
    if not layout.hashes:
        yield ("SET", key, json.dumps(kept))
        return
    bucket, field = bucket_of(key)
    metadata = kept.pop("metadata", None)
    values = [*kept.values(), *([list(metadata.values())] if metadata else [])]
    yield ("HSET", bucket, field, json.dumps(values, separators=(",", ":")))


def bucket_of(key: str) -> tuple[str, str]:
    """Return the hash (an hour of candles, 5 minutes of results) and the field for a key."""
    place, _, moment = key.rpartition(":")
    span = 60 if key.startswith("candle:") else BUCKET_SECONDS
    bucket, field = divmod(int(moment), span)
    return f"{place.replace(':', 's:', 1)}:{bucket}", str(field)


def key_of(bucket: str, field: str) -> str:
    """Return the key whose place a hash and a field took."""
    place, _, moment = bucket.replace("s:", ":", 1).rpartition(":")
    span = 60 if place.startswith("candle:") else BUCKET_SECONDS
    return f"{place}:{int(moment) * span + int(field)}"


# ---- reading -------------------------------------------------------------------------------------


class Reader:
    """Reads records back whole: names that a layout leaves out are known, the rest is in Redis."""

    def __init__(self, redis: Redis, layout: Layout) -> None:
        self._redis = redis
        self._layout = layout
        self._labels = Labels(redis)
        self._metadata: dict[str, list[tuple[int, Values]]] = {}

    def entries(self, stream: str) -> Iterator[tuple[str, Values]]:
        """Yield a stream's entries as id and everything that was known."""
        after = "-"
        while page := self._redis.call("XRANGE", stream, after, "+", "COUNT", BATCH):
            entries = parse_entries(stream, page)
            if self._layout.compact and KINDS[stream] is Signal:
                self._labels.resolve(entries)
            for entry in entries:
                yield entry.id.decode(), self._read_entry(entry)
            after = f"({entries[-1].id.decode()}"

    def keyed(self) -> Iterator[tuple[str, Values]]:
        """Yield results and candles as key and everything that was known, in no order."""
        for kind in ("result", "candle"):
            for key in self._scan(f"{kind}{'s' * self._layout.hashes}:*"):
                if not self._layout.hashes:
                    values = json.loads(self._redis.call("GET", key))
                    yield key, self._complete(market.keyed_record(key, {}), values)
                    continue
                flat = self._redis.call("HGETALL", key)
                for field, text in zip(flat[::2], flat[1::2], strict=True):
                    name = key_of(key, field.decode())
                    yield name, self._read_field(market.keyed_record(name, {}), json.loads(text))

    def _scan(self, pattern: str) -> Iterator[str]:
        cursor = b"0"
        while True:
            cursor, page = self._redis.call("SCAN", cursor, "MATCH", pattern, "COUNT", BATCH)
            yield from (key.decode() for key in page)
            if cursor == b"0":
                return

    def _read_entry(self, entry: Entry) -> Values:
        fields = entry.fields or {}
        taken_ms = entry.position[0]
        if not self._layout.compact:
            values = json.loads(fields[b"data"])
            event = market.event_of(entry.stream, values)
            return self._complete(market.record(entry.stream, taken_ms, event), values)
        record = market.record(entry.stream, taken_ms, decode(KINDS[entry.stream], fields))
        values = dict(record.own)
        if b"d" in fields:
            values |= _name(record.derived, json.loads(fields[b"d"]))
        if b"m" in fields:
            values["metadata"] = _name(record.metadata, json.loads(fields[b"m"]))
        return self._complete(record, values)

    def _read_field(self, record: Record, array: list[Any]) -> Values:
        own = market.OWN["candle" if "interval" in record.derived else "result"]
        values = dict(zip(own, array, strict=False))
        rest = array[len(own) :]
        if not self._layout.deduplicate:
            values["metadata"] = _name(record.metadata, rest.pop())
        if not self._layout.eliminate:
            values |= _name(record.derived, rest)
        return self._complete(record, values)

    def _complete(self, record: Record, values: Values) -> Values:
        """Return values with what the layout does not repeat: derived anew, or read once."""
        if self._layout.eliminate:
            values |= record.derived
        if self._layout.deduplicate:
            values["metadata"] = self._metadata_at(record.service, record.time_ms)
        return values

    def _metadata_at(self, service: str, time_ms: int) -> Values:
        if service not in self._metadata:
            flat = self._redis.call("HGETALL", METADATA_PREFIX + service)
            times, texts = map(int, flat[::2]), map(json.loads, flat[1::2])
            self._metadata[service] = sorted(zip(times, texts, strict=True))
        return [values for since_ms, values in self._metadata[service] if since_ms <= time_ms][-1]


def _name(names: Iterable[str], array: list[Any]) -> Values:
    return dict(zip(names, array, strict=True))
