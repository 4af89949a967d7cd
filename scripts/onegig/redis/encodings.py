"""Sizes of Redis's and Valkey's data structures, in bytes of their allocator.

They are what `used_memory` grows by, on a 64-bit machine with jemalloc. Each function names the
source file that its formula comes from (Redis 7.2, https://github.com/redis/redis, and where it
differs Valkey 8.1, https://github.com/valkey-io/valkey). `MEMORY USAGE` counts less in places: the
size of an entry instead of what is allocated for it, and in Valkey 8.1 not the name of a key whose
value has an allocation of its own; for radix trees older servers assume more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from math import ceil, exp, factorial

POINTER = 8
OBJECT = 16  # robj: type, encoding, age, references, pointer (server.h)
DICT = 64  # struct dict (dict.h)
HASHTABLE = 80  # struct hashtable (Valkey's hashtable.c)
BUCKET, BUCKET_ENTRIES = 64, 7  # a cache line of Valkey's hash table (hashtable.c)
SHARED_INTEGERS = 10_000  # (OBJ_SHARED_INTEGERS, server.h)
EMBEDDED_MOST = 64  # bytes of an object that holds its string itself (object.c)
EMBEDDED_LENGTH = 44  # of a string in it (OBJ_ENCODING_EMBSTR_SIZE_LIMIT)
SKIPLIST_LEVELS, SKIPLIST_P = 32, 0.25  # (server.h)
PREALLOCATED = 4096  # of a stream's last node (STREAM_LISTPACK_MAX_PRE_ALLOCATE, t_stream.c)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Settings of a server that its encodings depend on; 0 of a stream's is no limit."""

    hash_max_listpack_entries: int = 128
    hash_max_listpack_value: int = 64
    zset_max_listpack_entries: int = 128
    zset_max_listpack_value: int = 64
    set_max_listpack_entries: int = 0  # before Redis 7.2 there is none
    set_max_listpack_value: int = 64
    set_max_intset_entries: int = 512
    list_max_listpack_size: int = -2
    stream_node_max_bytes: int = 4096
    stream_node_max_entries: int = 100
    embeds_keys: bool = False  # Valkey 8.1 and later
    packs_lists: bool = False  # a short list is a listpack alone: Redis 7.2 and later, Valkey

    @classmethod
    def read(cls, config: Mapping[str, str], *, embeds_keys: bool, packs_lists: bool) -> "Settings":
        """Return the settings in what CONFIG GET answered; Redis 6 still says ziplist."""
        values = {}
        for each in fields(cls):
            name = each.name.replace("_", "-")
            text = config.get(name, config.get(name.replace("listpack", "ziplist"), ""))
            if text.lstrip("-").isdigit():
                values[each.name] = int(text)
        return cls(**values, embeds_keys=embeds_keys, packs_lists=packs_lists)


def allocated(size: int) -> int:
    """Return what jemalloc takes for `size` bytes: four classes to each doubling (sc.h)."""
    if size <= 8:
        return 8 if size else 0
    if size <= 128:
        return -(-size // 16) * 16
    step = 1 << (size - 1).bit_length() - 3
    return -(-size // step) * step


def sds_size(length: int, least_header: int = 1) -> int:
    """Return the size of a dynamic string: header, text, zero byte (sdsReqType, sds.c)."""
    headers = ((1, 1 << 5), (3, 1 << 8), (5, 1 << 16), (9, 1 << 32), (17, 1 << 64))
    header = next(size for size, end in headers if size >= least_header and length < end)
    return header + length + 1


def sds_bytes(length: int) -> int:
    """Return the bytes of a dynamic string of its own; an empty one is made to grow (sds.c)."""
    return allocated(sds_size(length, 1 if length else 3))


def as_integer(text: bytes) -> int | None:
    """Return the integer that a server stores instead of its text (lpStringToInt64, listpack.c).

    Only the shortest way to write a number counts: not "+1", "01" or "-0".
    """
    digits = text[1:] if text[:1] == b"-" else text
    if len(digits) > 19 or not digits.isdigit() or (digits[:1] == b"0" and text != b"0"):
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None


# ---- listpacks (listpack.c) ---------------------------------------------------------------------

_INTEGERS = ((13, 2), (16, 3), (24, 4), (32, 5), (64, 9))  # bits, encoded size
LISTPACK_FRAME = 7  # total length, number of elements, end


def integer_size(value: int) -> int:
    """Return the size of an integer in a listpack (lpEncodeIntegerGetType and its way back)."""
    if 0 <= value <= 127:
        return 2
    return 1 + next(size for bits, size in _INTEGERS if -(1 << bits - 1) <= value < 1 << bits - 1)


def element_size(text: bytes) -> int:
    """Return the size of an element of a listpack, with the length that leads back over it."""
    value = as_integer(text)
    if value is not None:
        return integer_size(value)
    length = len(text)
    size = length + (1 if length < 64 else 2 if length < 4096 else 5)
    ends = (128, 16_383, 2_097_151, 268_435_455)  # lpEncodeBacklen
    return size + 1 + sum(size >= end for end in ends)


def listpack_bytes(elements: Iterable[bytes]) -> int:
    """Return the bytes of a listpack with these elements."""
    return allocated(LISTPACK_FRAME + sum(map(element_size, elements)))


# ---- radix trees (rax.c) ------------------------------------------------------------------------


def _radix_node(children: int, *, compressed: bool, has_data: bool) -> int:
    """Return the bytes of a node (raxNodeCurrentLength): header, letters, pointers, padding."""
    letters = 4 + children
    pointers = 1 if compressed else children
    return allocated(letters + -letters % POINTER + (pointers + has_data) * POINTER)


def radix_tree_bytes(names: Iterable[bytes]) -> int:
    """Return the bytes of a radix tree that leads from each of these names to a pointer."""
    return allocated(32) + _radix_below(sorted(set(names)), 0)


def _radix_below(names: Sequence[bytes], depth: int) -> int:
    """Return the bytes of the nodes for names that are sorted and alike up to `depth`."""
    is_key = bool(names) and len(names[0]) == depth
    rest = names[1:] if is_key else names
    if not rest:
        return _radix_node(0, compressed=False, has_data=is_key)
    first, last = rest[0], rest[-1]
    alike = depth
    while alike < min(len(first), len(last)) and first[alike] == last[alike]:
        alike += 1
    if alike - depth > 1:
        node = _radix_node(alike - depth, compressed=True, has_data=is_key)
        return node + _radix_below(rest, alike)
    groups = [list(group) for _, group in groupby(rest, key=lambda name: name[depth])]
    node = _radix_node(len(groups), compressed=False, has_data=is_key)
    return node + sum(_radix_below(group, depth + 1) for group in groups)


# ---- streams (t_stream.c) -----------------------------------------------------------------------

STREAM = 112  # struct stream (stream.h)
Id = tuple[int, int]  # milliseconds and sequence
Entry = tuple[Id, tuple[bytes, ...]]  # fields and values in turn


def entry_size(entry_id: Id, content: Sequence[bytes], first: Id, *, is_uniform: bool) -> int:
    """Return the size of an entry in the node that begins with the entry `first`.

    A uniform one has the fields of the node's first entry, so that their names are left out.
    """
    names, values = content[::2], content[1::2]
    pieces = len(values) + 3
    size = 2 + sum(integer_size(now - then) for now, then in zip(entry_id, first, strict=True))
    size += sum(map(element_size, values))
    if not is_uniform:
        pieces += len(names) + 1
        size += integer_size(len(names)) + sum(map(element_size, names))
    return size + integer_size(pieces)


def node_size(content: Sequence[bytes]) -> int:
    """Return the size of a node that has only its master entry: the fields of its first entry."""
    names = content[::2]
    return LISTPACK_FRAME + 6 + integer_size(len(names)) + sum(map(element_size, names))


class StreamNodes:
    """The nodes that XADD makes of entries, one after the other (streamAppendItem).

    `sizes` are those of the nodes in use, `counts` their entries, `firsts` their first ids. With
    `unify` all entries are taken to have the fields of their node's first.
    """

    def __init__(self, settings: Settings, *, unify: bool = False) -> None:
        self._settings = settings
        self._unify = unify
        self._names: tuple[bytes, ...] = ()
        self.sizes: list[int] = []
        self.counts: list[int] = []
        self.firsts: list[Id] = []
        self.uniform = 0  # entries that share the names of their node

    def add(self, entry_id: Id, content: tuple[bytes, ...]) -> None:
        """Append an entry, to a new node where the last one is full."""
        if self._is_full(sum(map(len, content))):
            self.sizes.append(node_size(content))
            self.counts.append(0)
            self.firsts.append(entry_id)
            self._names = content[::2]
        is_uniform = self._unify or content[::2] == self._names
        size = entry_size(entry_id, content, self.firsts[-1], is_uniform=is_uniform)
        # the count of entries, an integer, may need more room as it grows
        count = self.counts[-1]
        self.sizes[-1] += size + integer_size(count + 1) - integer_size(count)
        self.counts[-1] = count + 1
        self.uniform += is_uniform

    def _is_full(self, added: int) -> bool:
        if not self.sizes:
            return True
        limit = self._settings.stream_node_max_bytes or 1 << 30
        most = self._settings.stream_node_max_entries
        return self.sizes[-1] + added >= limit or bool(most and self.counts[-1] >= most)

    @property
    def bytes(self) -> int:
        """Return the bytes of the stream: nodes, the last with room to grow, and radix tree."""
        if not self.sizes:
            return allocated(STREAM) + radix_tree_bytes(())
        *closed, last = self.sizes
        prealloc = min(PREALLOCATED, self._settings.stream_node_max_bytes or PREALLOCATED)
        nodes = sum(map(allocated, closed)) + allocated(max(prealloc, last))
        return allocated(STREAM) + radix_tree_bytes(map(id_key, self.firsts)) + nodes

    @property
    def closed_bytes(self) -> int:
        """Return the bytes of nodes and radix tree without room to grow."""
        return sum(map(allocated, self.sizes)) + radix_tree_bytes(map(id_key, self.firsts))


def id_key(entry_id: Id) -> bytes:
    """Return an id as a radix tree has it (streamEncodeID)."""
    return entry_id[0].to_bytes(8) + entry_id[1].to_bytes(8)


def stream_bytes(entries: Iterable[Entry], settings: Settings) -> int:
    """Return the bytes of a stream without its object and consumer groups."""
    nodes = StreamNodes(settings)
    for entry_id, content in entries:
        nodes.add(entry_id, content)
    return nodes.bytes


# ---- strings, and the names of keys (object.c, dict.h, db.c) ------------------------------------


def string_bytes(value: bytes) -> int:
    """Return the bytes of a string's object, where the name of its key has its own room.

    Small numbers share one object of the server's, unless it evicts by age.
    """
    number = as_integer(value)
    if number is not None:
        return 0 if 0 <= number < SHARED_INTEGERS else OBJECT
    if len(value) <= EMBEDDED_LENGTH:
        return allocated(OBJECT + sds_size(len(value), 3))
    return OBJECT + sds_bytes(len(value))


def key_bytes(name: bytes, value: bytes | None, settings: Settings, *, expires: bool) -> int:
    """Return the bytes of a key's name, entry and object, with `value` where it is a string.

    Redis allocates entry, name and object apart, and a second entry for a time to live. Valkey has
    the name, the time and a short value in the object, and its entries in the table's buckets.
    """
    if not settings.embeds_keys:
        own = string_bytes(value) if value is not None else OBJECT
        return own + sds_bytes(len(name)) + allocated(24) * (1 + expires)
    size = OBJECT + 1 + sds_size(len(name)) + POINTER * (expires or len(name) >= 128)
    if value is None or as_integer(value) is not None:
        return allocated(size)
    if size + sds_size(len(value), 3) <= EMBEDDED_MOST:
        return allocated(size + sds_size(len(value), 3))
    return allocated(size) + sds_bytes(len(value))


def table_bytes(entries: int, settings: Settings, *, steps: int = 0) -> int:
    """Return the bytes of a hash table's slots, whose number is a power of two (dict.c).

    A table that grew keeps its old slots until `steps` for each entry added since have emptied
    them; the table of all keys is seen to in the background: 0. Valkey's slots are buckets of
    seven, and some of them overflow into another one (hashtable.c).
    """
    if entries == 0:
        return 0
    if not settings.embeds_keys:
        slots = max(4, 1 << (entries - 1).bit_length())
        old = slots // 2
        is_growing = steps and slots > 4 and (entries - old) * (1 + steps) < old
        return POINTER * (slots + (old if is_growing else 0))
    buckets = 1 << (ceil(entries / BUCKET_ENTRIES) - 1).bit_length()
    old = buckets // 2
    is_growing = steps and entries - BUCKET_ENTRIES * old <= old
    chained = buckets * _more_than(BUCKET_ENTRIES, entries / buckets)
    return BUCKET * (buckets + round(chained) + (old if is_growing else 0))


def _more_than(most: int, mean: float) -> float:
    """Return the chance that a bucket gets more than `most` entries (Poisson)."""
    return 1 - sum(exp(-mean) * mean**n / factorial(n) for n in range(most + 1))


# ---- hashes, sets, sorted sets, lists (t_hash.c, t_set.c, t_zset.c, quicklist.c) ----------------


def _fits(elements: Sequence[bytes], pairs: int, most: int, longest: int) -> bool:
    return pairs <= most and all(len(element) <= longest for element in elements)


def _tabled(texts: Iterable[bytes], entries: int, settings: Settings, steps: int) -> int:
    """Return the bytes of a hash table with these texts as its own strings."""
    slots = table_bytes(entries, settings, steps=steps)
    own = sum(sds_bytes(len(text)) for text in texts) + slots
    return own + (HASHTABLE if settings.embeds_keys else DICT + entries * allocated(24))


def hash_bytes(content: Sequence[bytes], settings: Settings) -> int:
    """Return the bytes of a hash without its object; `content` has fields and values in turn."""
    count, most = len(content) // 2, settings.hash_max_listpack_entries
    if _fits(content, count, most, settings.hash_max_listpack_value):
        return listpack_bytes(content)
    if not settings.embeds_keys:
        return _tabled(content, count, settings, 0)
    entries = sum(map(_hash_entry, content[::2], content[1::2]))
    return _tabled((), count, settings, 1) + entries


def _hash_entry(field: bytes, value: bytes) -> int:
    """Return the bytes of a field in Valkey: with its value up to 128 bytes (entry.c)."""
    name, text = sds_size(len(field)), sds_size(len(value), 3)
    if name + text <= 128:
        return allocated(name + text)
    return allocated(POINTER + sds_size(len(field), 3)) + sds_bytes(len(value))


def set_bytes(content: Sequence[bytes], settings: Settings) -> int:
    """Return the bytes of a set without its object (intset.c for whole numbers)."""
    numbers = [as_integer(member) for member in content]
    whole = [number for number in numbers if number is not None]
    if len(whole) == len(content) and len(whole) <= settings.set_max_intset_entries:
        width = max((2, *((4, 8)[n.bit_length() > 31] for n in whole if not -32768 <= n < 32768)))
        return allocated(8 + width * len(whole))
    most = settings.set_max_listpack_entries
    if _fits(content, len(content), most, settings.set_max_listpack_value):
        return listpack_bytes(content)
    return _tabled(content, len(content), settings, 2)


def zset_bytes(content: Sequence[bytes], settings: Settings) -> int:
    """Return the bytes of a sorted set without its object; members and scores in turn.

    A skip list's node has a random number of levels: their expectation is counted.
    """
    count, most = len(content) // 2, settings.zset_max_listpack_entries
    if _fits(content[::2], count, most, settings.zset_max_listpack_value):
        return listpack_bytes(content)
    levels = range(1, 8)
    chances = [(1 - SKIPLIST_P) * SKIPLIST_P ** (level - 1) for level in levels]
    node = sum(p * allocated(24 + 16 * n) for p, n in zip(chances, levels, strict=True))
    head = allocated(24 + 16 * SKIPLIST_LEVELS) + 2 * allocated(32)
    return head + round(count * node) + _tabled(content[::2], count, settings, 2)


def list_bytes(content: Sequence[bytes], settings: Settings) -> int:
    """Return the bytes of a list without its object: linked nodes, each a listpack.

    A short one may be its listpack alone (listTypeTryConvertListpack, t_list.c).
    """
    limit = settings.list_max_listpack_size
    most_bytes = 2048 << min(-limit, 5) if limit < 0 else 8192
    sizes, counts = [LISTPACK_FRAME], [0]
    for element in content:
        over = sizes[-1] + len(element) + 8 > most_bytes if limit < 0 else counts[-1] >= limit
        if counts[-1] and over:
            sizes.append(LISTPACK_FRAME)
            counts.append(0)
        sizes[-1] += element_size(element)
        counts[-1] += 1
    nodes = sum(map(allocated, sizes))
    if len(sizes) == 1 and settings.packs_lists:
        return nodes
    return nodes + allocated(40) * (1 + len(sizes))
