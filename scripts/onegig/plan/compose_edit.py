"""Edit the text of a compose file or budgets.yml: keys are added or replaced, all else stays.

What can't be edited safely (keys that a merge brings, lists that would grow, another file's
services) is left to an override file. The result is read again and must say what was asked for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from onegig.text import plain

MERGE = "<<"
_SERVICE = 2  # the depth of a service's keys, which may be added


class _Dumper(yaml.SafeDumper):
    """Quotes texts that compose would take for numbers, but PyYAML does not: 12e5 and 0o17."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+|0o[0-7]+"),
    list("-+.0123456789"),
)


class _UnsafeError(Exception):
    """The text can't be edited so that it says what is asked for."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """Text to put in place of a span of the file."""

    start: int
    end: int
    text: str


def edit_compose(text: str, override: Mapping[str, Any]) -> str | None:
    """Return the file with an override written into it; None where that is not safe."""
    return _edit(text, override, 0)


def edit_budgets(text: str, values: Mapping[str, Any]) -> str | None:
    """Return budgets.yml with these values, its keys added as needed; None where not safe."""
    return _edit(text, values, _SERVICE)


def _edit(text: str, over: Mapping[str, Any], depth: int) -> str | None:
    if not _can_be_copied(text) or text.lstrip().startswith("{"):  # JSON stays JSON
        return None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        before = yaml.safe_load(text)
        if not _extended(before).isdisjoint(over.get("services", ())):
            return None  # who extends a service would be changed with it
        edits = list(_edits(text, root, over, depth))
    except (yaml.YAMLError, ValueError, _UnsafeError):  # PyYAML reads 2024-02-30 as a date
        return None
    for edit in sorted(edits, key=lambda edit: -edit.start):
        text = f"{text[: edit.start]}{edit.text}{text[edit.end :]}"
    return text if _says(text, _merged(before, over)) else None


def _can_be_copied(text: str) -> bool:
    """Return whether a diff of it is printed as it is, without characters that nobody sees."""
    return all(part == plain(part, len(part) + 1) for part in re.split("[ \t\n]+", text))


def _extended(project: Any) -> set[str]:
    """Return the services that others extend."""
    services = project.get("services") if isinstance(project, dict) else None
    bases = (
        service.get("extends")
        for service in (services.values() if isinstance(services, dict) else ())
        if isinstance(service, dict)
    )
    return {str(base.get("service") if isinstance(base, dict) else base) for base in bases}


def _says(text: str, expected: Any) -> bool:
    try:
        return bool(yaml.safe_load(text) == expected)
    except (yaml.YAMLError, ValueError):
        return False


def _merged(base: Any, over: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(over, Mapping):
        return over
    return base | {key: _merged(base.get(key), value) for key, value in over.items()}


def _edits(text: str, node: Any, over: Mapping[str, Any], depth: int) -> list[_Edit]:
    """Return the edits that bring keys into one mapping; services themselves must be there."""
    if not isinstance(node, yaml.MappingNode):
        raise _UnsafeError
    known = {key.value: value for key, value in node.value}
    edits: list[_Edit] = []
    added: dict[str, Any] = {}
    for key, value in over.items():
        if key not in known:
            if depth < _SERVICE:
                raise _UnsafeError
            added[key] = value
        elif isinstance(value, dict):
            edits += _edits(text, known[key], value, depth + 1)
        else:
            edits.append(_replace(known[key], value))
    return [*edits, _add(text, node, added)] if added else edits


def _replace(node: Any, value: Any) -> _Edit:
    """Return the edit of a scalar; a list is not replaced, as compose would add to it."""
    if not isinstance(node, yaml.ScalarNode) or isinstance(value, list):
        raise _UnsafeError
    return _Edit(node.start_mark.index, node.end_mark.index, _flow(value))


def _add(text: str, node: yaml.MappingNode, values: Mapping[str, Any]) -> _Edit:
    """Return the edit that adds keys: before the first that is no merge, or within {braces}."""
    if node.flow_style:
        end = node.end_mark.index - 1
        inner = ", ".join(f"{_flow(key)}: {_flow(value)}" for key, value in values.items())
        at = len(text[:end].rstrip())
        return _Edit(at, at, f", {inner}" if node.value else inner)
    keys = [key for key, _ in node.value]
    start = next((key for key in keys if key.value != MERGE), keys[0]).start_mark
    if start.index - start.column != text.rfind("\n", 0, start.index) + 1:
        raise _UnsafeError
    indent = " " * start.column
    lines = "".join(f"{_flow(key)}: {_flow(value)}\n{indent}" for key, value in values.items())
    return _Edit(start.index, start.index, lines)


def _flow(value: Any) -> str:
    """Return a value on one line."""
    text = dump(value, default_flow_style=True, width=float("inf"))
    return text.removesuffix("...\n").strip()


def dump(value: Any, **style: Any) -> str:
    """Return a value as YAML that compose reads as it is."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, **style))
