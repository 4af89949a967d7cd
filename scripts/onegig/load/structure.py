"""budgets.schema.json applied: keys, kinds of values and bounds, in plain words."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from onegig.load.document import Document
from onegig.load.mistakes import Key, Problem, kind_of
from onegig.load.nearest import did_you_mean

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
