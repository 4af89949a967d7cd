"""Bytes of a key that MEMORY USAGE leaves out, by product and release.

It is made of the sizes that a server asks its allocator for in some places, and of those that it
was given in others. `used_memory` counts only what was given.
"""

from dataclasses import dataclass

from onegig.redis.groups import Reading

POINTER, OBJECT, ENTRY = 8, 16, 24  # bytes: server.h, dict.h
QUICKLIST = 40 + 32  # and one node (quicklist.h)
LONG_NAME = 128  # bytes from which on Valkey leaves room for a time to live (object.c)
SMALL_CLASSES = 128  # bytes up to which jemalloc's classes are a quantum apart
ONE_ALLOCATION = {"embstr": 0, "ziplist": OBJECT, "intset": OBJECT, "quicklist": OBJECT + QUICKLIST}


@dataclass(frozen=True, kw_only=True, slots=True)
class Uncounted:
    """A server's way to count: call it with a key for the bytes that are missing.

    `quantum` is the distance between jemalloc's small sizes, 8 or 16 bytes.
    """

    is_valkey: bool
    release: tuple[int, ...]  # the first two numbers of the version
    quantum: int

    @property
    def embeds_keys(self) -> bool:
        """Return whether a key's name is a part of its object, and no table has entries."""
        return self.release >= ((8, 1) if self.is_valkey else (8, 2))

    def __call__(self, key: Reading) -> int:
        """Return the bytes of a key that are not in `key.bytes`."""
        if self.embeds_keys:
            lacks_name = self.is_valkey and self.release < (9, 0)
            return self._name(key) if lacks_name else 0
        entries = (self._given(ENTRY) - ENTRY) * (1 + (key.ttl_ms >= 0))
        return entries + (self._content(key) if self.release < (7, 0) else 0)

    def _name(self, key: Reading) -> int:
        """Return the bytes of a name in Valkey 8.1, which counts 16 for the object that holds it.

        Where the object holds the value as well, all of it is counted
        (createUnembeddedObjectWithKeyAndExpire and objectComputeSize, object.c).
        """
        if key.encoding == "embstr":
            return 0
        length = len(key.name)
        expires = key.ttl_ms >= 0 or length >= LONG_NAME
        return self._given(OBJECT + 1 + _text(length) + POINTER * expires) - OBJECT

    def _content(self, key: Reading) -> int:
        """Return what a compact value was given beyond its size (Redis 6, objectComputeSize)."""
        before = ONE_ALLOCATION.get(key.encoding)
        if before is None:
            return 0
        counted = key.bytes - ENTRY - self._given(_text(len(key.name))) - before
        asked = counted + 2 * (key.encoding == "embstr")  # its header has 4 bytes, and 2 count
        return max(0, self._given(asked) - counted) if counted > 0 else 0

    def _given(self, size: int) -> int:
        """Return what jemalloc gives: above small sizes, four classes to each doubling (sc.h)."""
        step = self.quantum if size <= SMALL_CLASSES else 1 << (size - 1).bit_length() - 3
        return -(-size // step) * step


def _text(length: int) -> int:
    """Return the size of a dynamic string (sds.h)."""
    return length + (2 if length < 32 else 4 if length < 256 else 6)
