"""Versioned JSON forms of the model's dataclasses, with a JSON Schema each.

Any step can be replayed from a file: what one step writes, the next reads back equal.
"""

import re
from dataclasses import fields
from typing import Any, Literal, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from onegig.errors import ConfigError
from onegig.model.build import BuildReport
from onegig.model.images import ImagesReport
from onegig.model.memory import MemoryReport
from onegig.model.plan import Plan
from onegig.model.redis import RedisAudit
from onegig.model.report import Report, RunReport
from onegig.model.verdict import Baseline

Document = (
    ImagesReport | MemoryReport | BuildReport | RedisAudit | Report | RunReport | Baseline | Plan
)
D = TypeVar(
    "D", ImagesReport, MemoryReport, BuildReport, RedisAudit, Report, RunReport, Baseline, Plan
)
DOCUMENTS: dict[str, type[Any]] = {
    str(fields(kind)[0].default): kind for kind in get_args(Document)
}
MANY_PROBLEMS = 1000
_HUGE = re.compile(rb'(?:":|[\[,])\s*-?\d{20}')  # more than 64 bits hold, and than a float converts
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ADAPTERS = {kind: TypeAdapter(kind) for kind in DOCUMENTS.values()}


def to_json(document: Document) -> str:
    """Return the document as indented JSON, keys in the order of the dataclass."""
    return _ADAPTERS[type(document)].dump_json(document, indent=1).decode() + "\n"


def to_line(document: Document) -> str:
    """Return the document as JSON on one line, for files of one document a line."""
    return _ADAPTERS[type(document)].dump_json(document).decode() + "\n"


def from_json(kind: type[D], text: str | bytes, source: str, *, strict: bool = False) -> D:
    """Return the document in `text`; ConfigError names `source` and every value that does not fit.

    `strict` allows no key that the model lacks and no "1" for 1: what a stranger wrote.
    """
    expected = next(schema for schema, known in DOCUMENTS.items() if known is kind)
    if _has_huge_number(text.encode(errors="replace") if isinstance(text, str) else text):
        raise ConfigError(
            f"{source} has a number that is too large to be true",
            advice="create it again with this version of onegig",
        )
    extra: Literal["forbid"] | None = "forbid" if strict else None
    try:
        document: D = _ADAPTERS[kind].validate_json(text, strict=strict or None, extra=extra)
    except ValidationError as error:
        raise ConfigError(
            f"{source} is not a valid {expected} document",
            advice="create it again with this version of onegig",
            detail=_problems(error),
        ) from error
    if document.schema != expected:
        raise ConfigError(
            f"{source} has schema {document.schema!r}, this version reads {expected!r}",
            advice="create it again with this version of onegig",
        )
    return document


def _has_huge_number(text: bytes) -> bool:
    """Return whether a number of 20 digits or more is outside of strings: logs are full of them."""
    return bool(_HUGE.search(text) and _HUGE.search(_STRING.sub(b'""', text)))


def _problems(error: ValidationError) -> str:
    """Return the first values that do not fit; only how many if listing them costs too much."""
    if error.error_count() > MANY_PROBLEMS:
        return f"{error.error_count():,} values do not fit"
    return "\n".join(
        f"{'.'.join(map(str, item['loc'])) or 'document'}: {item['msg']}"
        for item in error.errors()[:20]
    )


def json_schema(kind: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a document, as `onegig schema` prints it."""
    schema = _ADAPTERS[kind].json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
