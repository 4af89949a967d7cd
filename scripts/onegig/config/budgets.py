"""budgets.yml: read by the declarations in model/budgets.py and checked as a whole.

Nothing stops at the first mistake: one ConfigError lists everything, each line starting with the
place: `budgets.yml:12: services.redis.memory: ...`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from onegig.config.compose import FILE_NAMES
from onegig.config.document import (
    Document,
    KeyPath,
    Problem,
    dotted,
    kind_of,
    mistakes,
    parse_document,
    read_document,
)
from onegig.model.budgets import Budgets
from onegig.model.keys import NAMED_KINDS, Key, Kind, Section, Several, json_schema, keys_of
from onegig.model.measuring import RATE
from onegig.model.stack import Stack
from onegig.model.tiers import NO_TIER, catalogue
from onegig.text import did_you_mean
from onegig.variables import steers_programs

EXAMPLE = """`onegig init` writes one; or write it next to the compose file, for example:

    version: 1
    compose: compose.yml
    memory: {limit: 1024MB}
"""
CHECKS_WITH_FINDINGS = ("image.vulnerabilities", "image.secrets", "image.misconfigurations")
MOST_DAYS = 366  # a waiver for longer than a year is a limit that nobody dares to write down
COMPOSE = "compose.yml"
ENOUGH_SAMPLES = 2
WHOLE = "stack"  # the subject of checks that are of no single service
_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "object": ("a mapping", (dict,)),
    "array": ("a list", (list,)),
    "string": ("text", (str,)),
    "number": ("a number", (int, float)),
    "integer": ("a whole number", (int,)),
    "boolean": ("true or false", (bool,)),
}
_BAD = object()  # a value that makes no sense; the problem is noted


def load_budgets(path: Path) -> Budgets:
    """Return the file at `path` with the defaults filled in.

    Raises ConfigError: the file is missing or unreadable, or has mistakes (all are listed).
    """
    return _checked(read_document(path, EXAMPLE), compose=_beside(path))


def default_budgets(path: Path) -> Budgets:
    """Return the defaults, which apply if there is no file at `path`."""
    return Budgets(path=str(path), compose=_beside(path), is_default=True)


def parse_budgets(name: str, text: bytes) -> Budgets:
    """Return the budgets in a file's content, which messages call `name`.

    Raises ConfigError as `load_budgets` does. Without a folder to look into, a compose file that
    is not named is "compose.yml".
    """
    return _checked(parse_document(name, text, EXAMPLE), compose=COMPOSE)


def budgets_schema() -> dict[str, Any]:
    """Return the JSON Schema of budgets.yml, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "onegig budgets",
        "description": "budgets.yml: limits for a compose stack on a cloud machine. Every key is "
        "optional. Keys that begin with x- are ignored and can hold YAML anchors.",
        **json_schema(Budgets),
        "patternProperties": {"^x-": {"description": "Ignored."}},
        "$defs": {kind.name: dict(kind.schema) for kind in NAMED_KINDS},
    }


def check_against(budgets: Budgets, stack: Stack) -> None:
    """Raise ConfigError if budgets.yml names services that the compose file does not have."""
    names = tuple(service.name for service in stack.services)
    lines = dict(budgets.lines)
    problems = [
        Problem(
            line=lines.get(dotted(at), 1),
            at=at,
            message=f"the stack has no service {name!r}{did_you_mean(name, names)}",
        )
        for at, name in _service_names(budgets, stack)
        if name not in names
    ]
    if problems:
        advice = f"{', '.join(stack.files)} has the services {', '.join(names)}"
        raise mistakes(budgets.path, problems, advice=advice)


def _service_names(budgets: Budgets, stack: Stack) -> Iterator[tuple[KeyPath, str]]:
    """Yield every service that budgets.yml names. A waiver may also be of an image, or of all."""
    yield from ((("services", name), name) for name, _ in budgets.services)
    if budgets.load:
        yield ("load", "service"), budgets.load.service
    for index, name in enumerate(budgets.redis.services if budgets.redis else ()):
        yield ("redis", "services", index), name
    for index, name in enumerate(budgets.allow_host_access):
        yield ("allow_host_access", index), name
    for index, waiver in enumerate(budgets.waivers):
        if waiver.subject and waiver.subject not in (WHOLE, *stack.images):
            yield ("waivers", index, "subject"), waiver.subject


def _beside(path: Path) -> str:
    present = (name for name in FILE_NAMES if (path.parent / name).is_file())
    return next(present, COMPOSE)


def _checked(document: Document, *, compose: str) -> Budgets:
    reader = _Reader(document)
    values = reader.fields(Budgets, (), document.value)
    files = values.get("compose_files")
    budgets = Budgets(
        **values,
        path=document.path,
        compose=files[0] if files else compose,
        lines=tuple((dotted(at), mark.line) for at, mark in document.marks.items()),
        notes=tuple(reader.notes),
    )
    for at, message in (*_contradictions(budgets), *_bad_waivers(budgets)):
        reader.refuse(at, message)
    if reader.problems:
        raise mistakes(document.path, reader.problems)
    return budgets


class _Reader:
    """Turns a document into fields of dataclasses; problems and notes add up on the way."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = list(document.problems)
        self.notes: list[str] = []

    def refuse(self, at: KeyPath, message: str, line_of: KeyPath = ()) -> Any:
        """Record a mistake."""
        line = self._document.line(line_of or at)
        self.problems.append(Problem(line=line, at=at, message=message))
        return _BAD

    def fields(self, section: type, at: KeyPath, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a section that make sense, by the dataclass's fields."""
        keys = keys_of(section)
        old_names = {each.old_name: name for name, each in keys.items() if each.old_name}
        renamed = {old: name for old, name in old_names.items() if name not in value}
        values: dict[str, Any] = {}
        for name, inner in value.items():
            known = keys.get(renamed.get(name, name))
            if known:
                values[known.attribute] = self._value(known, inner, (*at, name))
            elif name in old_names:
                message = f"has `{old_names[name]}` and its old name `{name}`; remove `{name}`"
                self.refuse(at, message, (*at, name))
            elif at or not name.startswith("x-"):
                hint = did_you_mean(name, keys) or f" (known: {', '.join(keys)})"
                self.refuse(at, f"unknown key {name!r}{hint}", (*at, name))
            if name in renamed:
                place = f"{self._document.path}:{self._document.line((*at, name))}"
                self.notes.append(f"{place}: `{name}` is now `{renamed[name]}`; rename it there")
        missing = [n for n, each in keys.items() if each.required and each.attribute not in values]
        if missing:
            self.refuse(at, f"lacks {' and '.join(missing)}{_written(Section(section).example)}")
        return {name: inner for name, inner in values.items() if inner is not _BAD}

    def _value(self, key: Key, value: Any, at: KeyPath) -> Any:
        kind, text = key.kind, self._document.marks[at].text
        match kind:
            case Section() if isinstance(value, dict):
                values = self.fields(kind.type, at, value)
                required = (each for each in keys_of(kind.type).values() if each.required)
                is_whole = all(each.attribute in values for each in required)
                return kind.type(**values) if is_whole else _BAD
            case Several() if isinstance(value, dict if kind.named else list):
                return self._items(key, kind, value, at)
            case Several(item=Kind()) if kind.or_single and isinstance(value, (str, int, float)):
                item = self._value(_item(key, kind), value, at)
                return item if item is _BAD else (item,)
            case Kind() if isinstance(value, (str, int, float)):
                try:
                    parsed = key.parse(text)
                except ValueError as error:
                    return self.refuse(at, str(error))
                if _fits(value, kind):
                    return parsed
        if value is None:
            message = "has no value; fill it in or remove the line"
        else:
            kinds = " or ".join(_KINDS[name][0] for name in _types(kind))
            message = f"should be {kinds}, not {kind_of(value)}"
        return self.refuse(at, f"{message}{_written(key.example)}")

    def _items(self, key: Key, kind: Several, value: Any, at: KeyPath) -> Any:
        if len(value) < kind.least:
            return self.refuse(at, f"is empty{_written(key.example)}")
        each = _item(key, kind)
        names = value if kind.named else range(len(value))
        items = [(name, self._value(each, value[name], (*at, name))) for name in names]
        if any(item is _BAD for _, item in items):
            return _BAD
        return tuple(items) if kind.named else tuple(item for _, item in items)


def _item(key: Key, kind: Several) -> Key:
    return Key(kind=kind.item, looser=key.looser, example=kind.item.example)


def _types(kind: Kind | Section | Several) -> tuple[str, ...]:
    match kind:
        case Section() | Several(named=True):
            return ("object",)
        case Several():
            return ("string", "array") if kind.or_single else ("array",)
    types = kind.schema.get("type", "string")
    return (types,) if isinstance(types, str) else tuple(types)


def _fits(value: Any, kind: Kind) -> bool:
    """Return whether YAML's own kind of value is one that the schema names."""
    if "type" not in kind.schema:
        return True
    if isinstance(value, bool):
        return "boolean" in _types(kind)
    return any(isinstance(value, _KINDS[name][1]) for name in _types(kind) if name != "boolean")


def _written(example: Any) -> str:
    flow = yaml.safe_dump(example, default_flow_style=True, sort_keys=False, width=1000)
    return f" (write {flow.replace('...', '').strip()})"


def _contradictions(budgets: Budgets) -> Iterator[tuple[KeyPath, str]]:
    """Yield values that contradict each other, or name something that does not exist."""
    memory, measure, load = budgets.memory, budgets.measure, budgets.load
    if memory.system_overhead_bytes >= memory.limit_bytes:
        yield ("memory", "system_overhead"), "leaves nothing of memory.limit"
    if measure.window_seconds * measure.hz < ENOUGH_SAMPLES:
        message = f"is too short for two samples at {measure.hz:g} per second; make it longer"
        yield ("measure", "window"), message
    for name, _ in load.environment if load else ():
        if steers_programs(name):
            message = "would affect programs on this machine; use another name in the compose file"
            yield ("load", "environment", name), message
    if load and load.rate is None and load.takes_rate:
        yield ("load", "command"), f"has {RATE} but load.rate is not set"
    if load and load.rate is not None and not load.takes_rate:
        yield ("load", "rate"), f"has no effect; put {RATE} into load.command"
    if budgets.swap_bytes and budgets.zram_bytes:
        yield ("zram",), "can't be combined with `swap`; remove one of them"
    for message in _bad_tiers(budgets.tier_names):
        yield ("tier",), message


def _bad_tiers(names: Sequence[str]) -> Iterator[str]:
    known = (*catalogue(), NO_TIER)
    for name in dict.fromkeys(names):
        if name not in known:
            hint = did_you_mean(name, known) or f" (known: {', '.join(known)})"
            yield f"no tier is called {name!r}{hint}"
        if names.count(name) > 1:
            yield f"names {name} more than once"
    if NO_TIER in names and len(set(names)) > 1:
        yield f"can't combine {NO_TIER} with a tier; remove one of them"


def _bad_waivers(budgets: Budgets) -> Iterator[tuple[KeyPath, str]]:
    today: date = datetime.now(UTC).date()
    first: dict[tuple[str, str | None, str | None], int] = {}
    for index, waiver in enumerate(budgets.waivers):
        at = ("waivers", index)
        if waiver.id and waiver.check not in CHECKS_WITH_FINDINGS:
            yield (
                (*at, "id"),
                f"only these checks have findings with an id: {', '.join(CHECKS_WITH_FINDINGS)}",
            )
        if (waiver.expires - today).days > MOST_DAYS:
            message = f"{waiver.expires} is more than a year away; choose an earlier date"
            yield (*at, "expires"), message
        earlier = first.setdefault((waiver.check, waiver.subject, waiver.id), index)
        if earlier != index:
            finding = f" {waiver.id}" if waiver.id else ""
            subject = f" of {waiver.subject}" if waiver.subject else ""
            waived = f"is already waived by waivers[{earlier}]"
            yield at, f"{waiver.check}{finding}{subject} {waived}"
