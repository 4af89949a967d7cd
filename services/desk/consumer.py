"""A consumer group, read so that only trimmed entries are ever lost.

Entries are acknowledged in the transaction that publishes their results. Those read but not
acknowledged are read again after every new connection, and those that a consumer left behind for
good are claimed by the next.
"""

from collections.abc import Iterable, Sequence

from desk.events import Signal
from desk.labels import Labels
from desk.redis import Command, CommandError, Redis, Reply
from desk.streams import KINDS, Entry, entries

BATCH = 256
ABANDONED_MS = 30_000
FORGET_MS = 600_000
FIRST = "0"
NEW = ">"


class Consumer:
    """One consumer of a group over one or more streams."""

    __slots__ = ("_attached_to", "_group", "_labels", "_name", "_pending", "_redis", "_streams")

    def __init__(self, redis: Redis, group: str, name: str, streams: Sequence[str]) -> None:
        self._redis = redis
        self._labels = Labels(redis)
        self._group = group
        self._name = name
        self._streams = tuple(streams)
        self._pending = dict.fromkeys(self._streams, FIRST)
        self._attached_to = 0

    def attach(self) -> bool:
        """Find the group after a new connection and start with its unacknowledged entries.

        Returns whether the connection is new, or the group was missing.
        """
        self._redis.connect()
        if self._attached_to == self._redis.connections:
            return False
        self._create()
        self._pending = dict.fromkeys(self._streams, FIRST)
        self._attached_to = self._redis.connections
        return True

    def detach(self) -> None:
        """Make the next attach() look for the group again, after it has vanished."""
        self._attached_to = 0

    def _create(self) -> None:
        """Create the group where it is missing, at the oldest entry of its stream."""
        for stream in self._streams:
            try:
                self._redis.call("XGROUP", "CREATE", stream, self._group, FIRST, "MKSTREAM")
            except CommandError as error:
                if error.code != "BUSYGROUP":
                    raise

    def read(self, wait_ms: int) -> list[Entry]:
        """Return own pending entries first, then new ones; wait for new ones if there are none.

        Entries of one stream come in order. Raises CommandError, with the code NOGROUP when the
        group has vanished.
        """
        positions = [self._pending.get(stream, NEW) for stream in self._streams]
        place: Command = ("GROUP", self._group, self._name, "COUNT", BATCH, "BLOCK", wait_ms)
        command: Command = ("XREADGROUP", *place, "STREAMS", *self._streams, *positions)
        reply = self._redis.call(*command, wait_seconds=wait_ms / 1000)
        batches = {name.decode(): self._entries(name.decode(), part) for name, part in reply or ()}
        for stream in tuple(self._pending):
            if batches.get(stream):
                self._pending[stream] = batches[stream][-1].id.decode()
            else:
                del self._pending[stream]
        return [entry for batch in batches.values() for entry in batch]

    def acknowledge(self, done: Iterable[Entry]) -> list[Command]:
        """Return the commands that acknowledge entries, one for each stream."""
        by_stream: dict[str, list[bytes]] = {}
        for entry in done:
            by_stream.setdefault(entry.stream, []).append(entry.id)
        return [("XACK", stream, self._group, *ids) for stream, ids in by_stream.items()]

    def adopt(self) -> list[Entry]:
        """Claim the unacknowledged entries of consumers that fell silent; return them.

        Silent consumers without such entries are removed from the group.
        """
        claimed: list[Entry] = []
        for stream in self._streams:
            for flat in self._redis.call("XINFO", "CONSUMERS", stream, self._group):
                info = dict(zip(flat[::2], flat[1::2], strict=True))
                if info[b"name"] == self._name.encode():
                    continue
                if info[b"pending"] and info[b"idle"] > ABANDONED_MS:
                    claimed += self._claim(stream, info[b"name"])
                elif info[b"idle"] > FORGET_MS:
                    self._redis.call("XGROUP", "DELCONSUMER", stream, self._group, info[b"name"])
        return claimed

    def _claim(self, stream: str, consumer: bytes) -> list[Entry]:
        pending = self._redis.call("XPENDING", stream, self._group, "-", "+", BATCH, consumer)
        ids = [entry[0] for entry in pending]
        place: Command = (stream, self._group, self._name, ABANDONED_MS)
        claimed = self._entries(stream, self._redis.call("XCLAIM", *place, *ids)) if ids else []
        gone = set(ids) - {entry.id for entry in claimed}
        return [*(Entry(stream, identifier, None) for identifier in sorted(gone)), *claimed]

    def _entries(self, stream: str, reply: Reply) -> list[Entry]:
        read = entries(stream, reply)
        if KINDS[stream] is Signal:
            self._labels.resolve(read)
        return read
