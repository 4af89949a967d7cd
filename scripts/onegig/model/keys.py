"""Declarations of budgets.yml's keys: kinds of values, bounds, and which direction is looser.

model/budgets.py declares the keys. The reader with its messages, the JSON Schema, docs/budgets.md,
options of the command line and the comparison of two budgets all read these declarations.
"""

import inspect
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache, partial
from typing import Any

from onegig.model.sizes import (
    Convention,
    Growth,
    format_mb,
    growth,
    memory_growth,
    percent,
    seconds,
    share,
    size,
)
from onegig.text import did_you_mean

NONE = "none"
BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("at least", operator.ge),
    "maximum": ("at most", operator.le),
    "exclusiveMinimum": ("more than", operator.gt),
}
POSITIVE: Mapping[str, float] = {"exclusiveMinimum": 0}
_UNIT = re.compile(r"_(bytes|share|seconds|files|names)$")
_WHOLE = re.compile(r"\s*[0-9]{1,9}\s*")

Looser = Callable[[Any, Any], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of scalar: its JSON Schema, how its text is parsed, how people read it."""

    schema: Mapping[str, Any]
    parse: Callable[[str], Any]  # raises ValueError, which says how to write it
    write: Callable[[Any], str] = str
    example: Any = None
    name: str = ""  # among the schema's $defs; "": written out at each key


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping with keys of its own, held by a dataclass."""

    type: type
    optional: bool = False  # None if it is left out

    @property
    def example(self) -> dict[str, Any]:
        """Return the required keys, else the first one, with their examples."""
        keys = keys_of(self.type)
        names = [name for name, each in keys.items() if each.required] or list(keys)[:1]
        return {name: keys[name].example for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Several:
    """A list of items, or a mapping of them by names that the user chooses."""

    item: Kind | Section
    named: bool = False  # a mapping
    least: int = 1
    or_single: bool = False  # also takes an item that is not in a list
    empty: str = NONE  # how people read an empty one

    @property
    def example(self) -> Any:
        """Return an example with one item."""
        return {"NAME": self.item.example} if self.named else [self.item.example]

    def write(self, items: Sequence[Any]) -> str:
        """Return the items on one line."""
        write = self.item.write if isinstance(self.item, Kind) else str
        texts = [f"{each[0]}={write(each[1])}" if self.named else write(each) for each in items]
        return ", ".join(texts) or self.empty


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of budgets.yml."""

    kind: Kind | Section | Several
    looser: Looser
    meaning: str = ""
    default: Any = None  # as a user would write it
    example: Any = None
    bounds: Mapping[str, float] = field(default_factory=dict)
    required: bool = False
    warns_by_default: bool = False  # and blocks if it is written
    old_name: str = ""  # still read, with a note
    attribute: str = ""  # of the section's dataclass

    def parse(self, text: str) -> Any:
        """Return the value of a scalar. Raises ValueError, which says what is expected."""
        value = self.kind.parse(text) if isinstance(self.kind, Kind) else text
        for bound, limit in self.bounds.items():
            name, holds = BOUNDS[bound]
            if value is not None and not holds(value, limit):
                raise ValueError(f"{text} should be {name} {limit:g}")
        return value

    def write(self, value: Any) -> str:
        """Return a value as people read it."""
        return NONE if value is None or isinstance(self.kind, Section) else self.kind.write(value)


def key(kind: Kind | Section | Several, looser: Looser, default: Any = None, **more: Any) -> Any:
    """Declare the key of a dataclass field; the class's docstring says what it means."""
    declared = Key(kind=kind, looser=looser, default=default, **more)
    metadata = {"key": declared}
    if declared.required:
        return field(metadata=metadata)
    if isinstance(kind, Section) and not kind.optional:
        return field(default_factory=kind.type, metadata=metadata)
    nothing = () if isinstance(kind, Several) else None
    value = nothing if default is None else declared.parse(str(default))
    return field(default=value, metadata=metadata)


@cache
def keys_of(section: type) -> Mapping[str, Key]:
    """Return a section's keys by name: that of the field, without its unit."""
    _, _, text = (inspect.getdoc(section) or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", text, re.MULTILINE)
    meanings = {name: " ".join(meaning.split()) for name, meaning in entries}
    keys = {}
    for each in fields(section):
        if "key" in each.metadata:
            known = each.metadata["key"]
            example = known.default if known.example is None else known.example
            keys[_UNIT.sub("", each.name)] = replace(
                known,
                attribute=each.name,
                meaning=meanings.get(each.name, ""),
                example=known.kind.example if example is None else example,
            )
    return keys


def walk(section: type, above: str = "") -> Iterator[tuple[str, Key]]:
    """Yield every key of a section and of the sections in it, dotted, in the file's order."""
    for name, declared in keys_of(section).items():
        if isinstance(declared.kind, Section):
            yield from walk(declared.kind.type, f"{above}{name}.")
        else:
            yield f"{above}{name}", declared


def json_schema(section: type) -> dict[str, Any]:
    """Return the JSON Schema of a section's mapping."""
    keys = keys_of(section)
    required = [name for name, each in keys.items() if each.required]
    properties = {
        name: {
            "description": each.meaning,
            **({} if each.default is None else {"default": each.default}),
            **_shape(each.kind),
            **each.bounds,
            "examples": [each.example],
        }
        for name, each in keys.items()
    }
    shape = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**shape, "required": required} if required else shape


def _shape(kind: Kind | Section | Several) -> dict[str, Any]:
    match kind:
        case Section():
            return json_schema(kind.type)
        case Several(named=True):
            return {"type": "object", "additionalProperties": _shape(kind.item)}
        case Several():
            several = {"type": "array", "minItems": kind.least, "items": _shape(kind.item)}
            return {"anyOf": [_shape(kind.item), several]} if kind.or_single else several
    return {"$ref": f"#/$defs/{kind.name}"} if kind.name else dict(kind.schema)


def raised(old: Any, new: Any) -> bool:
    """Return whether a limit from above is looser: higher, or gone."""
    return new is None or (old is not None and new > old)


def lowered(old: Any, new: Any) -> bool:
    """Return whether a limit from below is looser: it asks for less, or nothing."""
    return new is None or (old is not None and old > new)


def enlarged(old: Any, new: Any) -> bool:
    """Return whether a resource that may be absent is larger, or there at all."""
    return new is not None and (old is None or new > old)


def grown(old: Sequence[Growth] | Growth | None, new: Sequence[Growth] | Growth | None) -> bool:
    """Return whether more may grow: a limit has no counterpart of its kind that is as strict."""
    before, after = _limits(old), _limits(new)
    return any(not any(_as_strict(limit, each) for each in after) for limit in before)


def _limits(value: Sequence[Growth] | Growth | None) -> Sequence[Growth]:
    return (value,) if isinstance(value, Growth) else value or ()


def _as_strict(old: Growth, new: Growth) -> bool:
    if old.per_seconds and new.per_seconds:
        return new.bytes_per_second <= old.bytes_per_second
    same = (old.is_share, old.per_seconds) == (new.is_share, new.per_seconds)
    return same and new.value <= old.value


def later(old: Enum, new: Enum) -> bool:
    """Return whether a choice is looser where each is looser than those before it."""
    order: list[Enum] = list(type(new))
    return order.index(new) > order.index(old)


def extended(old: Sequence[str], new: Sequence[str]) -> bool:
    """Return whether a list of what is allowed has more in it."""
    return not set(new) <= set(old)


def narrowed(old: Sequence[str] | None, new: Sequence[str] | None) -> bool:
    """Return whether a list of what is checked leaves more out; an empty list has all."""
    if old is None or new is None:
        return new is None
    return bool(new) and not (old and set(old) <= set(new))


def either(_old: Any, _new: Any) -> bool:
    """Return true: any change may let more pass, so that a reviewer looks."""
    return True


def never(_old: Any, _new: Any) -> bool:
    """Return false: no change lets more pass."""
    return False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number (write 10)") from None


def _whole(text: str, example: str = "3") -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number (write {example})")
    return int(text)


def _count(text: str) -> int | None:
    return None if text.strip() == "any" else _whole(text, "0, or any")


def _day(text: str) -> date:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"{text!r} is not a date (write 2026-12-31)") from None


def _sha256(text: str) -> str:
    if re.fullmatch(_SHA256_PATTERN, digest := text.strip()):
        return digest
    raise ValueError(f"{text!r} is not a SHA-256 (write the 64 hex digits of `sha256sum FILE`)")


def _text(text: str) -> str:
    if stripped := text.strip():
        return stripped
    raise ValueError("is empty")


def choice(names: Sequence[str], of: Callable[[str], Any]) -> Kind:
    """Return the kind of a value that is one of `names`."""

    def parse(text: str) -> Any:
        if text not in names:
            hint = did_you_mean(text, names)
            raise ValueError(f"{text!r} is not one of {', '.join(names)}{hint}")
        return of(text)

    return Kind(schema={"enum": list(names)}, parse=parse, example=names[0])


def write_size(value_bytes: int, convention: Convention) -> str:
    """Return a limit in MB, never larger than it is; disks of 10 GB and more in GB."""
    if convention is Convention.STORAGE and value_bytes >= 10**10:
        return f"{value_bytes / 10**9:g} GB"
    return format_mb(value_bytes, convention, down=True)


def write_growth(value: Growth, convention: Convention) -> str:
    """Return a limit of growth: "10 %", "20 MB", "1.0 MB/h"."""
    if value.is_share:
        return percent(value.value)
    amount = write_size(int(value.value), convention)
    return f"{amount}/{value.period}" if value.period else amount


def _write_number(value: float) -> str:
    return f"{int(value) if float(value).is_integer() else value:,}"


_SIZE_PATTERN = r"^\s*[0-9]+([.,][0-9]+)?\s*[kKmMgGtT]?[iI]?[bB]?\s*$"
_GROWTH_PATTERN = r"^\s*[0-9]+([.,][0-9]+)?\s*(%|[kKmMgGtT][iI]?[bB]?|[bB])\s*$"
_MEMORY_GROWTH_PATTERN = (
    r"^\s*[0-9]+([.,][0-9]+)?\s*(%|([kKmMgGtT][iI]?[bB]?|[bB])\s*(/\s*(s|min|h|day))?)\s*$"
)
_SHARE_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$"
_DURATION_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|min|h)\s*$"
_SHA256_PATTERN = r"^[0-9a-f]{64}$"
_NUMERIC = {"type": ["string", "number"], "minimum": 0}
MEMORY, STORAGE = (
    Kind(
        name="size",
        schema={"type": ["string", "integer"], "pattern": _SIZE_PATTERN, "minimum": 0},
        parse=partial(size, convention=convention),
        write=partial(write_size, convention=convention),
        example="90MB",
    )
    for convention in Convention
)
MEMORY_GROWTH = Kind(
    name="memory_growth",
    schema={"type": "string", "pattern": _MEMORY_GROWTH_PATTERN},
    parse=memory_growth,
    write=partial(write_growth, convention=Convention.MEMORY),
    example="10%",
)
STORAGE_GROWTH = Kind(
    name="growth",
    schema={"type": "string", "pattern": _GROWTH_PATTERN},
    parse=partial(growth, convention=Convention.STORAGE),
    write=partial(write_growth, convention=Convention.STORAGE),
    example="10%",
)
SHARE = Kind(
    name="share",
    schema={**_NUMERIC, "maximum": 1, "pattern": _SHARE_PATTERN},
    parse=share,
    write=percent,
    example="10%",
)
DURATION = Kind(
    name="duration",
    schema={**_NUMERIC, "pattern": _DURATION_PATTERN},
    parse=seconds,
    write=lambda value: f"{value:g} s",
    example="5s",
)
COUNT = Kind(
    name="count",
    schema={"type": ["integer", "string"], "minimum": 0, "pattern": "^any$"},
    parse=_count,
    write=_write_number,
    example=0,
)
NUMBER = Kind(schema={"type": "number"}, parse=_number, write=_write_number, example=10)
WHOLE = Kind(schema={"type": "integer"}, parse=_whole, write=_write_number, example=3)
DAY = Kind(schema={"type": "string", "format": "date"}, parse=_day, example="2026-12-31")
FLAG = Kind(
    schema={"type": "boolean"},
    parse=lambda text: text.lower() == "true",
    write=lambda value: "yes" if value else "no",
)
TEXT = Kind(schema={"type": "string", "minLength": 1}, parse=_text, example="NAME")
SHA256 = Kind(
    schema={"type": "string", "pattern": _SHA256_PATTERN},
    parse=_sha256,
    example="0123456789abcdef" * 4,
)
AS_WRITTEN = Kind(schema={"type": ["string", "number", "boolean"]}, parse=str, example="--rate")
NAMED_KINDS = (MEMORY, SHARE, MEMORY_GROWTH, STORAGE_GROWTH, DURATION, COUNT)
