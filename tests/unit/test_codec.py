"""Every document goes to JSON and back unchanged, under a schema."""

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from factories import make_memory
from onegig.cli import main
from onegig.errors import ConfigError
from onegig.model.codec import DOCUMENTS, from_json, json_schema, to_json
from onegig.model.images import ImagesReport
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from scenarios import make_go


@pytest.mark.parametrize("schema", DOCUMENTS)
def test_schemas_are_printed(schema: str) -> None:
    printed = CliRunner().invoke(main, ["schema", schema.split("/")[1]]).stdout
    assert json.loads(printed) == json_schema(DOCUMENTS[schema])
    Draft202012Validator.check_schema(json.loads(printed))


def test_the_schema_of_budgets_is_the_file_for_editors() -> None:
    kept = files("onegig").joinpath("schemas", "budgets.schema.json").read_text()
    assert CliRunner().invoke(main, ["schema", "budgets"]).stdout == kept


def test_report_round_trip() -> None:
    report = make_go()
    text = to_json(report)
    assert from_json(Report, text, "report.json") == report
    jsonschema.validate(json.loads(text), json_schema(Report))


def test_steps_can_be_replayed_from_their_own_files() -> None:
    report = make_go()
    assert isinstance(report.images, ImagesReport)
    assert isinstance(report.memory, MemoryReport)
    assert from_json(ImagesReport, to_json(report.images), "images.json") == report.images
    assert from_json(MemoryReport, to_json(report.memory), "memory.json") == report.memory


def test_another_document_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigError, match=r"memory\.json is not a valid onegig/memory/1 document"):
        from_json(MemoryReport, to_json(make_go()), "memory.json")


def test_another_version_is_refused() -> None:
    text = to_json(make_go()).replace("onegig/report/1", "onegig/report/9")
    with pytest.raises(ConfigError, match="schema 'onegig/report/9'"):
        from_json(Report, text, "report.json")


def test_broken_json_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        from_json(Report, "{", "report.json")
    assert "EOF" in caught.value.detail


@pytest.mark.parametrize("number", ["1" * 400, f"-{2**64}"])
def test_a_number_without_end_is_refused(number: str) -> None:
    text = to_json(make_go()).replace('"cost_bytes": ', f'"cost_bytes": {number}', 1)
    with pytest.raises(ConfigError, match="too large to be true"):
        from_json(Report, text, "report.json")


@pytest.mark.parametrize(
    "log", ['{"trace_id":14226372198374652871}', "1, 14226372198374652871", "\\"]
)
def test_a_long_number_in_a_log_is_text(log: str) -> None:
    memory = replace(make_memory([]), notes=(log, '["'))
    assert from_json(MemoryReport, to_json(memory), "memory.json") == memory
