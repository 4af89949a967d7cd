"""JSON documents rewritten: names kept once, repeated members as codes, numbers as integers.

`Shape.learn` sees every document of a kind; `convert` writes them in a new form and reads each one
back. Where a single one would not come back the same, they stay as they are. Numbers keep their
value, not the way they were written (1.50 is 1.5).
"""

import json
import re
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

ABSENT: dict[str, Any] = {}  # in the place of a member that a document lacks
MOST_DECIMALS = 9
CODE_BYTES = 3  # of a number in the place of a value
ENTRY_BYTES = 12  # that a value costs in the table of codes, beside its text
_DECIMAL = re.compile(rf"-?(?:0|[1-9]\d{{0,15}})(?:\.(\d{{1,{MOST_DECIMALS}}}))?")


class Number(str):
    """A JSON number as it is written: no digit is lost."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A way to write documents."""

    positional: bool = False  # members by their place
    coded: bool = False  # repeated values as numbers of a table
    scaled: bool = False  # decimals as integers, the whole in binary (MessagePack)


@lru_cache(maxsize=20_000)
def parse(text: bytes) -> Any:
    """Return a JSON object or array with its numbers as written, None for everything else.

    What is returned is shared, and must not be changed.
    """
    if text[:1] not in {b"{", b"["}:
        return None
    try:
        value = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _refuse(name: str) -> None:
    raise ValueError(name)


def write(value: Any) -> str:
    """Return JSON without blanks."""
    match value:
        case Number():
            return str(value)
        case str():
            return encode_basestring(value)
        case dict():
            pairs = [f"{encode_basestring(k)}:{write(v)}" for k, v in value.items()]
            return f"{{{','.join(pairs)}}}"
        case list():
            return f"[{','.join(map(write, value))}]"
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            return json.dumps(value)


def decimals_of(text: str) -> int | None:
    """Return how many decimals a number has; None where it is not written plainly."""
    match = _DECIMAL.fullmatch(text)
    return None if match is None else len(match[1] or "")


def scale(text: str, decimals: int) -> int:
    """Return a number as a whole number of its last decimal."""
    return int(Decimal(text).scaleb(decimals))


def choose_codes(values: Sequence[str]) -> dict[str, int]:
    """Return codes for values that repeat, the most frequent first; none where it saves little."""
    counts = Counter(values)
    if len(counts) * 2 > len(values):
        return {}
    before = sum(len(value) * count for value, count in counts.items())
    after = len(values) * CODE_BYTES + sum(len(value) + ENTRY_BYTES for value in counts)
    if after > 0.9 * before:
        return {}
    return {value: code for code, (value, _) in enumerate(counts.most_common())}


@dataclass(kw_only=True, slots=True)
class Shape:
    """Contents of documents in one place: members by name, items, or plain values."""

    members: "dict[str, Shape]" = field(default_factory=dict)
    items: "Shape | None" = None
    kinds: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)  # of every value seen, as JSON
    codes: dict[str, int] = field(default_factory=dict)
    decimals: int | None = 0

    @classmethod
    def learn(cls, documents: Iterable[Any], form: Form) -> "Shape":
        """Return the shape that all of these documents have."""
        shape = cls()
        for document in documents:
            shape.see(document, form)
        shape.settle(form)
        return shape

    def see(self, value: Any, form: Form) -> None:
        """Take a value into account."""
        if form.coded and not isinstance(value, Number):
            self.texts.append(write(value))
        match value:
            case dict():
                self.kinds.add("object")
                for name, member in value.items():
                    self.members.setdefault(name, Shape()).see(member, form)
            case list():
                self.kinds.add("array")
                for item in value:
                    self.items = self.items or Shape()
                    self.items.see(item, form)
            case Number():
                self.kinds.add("number")
                places = decimals_of(value)
                if places is None or self.decimals is None:
                    self.decimals = None
                else:
                    self.decimals = max(self.decimals, places)
            case _:
                self.kinds.add("plain")

    def settle(self, form: Form) -> None:
        """Choose codes once everything was seen, and let go of the texts."""
        if form.coded and "number" not in self.kinds:  # numbers have no text to be coded by
            self.codes = choose_codes(self.texts)
        self.texts = []
        if self.codes:
            self.members, self.items = {}, None  # what a code stands for is kept as it is
        for shape in (*self.members.values(), *((self.items,) if self.items else ())):
            shape.settle(form)

    def encode(self, value: Any, form: Form) -> Any:
        """Return a document in a form."""
        if self.codes:
            return self.codes[write(value)]
        if isinstance(value, list):
            return [self.items.encode(item, form) for item in value] if self.items else value
        if isinstance(value, Number) and form.scaled and self._is_scaled:
            return scale(value, self.decimals or 0)
        if not isinstance(value, dict):
            return value
        if not (form.positional and self.kinds == {"object"}):
            return {name: self.members[name].encode(each, form) for name, each in value.items()}
        row = [
            shape.encode(value[name], form) if name in value else ABSENT
            for name, shape in self.members.items()
        ]
        while row and row[-1] is ABSENT:
            row.pop()
        return row

    @property
    def _is_scaled(self) -> bool:
        return self.kinds == {"number"} and self.decimals is not None

    def decode(self, value: Any, form: Form) -> Any:
        """Return the document that was encoded."""
        if self.codes:
            return parse_any(list(self.codes)[int(value)])
        if form.positional and self.kinds == {"object"}:
            pairs = zip(self.members.items(), value, strict=False)
            return {n: shape.decode(v, form) for (n, shape), v in pairs if v != ABSENT}
        if isinstance(value, dict):
            return {name: self.members[name].decode(each, form) for name, each in value.items()}
        if isinstance(value, list):
            return [self.items.decode(item, form) for item in value] if self.items else value
        if form.scaled and self._is_scaled:
            return Number(Decimal(int(value)).scaleb(-(self.decimals or 0)))
        return value

    @property
    def all_codes(self) -> list[str]:
        """Return the values that codes stand for; names and decimals are known to programs."""
        shapes = (*self.members.values(), *((self.items,) if self.items else ()))
        return [*self.codes, *(text for shape in shapes for text in shape.all_codes)]


def parse_any(text: str) -> Any:
    """Return any JSON value."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def same(one: Any, other: Any) -> bool:
    """Return whether two documents say the same; numbers by their value."""
    if isinstance(one, Number) and isinstance(other, Number):
        return one == other or Decimal(one) == Decimal(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def convert(documents: Sequence[Any], form: Form) -> tuple[list[bytes], list[str]] | None:
    """Return documents in a form and the values that codes stand for; None if one is not equal."""
    shape = Shape.learn(documents, form)
    encoded = [shape.encode(document, form) for document in documents]
    for document, row in zip(documents, encoded, strict=True):
        if not same(document, shape.decode(row, form)):
            return None
    texts = [pack(row) if form.scaled else write(row).encode() for row in encoded]
    return texts, shape.all_codes


# ---- MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) ------------------------

_WHOLE = ((">B", 0xCC, 8), (">H", 0xCD, 16), (">I", 0xCE, 32), (">Q", 0xCF, 64))
_SIGNED = ((">b", 0xD0, 8), (">h", 0xD1, 16), (">i", 0xD2, 32), (">q", 0xD3, 64))


def pack(value: Any) -> bytes:
    """Return a value in MessagePack; a number that is not whole stays text."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _pack_integer(value)
        case Number() if decimals_of(value) == 0:
            return _pack_integer(int(value))
        case str():
            text = value.encode("utf-8", "surrogatepass")
            return _head(len(text), 0xA0, 32, (0xD9, 0xDA, 0xDB)) + text
        case list():
            return _head(len(value), 0x90, 16, (0xDC, 0xDC, 0xDD)) + b"".join(map(pack, value))
        case _:
            pairs = b"".join(pack(name) + pack(each) for name, each in value.items())
            return _head(len(value), 0x80, 16, (0xDE, 0xDE, 0xDF)) + pairs


def _head(length: int, short: int, most: int, marks: tuple[int, int, int]) -> bytes:
    if length < most:
        return bytes((short + length,))
    if length < 256 and marks[0] == 0xD9:
        return bytes((marks[0], length))
    return struct.pack(">BH" if length < 65_536 else ">BI", marks[1 + (length >= 65_536)], length)


def _pack_integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack(">b", value)
    kinds = _WHOLE if value >= 0 else _SIGNED
    for code, mark, bits in kinds:
        if -(1 << bits - 1) <= value < 1 << (bits if value >= 0 else bits - 1):
            return bytes((mark,)) + struct.pack(code, value)
    return pack(str(value))
