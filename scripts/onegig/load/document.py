"""A YAML file the user wrote, read with care: what is wrong with it is said with file and line."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from onegig.errors import ConfigError
from onegig.load.mistakes import ADVICE, Key, Problem, kind_of, mistakes, visible
from onegig.load.nodes import MAX_DEPTH, MAX_NODES, Composer, Mark, TooMuchError, Walk

MAX_BYTES = 1_000_000
EXAMPLE = """`onegig init` writes one; or write it beside the compose file, for example:

    version: 1
    compose: compose.yml
    memory: {limit: 1024MB}
"""

_HINTS = (
    ("character '@'", "a value that begins with @ needs quotes"),
    ("cannot start any token", "a tab? indent with spaces"),
    ("mapping values are not allowed", "a wrong indent, or a value with ': ' that needs quotes"),
    ("could not find expected ':'", "a key needs ': ' after it"),
    ("expected <block end>", "a wrong indent"),
    ("expected ',' or", "a bracket that is not closed"),
    ("unexpected end of stream", "a quote that is not closed"),
    ("but found another document", "one document only, without ---"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What the file says. `marks` has every key that was written, in the order of the file."""

    path: str
    value: dict[str, Any]
    marks: Mapping[Key, Mark]
    problems: tuple[Problem, ...]

    def line(self, key: Key) -> int:
        """The line of a key, or of the nearest thing around it."""
        while key and key not in self.marks:
            key = key[:-1]
        return self.marks[key].line if key else 1


def read_document(path: Path) -> Document:
    """The file as a mapping; ConfigError when it is missing, no text, no YAML or no mapping."""
    return parse_document(str(path), _read(path))


def parse_document(name: str, data: bytes) -> Document:
    """The same for a file's content; `name` is what it is called in messages."""
    node = _compose(name, _decode(name, data))
    walk = Walk()
    try:
        value = walk.value(node, ()) if node is not None else None
    except (TooMuchError, RecursionError):
        raise _too_much(name) from None
    if value is None:
        raise ConfigError(f"{name} is empty", advice=EXAMPLE)
    if not isinstance(value, dict):
        raise mistakes(
            name,
            [Problem(line=1, message=f"should be a mapping of keys, not {kind_of(value)}")],
            advice=EXAMPLE,
        )
    return Document(path=name, value=value, marks=walk.marks, problems=tuple(walk.problems))


def read_lines(path: Path) -> Mapping[Key, Mark]:
    """Where each key of any YAML file stands; nothing for a file that cannot be read as YAML."""
    walk = Walk()
    with suppress(ConfigError, TooMuchError, RecursionError):
        node = _compose(str(path), _decode(str(path), _read(path)))
        if node is not None:
            walk.value(node, ())
    return walk.marks


def read_output(text: str) -> Any:
    """Return the value of YAML that a program wrote, of any size, by the rules of YAML 1.2."""
    loader = Composer(text, most=sys.maxsize)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    return Walk(most=sys.maxsize).value(node, ()) if node else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", advice=EXAMPLE) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", advice="it should be a readable file"
        ) from None


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
    loader: Composer | None = None
    try:
        loader = Composer(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(path, error) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{error.character:04X} is not allowed in YAML"
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
        detail=f"{where}: {visible(what)}{f' ({hint})' if hint else ''}",
    )


def _too_much(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is too large or too deeply nested to be a budgets file",
        advice=f"at most {MAX_BYTES:,} bytes, {MAX_NODES:,} values (aliases expanded), "
        f"{MAX_DEPTH} levels",
    )
