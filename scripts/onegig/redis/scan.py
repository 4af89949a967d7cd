"""Reading the keys of a database: all of them, or a random sample, in small batches.

Only commands that read are sent. None of them counts as a use of a key: OBJECT, TYPE, PTTL and
MEMORY USAGE look keys up without touching them (LOOKUP_NOTOUCH in object.c and db.c).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from redis.exceptions import ResponseError

from onegig.redis.connect import RefusedError, Session, is_denied, is_untracked
from onegig.redis.groups import Counts, Group, Reading, make_group
from onegig.redis.pace import Pace
from onegig.redis.patterns import Patterns

COLLECTIONS = ("stream", "list", "zset", "hash", "set")
MOST_CENSUS = 1000  # keys of a collection's type that are all read though others are sampled
MOST_SCANNED = 3_000_000  # keys in a database that is walked through for each such type
SCAN_COUNT = 1000
RANDOM_KEYS = 200  # drawn at once
_MISSING = b"onegig:no:such:key"


def pack(*words: bytes) -> bytes:
    """Return a command as the protocol has it (RESP)."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A command asked about each key, and what is unknown where it is denied."""

    words: tuple[bytes, ...]  # before the key
    gap: str

    @property
    def name(self) -> str:
        """Return the command."""
        return b" ".join(self.words).decode()


QUESTIONS = (
    Question(words=(b"OBJECT", b"IDLETIME"), gap="idle times"),
    Question(words=(b"TYPE",), gap="types"),
    Question(words=(b"OBJECT", b"ENCODING"), gap="encodings"),
    Question(words=(b"PTTL",), gap="times to live"),
    Question(words=(b"MEMORY", b"USAGE"), gap="sizes"),
)
_UNASKED = (None, b"unknown", b"", -1, 0)  # in place of their answers


@dataclass(slots=True)
class Tally:
    """Counts of keys met during a scan, for the coverage of an audit."""

    examined: int = 0
    gone: int = 0  # expired or deleted while the scan went on
    denied: int = 0  # keys this user may not read
    failed: int = 0
    gaps: list[str] = field(default_factory=list)


class Scanner:
    """Reads keys over a session, at a pace that lets the server go on with its work."""

    def __init__(
        self,
        session: Session,
        pace: Pace,
        correct: Callable[[Reading], int],
        random: Random,
        *,
        is_cluster: bool = False,
    ) -> None:
        self._session = session
        self._pace = pace
        self._correct = correct  # a key's bytes, with what MEMORY USAGE leaves out
        self._random = random
        self._is_cluster = is_cluster
        self.tally = Tally()
        asked = tuple(self._permitted())
        # what stands before the key in each command; the key itself is the last word
        self._packs = tuple(pack(*each.words, b"").removesuffix(b"$0\r\n\r\n") for each in asked)
        at = {each: place for place, each in enumerate(asked)}
        # the place of each answer in a row that ends with those for commands that are not asked
        self._places = tuple(
            at.get(each, len(asked) + place) for place, each in enumerate(QUESTIONS)
        )

    def read_all(self, database: int) -> list[Group]:
        """Return every pattern of the selected database, all keys counted."""
        patterns: Patterns[Counts] = Patterns()
        for keys in self._walk(b"0"):
            self._count(patterns, keys)
        return _groups(patterns, database, lambda _: (0, 0))

    def read_sample(self, database: int, population: int, wanted: int) -> list[Group]:
        """Return the patterns of the selected database, estimated from `wanted` of its keys.

        The few keys of types that can hold very much are all read: one stream in a million keys may
        have most of the memory, and no sample would meet it.
        """
        patterns: Patterns[Counts] = Patterns()
        counted = self._read_census(patterns) if population <= MOST_SCANNED else {}
        rest = population - sum(counted.values())
        sampled = 0
        for keys in self._walk(b"0") if rest <= wanted else self._sample(wanted):
            others = [key for key in keys if key.type not in counted]
            self._count(patterns, others)
            sampled += len(others)
            if sampled >= wanted:
                break
        return _groups(
            patterns, database, lambda kind: (0, 0) if kind in counted else (sampled, rest)
        )

    def _read_census(self, patterns: Patterns[Counts]) -> dict[str, int]:
        """Count all keys of the types that have few; return how many each has."""
        counted = {}
        for kind in COLLECTIONS:
            names = self._names_of(kind)
            if names is None:
                continue
            parts = _parts(names, self._pace.keys)
            read = [key for part in parts for key in self._read(part)[0]]
            self._count(patterns, read)
            counted[kind] = len(read)
        return counted

    def _names_of(self, kind: str) -> list[bytes] | None:
        """Return all keys of a type; None where they are too many, or the server can't tell."""
        names: dict[bytes, None] = {}
        cursor = b"0"
        while True:
            reply = self._session.ask("SCAN", cursor, "COUNT", SCAN_COUNT, "TYPE", kind)
            if isinstance(reply, ResponseError):
                return None
            cursor, found = reply
            names.update(dict.fromkeys(found))
            if len(names) > MOST_CENSUS:
                return None
            if cursor == b"0":
                return list(names)

    def _sample(self, wanted: int) -> Iterator[list[Reading]]:
        """Yield keys at random, about as many as wanted at most twice over."""
        if self._is_cluster:
            yield from self._draw(wanted)
            return
        start = b"%d" % self._random.getrandbits(63)
        yield from self._walk(start)
        yield from self._walk(b"0")

    def _draw(self, wanted: int) -> Iterator[list[Reading]]:
        """Yield keys drawn one by one: a cluster's SCAN goes by slots, whose keys may be alike."""
        ask = pack(b"RANDOMKEY")
        drawn: dict[bytes, None] = {}  # a key may be drawn again, and counts once
        for start in range(0, 2 * wanted, RANDOM_KEYS):
            count = min(RANDOM_KEYS, 2 * wanted - start)
            names = self._session.batch([ask] * count, count).replies
            new = dict.fromkeys(n for n in names if isinstance(n, bytes) and n not in drawn)
            drawn |= new
            yield self._read([*new])[0]

    def _walk(self, cursor: bytes) -> Iterator[list[Reading]]:
        """Yield the keys of one SCAN from a cursor to its end, batch by batch.

        What is asked about the keys of one batch goes along with the SCAN for the next.
        """
        cursor, names = self._scanned(self._session.ask("SCAN", cursor, "COUNT", self._pace.keys))
        while cursor != b"0":
            *parts, last = _parts(names, self._pace.keys)
            for part in parts:
                yield self._read(part)[0]
            scan = pack(b"SCAN", cursor, b"COUNT", b"%d" % self._pace.keys)
            keys, reply = self._read(last, scan)
            yield keys
            cursor, names = self._scanned(reply)
        for part in _parts(names, self._pace.keys):
            yield self._read(part)[0]

    def _scanned(self, reply: Any) -> tuple[bytes, list[bytes]]:
        if isinstance(reply, ResponseError):
            raise RefusedError(
                f"{self._session.address} does not permit this user SCAN",
                command="SCAN",
                advice="permit it: ACL SETUSER USER +@read ~*",
            )
        cursor, names = reply
        return bytes(cursor), list(names)

    def _read(self, names: Sequence[bytes], scan: bytes = b"") -> tuple[list[Reading], Any]:
        """Return what the server says of keys, and its answer to `scan`.

        Keys that are gone or denied are only counted.
        """
        sized = [b"$%d\r\n%b\r\n" % (len(name), name) for name in names]
        packed = [before + name for name in sized for before in self._packs]
        batch = self._session.batch((*packed, scan), len(packed) + bool(scan))
        self._pace.note(len(names), batch.seconds)
        answer = batch.replies.pop() if scan else None
        step = len(self._packs)
        keys = []
        for name, start in zip(names, range(0, len(packed), step), strict=True):
            row = batch.replies[start : start + step]
            if batch.has_refusals:
                row = [None if is_untracked(each) else each for each in row]
            if batch.has_refusals and any(isinstance(each, ResponseError) for each in row):
                self._refused(row)
            elif key := self._key(name, row):
                keys.append(key)
        return keys, answer

    def _key(self, name: bytes, row: list[Any]) -> Reading | None:
        row.extend(_UNASKED)
        idle, kind, encoding, ttl_ms, size = (row[place] for place in self._places)
        if kind == b"none" or size is None:
            self.tally.gone += 1
            return None
        return Reading(
            name=name,
            type=kind.decode("ascii", "replace"),
            bytes=size,
            encoding=(encoding or b"").decode("ascii", "replace"),
            ttl_ms=ttl_ms,
            idle_seconds=idle,
        )

    def _refused(self, row: Sequence[object]) -> None:
        errors = [str(answer) for answer in row if isinstance(answer, ResponseError)]
        if any("perm" in error.lower() for error in errors):
            self.tally.denied += 1
        elif any("no such key" in error for error in errors):
            self.tally.gone += 1
        else:
            self.tally.failed += 1

    def _count(self, patterns: Patterns[Counts], keys: Iterable[Reading]) -> None:
        for key in keys:
            counts = patterns.leaf(key.name).counts
            if key.type not in counts:
                counts[key.type] = Counts()
            counts[key.type].add(key, key.bytes + self._correct(key))
            self.tally.examined += 1

    def _permitted(self) -> Iterator[Question]:
        """Yield what may be asked about keys; note what may not."""
        for question in QUESTIONS:
            reply = self._session.ask(*question.words, _MISSING)
            if is_denied(reply):
                self.tally.gaps.append(f"{question.name} is denied: {question.gap} are unknown")
            else:
                yield question


def _parts(names: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    """Return the names in parts of a size; one empty part where there are none."""
    return [names[at : at + size] for at in range(0, len(names), size)] or [()]


def _groups(
    patterns: Patterns[Counts], database: int, sample_of: Callable[[str], tuple[int, int]]
) -> list[Group]:
    """Return the patterns, the largest first; (0, 0) of a type: all its keys were read."""
    groups = [
        make_group(
            text,
            kind,
            counts,
            database=database,
            sampled=sample_of(kind)[0],
            population=sample_of(kind)[1],
        )
        for text, by_type in patterns
        for kind, counts in by_type.items()
    ]
    return sorted(groups, key=lambda group: -group.bytes.value)
