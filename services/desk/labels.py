"""Labels: what many signals share (service, symbol and name), kept once in the hash `labels`.

An entry has a label's key instead, which follows from the label alone: writers need not agree on
keys, a restarted Redis makes none stale, and readers may remember them for good.
"""

from collections.abc import Iterable

from desk.codec import SUBJECT, key_of, label
from desk.events import Signal
from desk.redis import Command, Redis
from desk.streams import Entry

HASH = "labels"
MOST_REMEMBERED = 4_096


def explain(signals: Iterable[Signal]) -> list[Command]:
    """Return the command that explains the keys of signals; it belongs before their entries."""
    texts = {label(signal) for signal in signals}
    pairs = [part for text in sorted(texts) for part in (key_of(text), text)]
    return [("HSET", HASH, *pairs)] if pairs else []


class Labels:
    """Labels of the signals read so far."""

    __slots__ = ("_labels", "_redis")

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._labels: dict[bytes, bytes] = {}

    def resolve(self, entries: Iterable[Entry]) -> None:
        """Put labels in the place of the entries' keys; raises RedisError.

        A key that the hash does not have stays, and makes its entry a bad message.
        """
        keyed = [(entry, entry.fields) for entry in entries if entry.fields]
        keyed = [(entry, fields) for entry, fields in keyed if SUBJECT in fields]
        self._learn({fields[SUBJECT] for _, fields in keyed})
        for entry, fields in keyed:
            text = self._labels.get(fields[SUBJECT])
            if text is not None:
                entry.fields = {**fields, SUBJECT: text}

    def _learn(self, keys: set[bytes]) -> None:
        """Ask for the labels of keys that are not remembered."""
        if len(self._labels.keys() | keys) > MOST_REMEMBERED:
            self._labels.clear()
        unknown = sorted(keys - self._labels.keys())
        if unknown:
            texts = self._redis.call("HMGET", HASH, *unknown)
            found = zip(unknown, texts, strict=True)
            self._labels.update({key: text for key, text in found if text is not None})
