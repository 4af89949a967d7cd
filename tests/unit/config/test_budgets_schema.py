"""The schema is for editors too: it must be whole, and agree with what the program accepts."""

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from onegig.config.budgets import load_budgets
from onegig.config.values import memory_size, seconds, share
from onegig.model.verdict import CHECK_KINDS

Write = Callable[[str | bytes], Path]
SCHEMA: dict[str, Any] = json.loads(
    files("onegig").joinpath("schemas", "budgets.schema.json").read_text()
)


def keys(schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{at}{name}", inner
        yield from keys(inner, f"{at}{name}.")
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        yield from keys(extra, f"{at}*.")
    if "items" in schema:
        yield f"{at}[]", schema["items"]
        yield from keys(schema["items"], f"{at}[].")


def test_it_is_a_schema_and_describes_every_key() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    found = dict(keys(SCHEMA))
    assert len(found) > 25
    assert [key for key, inner in found.items() if not inner.get("description")] == []


def test_its_defaults_are_those_of_the_program(write: Write) -> None:
    defaults: dict[str, Any] = {}
    for key, inner in keys(SCHEMA):
        if "default" in inner:
            section, _, name = key.rpartition(".")
            (defaults.setdefault(section, {}) if section else defaults)[name] = inner["default"]
    written = load_budgets(write(yaml.safe_dump(defaults)))
    nothing = load_budgets(write("version: 1"))
    assert written.memory == nothing.memory
    assert written.images == nothing.images
    assert written.measure == nothing.measure
    assert written.shards == nothing.shards
    assert written.forks == nothing.forks
    assert written.disk_bytes == nothing.disk_bytes


def test_every_check_can_be_waived_but_what_was_not_measured() -> None:
    waiver = SCHEMA["properties"]["waivers"]["items"]["properties"]
    assert set(waiver["metric"]["enum"]) == set(CHECK_KINDS) - {"measure.complete"}


@given(
    st.decimals(min_value=1, max_value=9999, places=1),
    st.sampled_from(["KB", "MB", "gb", "MiB", "k", "G", " GiB"]),
)
def test_it_accepts_the_sizes_the_program_accepts(number: object, unit: str) -> None:
    assert memory_size(f"{number}{unit}") > 0
    assert re.search(SCHEMA["$defs"]["size"]["pattern"], f"{number}{unit}")


@given(st.decimals(min_value=0, max_value=24, places=1), st.sampled_from(["ms", "s", "m", "h"]))
def test_it_accepts_the_shares_and_durations_the_program_accepts(number: object, unit: str) -> None:
    assert share(f"{number}%") <= 1
    assert re.search(SCHEMA["$defs"]["share"]["pattern"], f"{number}%")
    assert seconds(f"{number}{unit}") >= 0
    assert re.search(SCHEMA["$defs"]["duration"]["pattern"], f"{number}{unit}")
