"""Contents of values: bytes that say little, by reason.

Of every pattern the values of a sample are looked at. Duplicates are found across all patterns by
short digests, of which a bounded number is kept.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from onegig.model.redis import ValueFacts
from onegig.redis.columns import COMPRESSED_FROM
from onegig.redis.documents import Number, decimals_of, pack, parse, scale, write
from onegig.redis.samples import Sample

MOST_DIGESTS = 100_000
DIGEST_BYTES = 8
DUPLICATE_FROM = 16  # bytes; shorter values repeat by chance, and a reference saves little


@dataclass(slots=True)
class Counts:
    """Bytes of a pattern's values."""

    keys: int = 0
    bytes: int = 0
    json: int = 0
    names: int = 0
    numbers: int = 0
    duplicates: int = 0
    compressible: int = 0


class Values:
    """Values of all patterns, counted as they come."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Counts] = {}
        self._seen: set[bytes] = set()

    def add(self, pattern: str, sample: Sample) -> None:
        """Count the values of a key."""
        counts = self._counts.setdefault((pattern, sample.type), Counts())
        counts.keys += 1
        for value in sample.values:
            counts.bytes += len(value)
            counts.compressible += _compressible(value)
            document = parse(value)
            if document is None:
                counts.numbers += _spare(value.decode("latin-1"))
                counts.duplicates += self._repeated(value)
            else:
                counts.json += len(value)
                self._count_document(document, counts)

    @property
    def facts(self) -> tuple[ValueFacts, ...]:
        """Return what was counted, pattern by pattern."""
        return tuple(
            ValueFacts(
                pattern=pattern,
                type=kind,
                sampled=counts.keys,
                sampled_bytes=counts.bytes,
                json_bytes=counts.json,
                field_name_bytes=counts.names,
                number_text_bytes=counts.numbers,
                duplicate_bytes=counts.duplicates,
                compressible_bytes=counts.compressible,
            )
            for (pattern, kind), counts in self._counts.items()
        )

    def _count_document(self, document: Any, counts: Counts, *, is_new: bool = True) -> None:
        """Count names and numbers of a document, and its largest parts that repeat."""
        repeated = self._repeated(_bytes(write(document))) if is_new else 0
        counts.duplicates += repeated
        is_new = is_new and not repeated
        for name, value in _members(document):
            counts.names += len(_bytes(name)) + 3 if name else 0  # with quotes and colon
            if isinstance(value, Number):
                counts.numbers += _spare(value)
            elif isinstance(value, dict | list):
                self._count_document(value, counts, is_new=is_new)
            elif isinstance(value, str) and is_new:
                counts.duplicates += self._repeated(_bytes(value))

    def _repeated(self, value: bytes) -> int:
        """Return the bytes of a value that was seen before; its first one counts nothing."""
        if len(value) < DUPLICATE_FROM:
            return 0
        digest = blake2b(value, digest_size=DIGEST_BYTES).digest()
        if digest in self._seen:
            return len(value)
        if len(self._seen) < MOST_DIGESTS:
            self._seen.add(digest)
        return 0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON may have half of a pair


def _members(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, Mapping):
        yield from document.items()
    elif isinstance(document, Sequence):
        yield from (("", item) for item in document)


def _spare(text: str) -> int:
    """Return what a number written as text takes more than its integer in MessagePack."""
    places = decimals_of(text) if text else None
    if places is None:
        return 0
    return max(0, len(text) - len(pack(scale(text, places))))


def _compressible(value: bytes) -> int:
    if len(value) < COMPRESSED_FROM:
        return 0
    return max(0, len(value) - len(zlib.compress(value, 6)))


def examine_values(samples: Iterable[tuple[str, Sample]]) -> tuple[ValueFacts, ...]:
    """Return the facts of values by pattern, from samples with their patterns."""
    values = Values()
    for pattern, sample in samples:
        values.add(pattern, sample)
    return values.facts
