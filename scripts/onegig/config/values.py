"""Sizes, shares and durations of budgets.yml, with every mistake noted instead of raised.

What could be meant in two ways is refused with both ways shown: `1,024MB` (a decimal comma or a
thousands separator), `90` (bytes or MB), `10` as a share (10 % or tenfold).

budgets.schema.json applied: keys, kinds of values and bounds, in plain words.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from onegig.config.document import Document, Key, Problem, did_you_mean, kind_of
from onegig.model.budgets import Growth
from onegig.model.sizes import Convention, parse_fraction, parse_seconds, parse_size

V = TypeVar("V")
Parse = Callable[[str], V]

SMALLEST_BARE_BYTES = 1_000_000  # fewer bytes than this without a unit are meant as something else
DAY_SECONDS = 86_400

_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_WHOLE = re.compile(r"\s*[0-9]{1,9}\s*")
_BARE = re.compile(r"\s*([0-9]+(?:[.,][0-9]+)?)\s*")
_NUMBER = re.compile(r"\s*0*([0-9]*(?:[.,][0-9]+)?)(?<=[0-9])")
_THOUSANDS = re.compile(r"\s*[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])\s*[a-zA-Z]*\s*")


class Values:
    """Reads single values of a document; `problems` fills up with what could not be read."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def read(self, key: Key, parse: Parse[V], default: V) -> V:
        """The value of a key, or `default` where it is not written or makes no sense."""
        value = self.raw(key)
        if not isinstance(value, (str, int, float)):
            return default  # absent, or of a kind the schema has complained about
        try:
            return parse(self.text(key))
        except ValueError as error:
            self.problem(key, str(error))
            return default

    def raw(self, key: Key) -> Any:
        """The plain value of a key, None where it is not written."""
        value: Any = self._document.value
        for part in key:
            value = value[part] if _has(value, part) else None
        return value

    def written(self, key: Key) -> str:
        """The text at a key; "" where it is not written or no text."""
        return self.text(key).strip() if isinstance(self.raw(key), str) else ""

    def texts(self, key: Key) -> tuple[str, ...]:
        """Return the texts at a key, which may be a single one; () where none is written."""
        value = self.raw(key)
        items = value if isinstance(value, list) else [value]
        return tuple(item for item in items if isinstance(item, str))

    def mapping(self, key: Key) -> dict[str, Any]:
        """The entries under a key; none where it is not a mapping."""
        value = self.raw(key)
        return value if isinstance(value, dict) else {}

    def text(self, key: Key) -> str:
        """A scalar exactly as it was written."""
        return self._document.marks[key].text

    def problem(self, key: Key, message: str) -> None:
        """Note a mistake at a key."""
        self.problems.append(Problem(line=self._document.line(key), key=key, message=message))


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def memory_size(text: str) -> int:
    """Bytes of memory; 1 MB is 2**20. ValueError says how to write it."""
    return _size(text, Convention.MEMORY)


def storage_size(text: str) -> int:
    """Bytes of an image or disk; 1 MB is 10**6. ValueError says how to write it."""
    return _size(text, Convention.STORAGE)


def memory_growth(text: str) -> Growth:
    """Parse a growth of memory, "10%" or "20MB". ValueError says how to write it."""
    return _growth(text, Convention.MEMORY)


def storage_growth(text: str) -> Growth:
    """Parse a growth of an image, "10%" or "20MB". ValueError says how to write it."""
    return _growth(text, Convention.STORAGE)


def positive(parse: Parse[V]) -> Parse[V]:
    """The same reader, for values that may not be zero."""

    def checked(text: str) -> V:
        value = parse(text)
        if not value:
            raise ValueError(f"{text} should be more than nothing")
        return value

    return checked


def share(text: str) -> float:
    """A share of 1. ValueError says how to write it."""
    bare = _BARE.fullmatch(text)
    if bare and float(bare[1].replace(",", ".")) >= 1:
        number = bare[1]
        other = " or 100%" if float(number.replace(",", ".")) == 1 else ""
        raise ValueError(f"{text} is not a share (write {number}%{other})")
    return parse_fraction(float(text) if bare and "," not in text else text)


def seconds(text: str) -> float:
    """A duration in seconds. ValueError says how to write it."""
    value = parse_seconds(float(text) if _BARE.fullmatch(text) and "," not in text else text)
    if value > DAY_SECONDS:
        raise ValueError(f"{text} is more than a day")
    return value


def number(text: str) -> float:
    """A plain number. ValueError for anything else."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number (write 10)") from None


def whole(text: str) -> int:
    """A whole number of things. ValueError for anything else."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number (write 3)")
    return int(text)


def most_or_any(text: str) -> int | None:
    """How many there may be; None for "any". ValueError for anything else."""
    if text.strip() == "any":
        return None
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number (write 0, or any)")
    return int(text)


def day(text: str) -> date:
    """A day. ValueError says how to write it."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"{text!r} is not a date (write 2026-12-31)") from None


def _growth(text: str, convention: Convention) -> Growth:
    percentage = _PERCENT.fullmatch(text)
    if percentage:
        return Growth(value=float(percentage[1]) / 100, is_share=True)
    if _BARE.fullmatch(text):
        plain = text.strip()
        raise ValueError(f"{plain} is ambiguous (write {plain}% or {plain}MB)")
    if _THOUSANDS.fullmatch(text):
        _size(text, convention)  # says in which two ways it can be read
    try:
        return Growth(value=_size(text, convention), is_share=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a growth (write 10% or 20MB)") from None


def _size(text: str, convention: Convention) -> int:
    if _THOUSANDS.fullmatch(text):
        plain = text.strip().replace(",", "")
        raise ValueError(f"{text!r} can be read in two ways (write {plain} or a decimal point)")
    start = _NUMBER.match(text)
    example = f"{start[1] or 0}MB" if start else "90MB"
    try:
        size = parse_size(text, convention)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a size (write {example})") from None
    if _BARE.fullmatch(text) and 0 < size < SMALLEST_BARE_BYTES:
        raise ValueError(f"{text} has no unit (write {example})")
    return size


SCHEMA = "budgets.schema.json"

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}
_BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Breach:
    """One rule of the schema and what broke it."""

    key: Key
    rule: str
    wanted: Any
    found: Any
    schema: dict[str, Any]

    @property
    def example(self) -> str:
        """How to write it, from the schema's own examples."""
        if not self.schema.get("examples"):
            return ""
        example = self.schema["examples"][0]
        flow = yaml.safe_dump(example, default_flow_style=True, sort_keys=False, width=1000)
        return f" (write {flow.replace('...', '').strip()})"


def check_structure(document: Document) -> list[Problem]:
    """Every way the document differs from the schema."""
    breaches = [_breach(error) for error in _validator().iter_errors(document.value)]
    unknown = [problem for breach in breaches for problem in _unknown_keys(breach, document)]
    told = {
        breach.key: _MESSAGES.get(breach.rule, _other)(breach)
        for breach in breaches
        if breach.rule != "additionalProperties"
    }
    rest = [Problem(line=document.line(key), key=key, message=told[key]) for key in told]
    return unknown + rest


@cache
def _validator() -> Draft202012Validator:
    text = files("onegig").joinpath("schemas", SCHEMA).read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def _breach(error: ValidationError) -> _Breach:
    return _Breach(
        key=tuple(error.absolute_path),
        rule=str(error.validator),
        wanted=error.validator_value,
        found=error.instance,
        schema=dict(error.schema) if isinstance(error.schema, dict) else {},
    )


def _unknown_keys(breach: _Breach, document: Document) -> Iterator[Problem]:
    if breach.rule != "additionalProperties":
        return
    known = breach.schema.get("properties", {})
    for name in breach.found:
        if name not in known and not (breach.key == () and name.startswith("x-")):
            hint = did_you_mean(name, known) or f" (known: {', '.join(known)})"
            line = document.line((*breach.key, name))
            yield Problem(line=line, key=breach.key, message=f"unknown key {name!r}{hint}")


def _missing(breach: _Breach) -> str:
    names = [name for name in breach.wanted if name not in breach.found]
    return f"lacks {' and '.join(names)}{breach.example}"


def _wrong_kind(breach: _Breach) -> str:
    if breach.found is None:
        return f"has no value; fill it in or remove the line{breach.example}"
    kinds = [breach.wanted] if isinstance(breach.wanted, str) else breach.wanted
    names = " or ".join(_KINDS[kind] for kind in kinds)
    return f"should be {names}, not {kind_of(breach.found)}{breach.example}"


def _wrong_constant(breach: _Breach) -> str:
    found = kind_of(breach.found)
    return f"should be {breach.wanted}, the version this onegig reads, not {found}"


def _wrong_choice(breach: _Breach) -> str:
    hint = did_you_mean(breach.found, breach.wanted) if isinstance(breach.found, str) else ""
    return f"{kind_of(breach.found)} is not one of {', '.join(breach.wanted)}{hint}"


def _too_short(breach: _Breach) -> str:
    return f"is empty{breach.example}"


def _out_of_bounds(breach: _Breach) -> str:
    return f"{breach.found} should be {_BOUNDS[breach.rule]} {breach.wanted}"


def _other(breach: _Breach) -> str:
    return f"{kind_of(breach.found)} does not fit{breach.example}"


_MESSAGES: dict[str, Callable[[_Breach], str]] = {
    "required": _missing,
    "type": _wrong_kind,
    "const": _wrong_constant,
    "enum": _wrong_choice,
    "minLength": _too_short,
    "minItems": _too_short,
    "minimum": _out_of_bounds,
    "maximum": _out_of_bounds,
    "exclusiveMinimum": _out_of_bounds,
}
