"""The corpus uses every key of the compose specification.

A key is named by the definition that declares it and the way below it, `service.extends.file` or
`deployment.resources.limits.memory`; a value of an enumeration by `key=value`. The specification's
JSON schema is the copy that check-jsonschema brings along.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from jsonschema.validators import validator_for

from corpus_files import BROKEN, NEWER, SIDE_FILES, STACKS, read_documents

Schema = dict[str, Any]
EXTENSION = "^x-"


@cache
def read_schema() -> Schema:
    """Return the JSON schema of the compose specification."""
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema: Schema = json.loads(vendored.read_text(encoding="utf-8"))
    return schema


def list_keys() -> set[str]:
    """Return every key and every enumerated value that the specification declares."""
    schema = read_schema()
    keys = set(_declared(schema, ""))
    for name, definition in schema["$defs"].items():
        keys |= set(_declared(definition, name))
    return keys


def find_used_keys(document: Any) -> set[str]:
    """Return the declared keys and enumerated values that a compose file uses."""
    return set(_used(read_schema(), document, ""))


def _declared(schema: Any, where: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    for value in schema.get("enum", ()):
        yield f"{where}={value}"
    for name, child in schema.get("properties", {}).items():
        yield _join(where, name)
        yield from _declared(child, _join(where, name))
    for pattern, child in schema.get("patternProperties", {}).items():
        if pattern != EXTENSION:
            yield from _declared(child, _join(where, "*"))
    for child in _alternatives(schema):
        yield from _declared(child, where)
    yield from _declared(schema.get("items"), where)


def _used(schema: Any, value: Any, where: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from _used(read_schema()["$defs"][name], value, name)
    if not isinstance(value, dict | list) and value in schema.get("enum", ()):
        yield f"{where}={value}"
    for child in _alternatives(schema):
        yield from _used(child, value, where)
    if isinstance(value, list):
        for item in value:
            yield from _used(schema.get("items"), item, where)
    if isinstance(value, dict):
        yield from _used_in_mapping(schema, value, where)


def _used_in_mapping(schema: Schema, mapping: dict[Any, Any], where: str) -> Iterator[str]:
    declared = schema.get("properties", {})
    for key, value in mapping.items():
        if key in declared:
            yield _join(where, key)
            yield from _used(declared[key], value, _join(where, key))
            continue
        for pattern, child in schema.get("patternProperties", {}).items():
            if re.search(pattern, str(key)):
                yield from _used(child, value, _join(where, "*"))


def _alternatives(schema: Schema) -> list[Any]:
    return [child for word in ("oneOf", "anyOf", "allOf") for child in schema.get(word, ())]


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


UNUSED: dict[str, str] = {}  # keys that no file can use, with the reason
VALIDATOR = validator_for(read_schema())(read_schema())


def used_keys() -> set[str]:
    documents = chain.from_iterable(map(read_documents, (*STACKS, *NEWER, *SIDE_FILES)))
    return set().union(*map(find_used_keys, documents))


def test_every_key_of_the_specification_is_used() -> None:
    assert len(list_keys()) > 300
    assert sorted(list_keys() - used_keys()) == sorted(UNUSED)


@pytest.mark.parametrize(
    ("document", "used"),
    [
        ({"name": "a", "x-note": 1}, {"name"}),
        (
            {"services": {"a": {"build": {"args": {"A": 1}}, "cgroup": "host"}}},
            {
                *("services", "workload_spec.build", "workload_spec.build.args"),
                *("container_spec.cgroup", "container_spec.cgroup=host"),
            },
        ),
        (
            {"services": {"a": {"networks": {"lan": {"priority": 1}}}}},
            {"services", "container_spec.networks", "container_spec.networks.*.priority"},
        ),
        ({"services": {"a": {"no_such_key": 1}}}, {"services"}),
        ({"include": [{"path": "a.yml"}, "b.yml"]}, {"include", "include.path"}),
    ],
)
def test_keys_are_recognized(document: dict[str, Any], used: set[str]) -> None:
    assert find_used_keys(document) == used
    assert used <= list_keys()


@pytest.mark.parametrize("path", NEWER, ids=lambda path: path.stem)
def test_files_that_an_older_compose_refuses_are_valid(path: Path) -> None:
    (document,) = read_documents(path)
    VALIDATOR.validate(document)


def test_the_corpus_is_large() -> None:
    assert len(STACKS) >= 80
    assert len(BROKEN) >= 20
