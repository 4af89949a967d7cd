"""The corpus uses every key of the compose specification."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from jsonschema.validators import validator_for

from compose_keys import find_used_keys, list_keys, read_schema
from corpus_files import BROKEN, NEWER, SIDE_FILES, STACKS, read_documents

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
