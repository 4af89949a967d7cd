"""YAML that a user wrote, as plain values with the line and the exact text of each.

Mistakes are reported all at once, with file and line. Values follow YAML 1.2, which people expect:
`yes`, `on`, `15:30`, `010` and `1e3` are text. Documents that are attacks rather than configuration
(alias bombs, endless nesting) are refused before they cost anything.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from onegig.errors import ConfigError
from onegig.text import plain

ADVICE = "correct these mistakes and run again"

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake in the file; `at` is where in the document it is, () for the whole."""

    line: int
    at: KeyPath = ()
    message: str


def mistakes(path: str, problems: list[Problem], advice: str = ADVICE) -> ConfigError:
    """Return one error for all problems, a line each, in the order of the file."""
    lines = [
        f"{path}:{each.line}: {f'{dotted(each.at)}: ' if each.at else ''}{each.message}"
        for each in sorted(problems, key=lambda problem: problem.line)
    ]
    count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
    return ConfigError(f"{path} has {count}", advice=advice, detail="\n".join(lines))


def dotted(key: KeyPath) -> str:
    """Return "services.redis.memory" or "load.command[2]", without control characters."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return plain("".join(parts).lstrip("."))


def kind_of(value: object) -> str:
    """Describe a value: "a list", "the number 90"."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
    return shorten(repr(value))


def shorten(text: str, length: int = 80) -> str:
    """Return the text, cut if it would fill the screen."""
    return text if len(text) <= length else text[: length - 1] + "…"


MAX_BYTES = 1_000_000
MAX_NODES = 10_000
MAX_DEPTH = 20

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})?\.[0-9]{1,18}")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # escapes in quotes can write them
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class TooMuchError(Exception):
    """More values or deeper nesting than a person would write."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """The line of a value, and its text as written ("" for mappings and lists)."""

    line: int
    text: str


class _Composer(yaml.SafeLoader):
    """Builds nodes only, and gives up on documents no person would write."""

    def __init__(self, text: str, most: int = MAX_NODES) -> None:
        super().__init__(text)
        self._most = most
        self._count = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._count += 1
        if self._count > self._most or self._depth > MAX_DEPTH:
            raise TooMuchError
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


@dataclass(kw_only=True, slots=True)
class _Walk:
    """Turns nodes into values, following aliases as far as `most` values."""

    marks: dict[KeyPath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    most: int = MAX_NODES

    def value(self, node: yaml.Node, key: KeyPath) -> Any:
        """Return the plain value of a node. Raises TooMuchError when aliases add up to too many."""
        self._spend(key)
        if not node.tag.startswith(_TAG):
            message = f"the tag {plain(shorten(node.tag))} is not supported here"
            self._problem(node, key, message)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            items = ((each, each, (*key, index)) for index, each in enumerate(node.value))
            return [self._marked(*item) for item in items]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, key: KeyPath) -> dict[str, Any]:
        pairs = self._pairs(node, key)
        return {name: self._marked(head, inner, (*key, name)) for name, head, inner in pairs}

    def _marked(self, head: yaml.Node, node: yaml.Node, key: KeyPath) -> Any:
        self.marks[key] = Mark(line=_line(head), text=_text(node))
        if bad := _NO_TEXT.search(_text(head)) or _NO_TEXT.search(_text(node)):
            self._problem(node, key, f"the character U+{ord(bad[0]):04X} is not allowed here")
        return self.value(node, key)

    def _pairs(
        self, node: yaml.MappingNode, key: KeyPath
    ) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Yield the entries, then those of merge keys (`<<: *defaults`) that are not written."""
        self._spend(key)
        seen: dict[str, int] = {}
        merges = []
        for name_node, value_node in node.value:
            name = _text(name_node)
            if not isinstance(name_node, yaml.ScalarNode):
                self._problem(name_node, key, f"a key should be a name, not {_kind(name_node)}")
            elif name == "<<":
                merges.append(value_node)
            elif name in seen:
                message = f"{name!r} is written twice (first on line {seen[name]})"
                self._problem(name_node, key, message)
            else:
                seen[name] = _line(name_node)
                yield name, name_node, value_node
        for source in [each for merge in merges for each in self._sources(merge, key)]:
            for name, name_node, value_node in self._pairs(source, key):
                if name not in seen:
                    seen[name] = _line(name_node)
                    yield name, name_node, value_node

    def _sources(self, merge: yaml.Node, key: KeyPath) -> Iterator[yaml.MappingNode]:
        for node in merge.value if isinstance(merge, yaml.SequenceNode) else [merge]:
            if isinstance(node, yaml.MappingNode):
                yield node
            else:
                self._problem(merge, key, f"<< should name a mapping, not {_kind(node)}")

    def _spend(self, key: KeyPath) -> None:
        self.count += 1
        if self.count > self.most or len(key) > MAX_DEPTH:
            raise TooMuchError

    def _problem(self, node: yaml.Node, key: KeyPath, message: str) -> None:
        self.problems.append(Problem(line=_line(node), at=key, message=message))


def _scalar(node: yaml.Node) -> Any:
    text = _text(node)
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    if not plain or node.tag == f"{_TAG}str":
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _text(node: yaml.Node) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1


def _kind(node: yaml.Node) -> str:
    return kind_of({} if isinstance(node, yaml.MappingNode) else node.value)


_HINTS = (
    ("character '@'", "a value that begins with @ needs quotes"),
    ("cannot start any token", "indent with spaces, not tabs"),
    (
        "mapping values are not allowed",
        "check the indentation, or put quotes around a value with ': '",
    ),
    ("could not find expected ':'", "a key needs ': ' after it"),
    ("expected <block end>", "check the indentation"),
    ("expected ',' or", "a bracket is not closed"),
    ("unexpected end of stream", "a quote is not closed"),
    ("but found another document", "remove ---: only one document is allowed"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A file's content. `marks` has every key that was written, in the order of the file."""

    path: str
    value: dict[str, Any]
    marks: Mapping[KeyPath, Mark]
    problems: tuple[Problem, ...]

    def line(self, key: KeyPath) -> int:
        """Return the line of a key, or of the nearest thing around it."""
        while key and key not in self.marks:
            key = key[:-1]
        return self.marks[key].line if key else 1


def read_document(path: Path, example: str = "") -> Document:
    """Return a file that is a mapping.

    Raises ConfigError, with `example` as advice, when it is missing or not a YAML mapping.
    """
    return parse_document(str(path), _read(path, example), example)


def parse_document(name: str, data: bytes, example: str = "") -> Document:
    """Return the same for a file's content; messages call it `name`."""
    node = _compose(name, _decode(name, data))
    walk = _Walk()
    try:
        value = walk.value(node, ()) if node is not None else None
    except (TooMuchError, RecursionError):
        raise _too_much(name) from None
    if value is None:
        raise ConfigError(f"{name} is empty", advice=example)
    if not isinstance(value, dict):
        message = f"should be a mapping of keys, not {kind_of(value)}"
        raise mistakes(name, [Problem(line=1, message=message)], advice=example)
    return Document(path=name, value=value, marks=walk.marks, problems=tuple(walk.problems))


def read_lines(path: Path) -> Mapping[KeyPath, Mark]:
    """Return where each key of any YAML file is; nothing for one that cannot be read as YAML."""
    walk = _Walk()
    with suppress(ConfigError, TooMuchError, RecursionError):
        node = _compose(str(path), _decode(str(path), _read(path, "")))
        if node is not None:
            walk.value(node, ())
    return walk.marks


def find_mistake(path: Path) -> str:
    """Return why a file is not YAML, after its line; "" if it is, or if it can't be read."""
    try:
        _compose(str(path), _decode(str(path), _read(path, "")))
    except ConfigError as error:
        return error.detail
    return ""


def find_place(files: Iterable[Path], keys: Iterable[KeyPath]) -> str:
    """Return file and line of the first key that a file has, later files first; else a file."""
    marks = [(path, read_lines(path)) for path in files][::-1]
    places = (f"{path}:{lines[key].line}" for key in keys for path, lines in marks if key in lines)
    return next(places, str(marks[-1][0]))


def read_output(text: str) -> Any:
    """Return the value of YAML that a program wrote, of any size, by the rules of YAML 1.2."""
    loader = _Composer(text, most=sys.maxsize)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    return _Walk(most=sys.maxsize).value(node, ()) if node else None


def _read(path: Path, example: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", advice=example) from None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise ConfigError(message, advice="check that it is a file that you may read") from None


def _decode(name: str, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _too_much(name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8 text (byte 0x{data[error.start]:02x}); save the file as UTF-8"
        raise mistakes(name, [Problem(line=line, message=message)]) from None


def _compose(path: str, text: str) -> yaml.Node | None:
    loader: _Composer | None = None
    try:
        loader = _Composer(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(path, error) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{error.character:04X} is not allowed in YAML"
        raise mistakes(path, [Problem(line=line, message=message)]) from None
    except (ValueError, OverflowError) as error:  # PyYAML's of an escape like "\UFFFFFFFF"
        line = loader.line + 1 if loader else 1
        message = f"a value can't be read: {error}"
        raise mistakes(path, [Problem(line=line, message=message)]) from None
    except (TooMuchError, RecursionError):
        raise _too_much(path) from None
    finally:
        if loader is not None:
            loader.dispose()


def _syntax_error(path: str, error: yaml.MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "not YAML"
    hint = next((hint for part, hint in _HINTS if part in what), "")
    where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
    return ConfigError(
        f"{path} is not valid YAML",
        advice=ADVICE,
        detail=f"{where}: {plain(what)}{f' ({hint})' if hint else ''}",
    )


def _too_much(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is too large or too deeply nested",
        advice=f"at most {MAX_BYTES:,} bytes, {MAX_NODES:,} values (aliases expanded), "
        f"{MAX_DEPTH} levels",
    )
