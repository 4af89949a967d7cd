"""GitHub's OpenAPI description, cut down to the operations the stand-in knows."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

NPM = Path(__file__).parents[1] / "npm/node_modules"
FILE = NPM / "@octokit/openapi/generated/api.github.com.json"
IS_THERE = FILE.exists()
REASON = "tests/npm/node_modules is not there: scripts/test installs it (npm ci in tests/npm)"
HOST = "https://api.github.com"
JSON = "application/json"
ANYWHERE = ("401", "403", "404", "409", "410", "429", "500", "502", "503")  # the same everywhere

NOTHING = {"nullable": True, "enum": [None]}

Operation = tuple[str, str]  # such as ("get", "/repos/{owner}/{repo}/pulls")


class Asked:
    """A request as openapi-core wants to see it."""

    def __init__(
        self,
        operation: Operation,
        values: Mapping[str, str],
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        self.method, template = operation
        # Values may hold slashes, which a template's {path} does not match.
        self.path = template.format(**{key: quote(text, safe="") for key, text in values.items()})
        self.host_url = HOST
        self.body = body or None
        self.content_type = JSON
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(query),
            header=Headers(dict(headers)),
            cookie=ImmutableMultiDict(),
            path={},
        )


class Answered:
    """An answer likewise."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status_code = status
        self.headers = Headers(dict(headers))
        self.data = body or None
        self.content_type = headers.get("Content-Type", JSON).partition(";")[0]


class Description:
    """Judges requests and answers, and gives GitHub's own examples of answers."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._document = _cut(_whole(), operations)
        self._api = OpenAPI.from_dict(self._document, config=Config(spec_validator_cls=None))

    def request_problem(self, asked: Asked, template: str) -> str:
        """Why GitHub would not understand the request; "" when it would."""
        operation = self._document["paths"][template][asked.method]
        known = {self._resolved(item)["name"] for item in operation.get("parameters", [])}
        unknown = set(asked.parameters.query) - known
        if unknown:
            return f"unknown parameters: {', '.join(sorted(unknown))}"
        try:
            self._api.validate_request(asked)
        except OpenAPIError as error:
            return _words(error)
        return self._unknown_keys(operation, asked)

    def response_problem(self, asked: Asked, answered: Answered) -> str:
        """What GitHub would never answer like this; "" when it could."""
        try:
            self._api.validate_response(asked, answered)
        except OpenAPIError as error:
            return _words(error)
        return ""

    def example(self, operation: Operation, status: str = "200", name: str = "") -> Any:
        """GitHub's own example of an answer, to be changed at will."""
        method, template = operation
        answer = self._resolved(self._document["paths"][template][method]["responses"][status])
        examples = answer["content"][JSON]["examples"]
        example = examples[name] if name else next(iter(examples.values()))
        return deepcopy(self._resolved(example)["value"])

    def _unknown_keys(self, operation: dict[str, Any], asked: Asked) -> str:
        content = operation.get("requestBody", {}).get("content", {})
        known = set(content.get(JSON, {}).get("schema", {}).get("properties", {}))
        unknown = set(json.loads(asked.body) if asked.body else {}) - known
        return f"unknown keys: {', '.join(sorted(unknown))}" if unknown else ""

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            _, _, section, name = node["$ref"].split("/")
            node = self._document["components"][section][name]
        return node


def _words(error: OpenAPIError) -> str:
    cause = error.__cause__
    details = [item.message[:300] for item in getattr(cause, "schema_errors", [])]
    return f"{type(error).__name__}: {'; '.join(details) or cause or error}"


@cache
def _whole() -> dict[str, Any]:
    return json.loads(FILE.read_bytes())


def _cut(whole: dict[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for method, template in operations:
        operation = deepcopy(whole["paths"][template][method])
        for status in ANYWHERE:
            operation["responses"][status] = {"$ref": "#/components/responses/not_found"}
        paths.setdefault(template, {})[method] = operation
    components: dict[str, Any] = {}
    waiting: list[Any] = [paths]
    while waiting:
        for reference in _references(waiting.pop()):
            _, _, section, name = reference.split("/")
            if name not in components.setdefault(section, {}):
                components[section][name] = whole["components"][section][name]
                waiting.append(components[section][name])
    return _mended(
        {
            **{key: whole[key] for key in ("openapi", "info")},
            "servers": [{"url": HOST}],
            "paths": paths,
            "components": components,
        }
    )


def _mended(node: Any) -> Any:
    """Without four slips: a list asked for a property, null missing where it is a choice and where
    a fork has been deleted, and a range of dates that is called a date.
    """
    if isinstance(node, dict):
        kept = {
            key: _mended(value)
            for key, value in node.items()
            if key != "discriminator" or "propertyName" not in value
        }
        if kept.get("name") == "created" and kept.get("in") == "query":
            kept["schema"] = {"type": "string"}
        for name in kept.keys() & {"repo", "head_repository"}:
            if set(kept[name]) == {"$ref"}:
                kept[name] = {"nullable": True, "anyOf": [kept[name], NOTHING]}
        if kept.get("nullable") is True and isinstance(kept.get("enum"), list):
            kept["enum"] = [*kept["enum"], None]
        return kept
    if isinstance(node, list):
        return [_mended(value) for value in node]
    return node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
