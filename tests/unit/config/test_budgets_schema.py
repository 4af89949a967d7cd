"""What is derived from the declarations: the schema for editors, docs/budgets.md, options."""

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from onegig.cli import main
from onegig.config.budgets import budgets_schema, load_budgets
from onegig.model.budgets import Budgets
from onegig.model.keys import MEMORY, Key, Kind, Section, Several, keys_of
from onegig.model.sizes import seconds, share

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "budgets.md"
FILE = files("onegig").joinpath("schemas", "budgets.schema.json")
SCHEMA = budgets_schema()
TABLE = "| key | value | default | meaning |\n|---|---|---|---|\n"
VALUES = {
    "size": "size: `90MB`",
    "share": "share: `10%`",
    "growth": "share or size: `10%`, `20MB`",
    "memory_growth": "share, size, or size over time: `10%`, `20MB`, `1MB/h`",
    "duration": "duration: `15s`, `2m`",
    "count": "number or `any`",
}


def row(name: str, key: Key) -> str:
    default = (
        ""
        if key.default is None
        else f"`{str(key.default).replace('True', 'true').replace('False', 'false')}`"
    )
    return f"| `{name}` | {value(key.kind)} | {default} | {key.meaning} |\n"


def value(kind: Kind | Section | Several) -> str:
    match kind:
        case Section():
            return "keys below"
        case Several(named=True):
            return "mapping"
        case Several(item=Kind(name=str() as name)) if name:
            return f"{VALUES[name]}, or a list of them"
        case Several():
            return f"list of {'these' if isinstance(kind.item, Section) else 'text'}"
    choices = kind.schema.get("enum", ())
    if len(choices) > 6:
        return "text"
    named = VALUES.get(kind.name) or " ".join(f"`{choice}`" for choice in choices)
    return (
        named
        or {"integer": "whole number"}.get(kind.schema.get("type"), "")
        or str(kind.schema.get("type", kind.schema.get("const")))
        .replace("string", "text")
        .replace("boolean", "`true` `false`")
    )


def rows(section: type, above: str = "") -> str:
    text = ""
    for name, key in keys_of(section).items():
        text += row(f"{above}{name}", key)
        inner = key.kind.item if isinstance(key.kind, Several) else key.kind
        if isinstance(inner, Section):
            between = {True: ".NAME", False: "[]"}[key.kind.named] if inner is not key.kind else ""
            text += rows(inner.type, f"{above}{name}{between}.")
    return text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (Path(str(FILE)), json.dumps(SCHEMA, indent=2) + "\n"),
        (PAGE, PAGE.read_text().partition(TABLE)[0] + TABLE + rows(Budgets)),
    ],
    ids=["schema", "page"],
)
def test_what_is_written_from_the_declarations_is_up_to_date(
    path: Path, expected: str, pytestconfig: pytest.Config
) -> None:
    if pytestconfig.getoption("--update-goldens"):
        path.write_text(expected)
    assert path.read_text() == expected


def test_it_is_a_schema_that_takes_every_example_of_its_own() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    for name, key in keys_of(Budgets).items():
        assert key.meaning
        assert validator.is_valid({name: key.example}), name


def test_its_defaults_are_those_of_the_program(write: Callable[[str], Path]) -> None:
    def defaults(schema: dict[str, Any]) -> Any:
        inner = schema.get("properties", {}).items()
        written = {name: defaults(each) for name, each in inner if "required" not in each}
        return schema.get("default", {n: each for n, each in written.items() if each != {}})

    text = yaml.safe_dump(defaults(SCHEMA))
    assert "min_efficiency: 90%" in text
    written, nothing = load_budgets(write(text)), load_budgets(write("version: 1"))
    for key in keys_of(Budgets).values():
        value, default = getattr(written, key.attribute), getattr(nothing, key.attribute)
        if isinstance(key.kind, Section) and key.kind.optional and value is not None:
            default = key.kind.type()
        assert value == default


def test_options_that_override_a_key_say_what_it_means_and_keep_its_bounds() -> None:
    text = " ".join(CliRunner().invoke(main, ["check", "--help"]).output.split())
    assert "--window DURATION Length of a window. Its highest total counts." in text
    result = CliRunner().invoke(main, ["check", "--repeats", "21"])
    assert "21 should be at most 20" in result.stderr


@given(
    st.decimals(min_value=1, max_value=9999, places=1),
    st.sampled_from(["KB", "MB", "gb", "MiB", "k", "G", " GiB"]),
)
def test_it_accepts_the_sizes_the_program_accepts(number: object, unit: str) -> None:
    assert MEMORY.parse(f"{number}{unit}") > 0
    assert re.search(SCHEMA["$defs"]["size"]["pattern"], f"{number}{unit}")


@given(st.decimals(min_value=0, max_value=24, places=1), st.sampled_from(["ms", "s", "m", "h"]))
def test_it_accepts_the_shares_and_durations_the_program_accepts(number: object, unit: str) -> None:
    assert share(f"{number}%") <= 1
    assert re.search(SCHEMA["$defs"]["share"]["pattern"], f"{number}%")
    assert seconds(f"{number}{unit}") >= 0
    assert re.search(SCHEMA["$defs"]["duration"]["pattern"], f"{number}{unit}")
