"""Versioned JSON forms of the model's dataclasses, with a JSON Schema each.

Any step can be replayed from a file: what one step writes, the next reads back equal.
"""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from onegig.errors import ConfigError
from onegig.model.baseline import BASELINE_SCHEMA, Baseline
from onegig.model.images import IMAGES_SCHEMA, ImagesReport
from onegig.model.memory import MEMORY_SCHEMA, MemoryReport
from onegig.model.report import REPORT_SCHEMA, Report
from onegig.model.run import RUN_SCHEMA, RunReport

Document = ImagesReport | MemoryReport | Report | RunReport | Baseline
D = TypeVar("D", ImagesReport, MemoryReport, Report, RunReport, Baseline)
DOCUMENTS: dict[str, type[Any]] = {
    IMAGES_SCHEMA: ImagesReport,
    MEMORY_SCHEMA: MemoryReport,
    REPORT_SCHEMA: Report,
    RUN_SCHEMA: RunReport,
    BASELINE_SCHEMA: Baseline,
}
_ADAPTERS = {kind: TypeAdapter(kind) for kind in DOCUMENTS.values()}


def to_json(document: Document) -> str:
    """The document as indented JSON, keys in the order of the dataclass, newline at the end."""
    return _ADAPTERS[type(document)].dump_json(document, indent=1).decode() + "\n"


def from_json(kind: type[D], text: str | bytes, source: str) -> D:
    """The document in `text`; ConfigError names `source` and every value that does not fit."""
    try:
        document: D = _ADAPTERS[kind].validate_json(text)
    except ValidationError as error:
        problems = "\n".join(
            f"{'.'.join(map(str, item['loc'])) or 'document'}: {item['msg']}"
            for item in error.errors()[:20]
        )
        raise ConfigError(
            f"{source} is not a {kind.__name__} of this version of onegig",
            advice="write it again with this version of onegig",
            detail=problems,
        ) from error
    expected = next(schema for schema, known in DOCUMENTS.items() if known is kind)
    if document.schema != expected:
        raise ConfigError(
            f"{source} has schema {document.schema!r}, this version reads {expected!r}",
            advice="write it again with this version of onegig",
        )
    return document


def json_schema(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a document, as kept in schemas/."""
    schema = _ADAPTERS[kind].json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
