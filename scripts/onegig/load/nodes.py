"""From YAML to plain values, with the line and the exact text of each.

Values are read by the rules of YAML 1.2, which are those people expect: `yes`, `on`, `15:30`,
`010` and `1e3` are text, as they were written. Documents that are attacks rather than configuration
(alias bombs, endless nesting) are refused before they cost anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from onegig.load.mistakes import Key, Problem, shorten, visible

MAX_NODES = 10_000
MAX_DEPTH = 20

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})?\.[0-9]{1,18}")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class TooMuchError(Exception):
    """More values or deeper nesting than a person would write."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Where a value stands, and its text as written ("" for mappings and lists)."""

    line: int
    text: str


class Composer(yaml.SafeLoader):
    """Builds nodes only, and gives up on documents no person would write."""

    def __init__(self, text: str, most: int = MAX_NODES) -> None:
        super().__init__(text)
        self._most = most
        self._count = 0
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As the parent's, counting."""
        self._count += 1
        if self._count > self._most or self._depth > MAX_DEPTH:
            raise TooMuchError
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


@dataclass(kw_only=True, slots=True)
class Walk:
    """Turns nodes into values, following aliases as far as `most` values."""

    marks: dict[Key, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    most: int = MAX_NODES

    def value(self, node: yaml.Node, key: Key) -> Any:
        """The plain value of a node. Raises TooMuchError when aliases add up to too many."""
        self._spend(key)
        if not node.tag.startswith(_TAG):
            message = f"the tag {visible(shorten(node.tag))} has no meaning here"
            self._problem(node, key, message)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*key, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _item(self, node: yaml.Node, key: Key) -> Any:
        self.marks[key] = Mark(line=_line(node), text=_text(node))
        return self.value(node, key)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, name_node, value_node in self._pairs(node, key):
            self.marks[(*key, name)] = Mark(line=_line(name_node), text=_text(value_node))
            found[name] = self.value(value_node, (*key, name))
        return found

    def _pairs(
        self, node: yaml.MappingNode, key: Key
    ) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """The entries, then those of merge keys (`<<: *defaults`) that were not written here."""
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
        for source in [one for merge in merges for one in self._sources(merge, key)]:
            for name, name_node, value_node in self._pairs(source, key):
                if name not in seen:
                    seen[name] = _line(name_node)
                    yield name, name_node, value_node

    def _sources(self, merge: yaml.Node, key: Key) -> Iterator[yaml.MappingNode]:
        for node in merge.value if isinstance(merge, yaml.SequenceNode) else [merge]:
            if isinstance(node, yaml.MappingNode):
                yield node
            else:
                self._problem(merge, key, f"<< should name a mapping, not {_kind(node)}")

    def _spend(self, key: Key) -> None:
        self.count += 1
        if self.count > self.most or len(key) > MAX_DEPTH:
            raise TooMuchError

    def _problem(self, node: yaml.Node, key: Key, message: str) -> None:
        self.problems.append(Problem(line=_line(node), key=key, message=message))


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
    if isinstance(node, yaml.ScalarNode):
        return shorten(repr(node.value))
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
