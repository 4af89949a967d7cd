"""Edits of a compose file's text, and those that are left to an override file."""

import json
from typing import Any

import pytest
import yaml

from onegig.plan.compose_edit import edit_compose
from onegig.plan.edit import override_text
from planned import COMPOSE


@pytest.mark.parametrize(
    ("override", "lines"),
    [
        ({"web": {"profiles": ["optional"]}}, ["+    profiles: [optional]"]),
        ({"db": {"mem_limit": "60m"}}, ["-    mem_limit: 90m", "+    mem_limit: 60m"]),
        ({"web": {"healthcheck": {"interval": "60s"}}}, ["interval: 60s, retries: 2}"]),
        ({"web": {"healthcheck": {"start_interval": "1s"}}}, ["retries: 2, start_interval: 1s}"]),
        ({"web": {"annotations": {"a": "b"}}}, ["+    annotations: {a: b}"]),
        ({"web": {"labels": {"a": "b"}}}, None),  # a merge brings labels: the key would hide them
        ({"db": {"command": ["walk"]}}, None),  # compose would add to a list
        ({"cache": {"image": "redis"}}, None),
    ],
)
def test_a_compose_file_is_edited_where_that_is_safe(
    override: dict[str, Any], lines: list[str] | None
) -> None:
    after = edit_compose(COMPOSE, {"services": override})
    if lines is None:
        assert after is None
        return
    assert after is not None
    assert all(line.lstrip("+-") in (after if line[0] != "-" else COMPOSE) for line in lines)
    assert "image: web # ours" in after  # all else stays as it was written
    assert len(after.splitlines()) - len(COMPOSE.splitlines()) in (0, 1)
    assert yaml.safe_load(after)["services"]["db"]["image"] == "db"


@pytest.mark.parametrize("value", ["12e5", "-1.5E3", "0o17", ".5e1"])
def test_texts_that_compose_would_take_for_numbers_are_quoted(value: str) -> None:
    services = {"web": {"environment": {"COMMIT": value}}}
    after = edit_compose("services:\n  web: {image: web}\n", {"services": services})
    assert after is not None
    assert f"COMMIT: '{value}'" in after
    assert f"COMMIT: '{value}'" in override_text({"services": services})


@pytest.mark.parametrize("value", ["2024-02-30", "0x_"])
def test_a_value_that_is_nearly_a_date_or_number_is_left_alone(value: str) -> None:
    """Compose takes it for text; PyYAML fails."""
    text = f"services:\n  web:\n    environment: {{VERSION: {value}}}\n"
    assert edit_compose(text, {"services": {"web": {"profiles": ["optional"]}}}) is None


@pytest.mark.parametrize("base", ["db", "{service: db}", "{service: db, file: compose.yml}"])
def test_a_service_that_another_extends_is_not_edited(base: str) -> None:
    """Compose would give the other one the change, too; an override file does not."""
    text = f"{COMPOSE}  api:\n    extends: {base}\n"
    assert edit_compose(text, {"services": {"db": {"profiles": ["optional"]}}}) is None
    assert edit_compose(text, {"services": {"api": {"profiles": ["optional"]}}})


@pytest.mark.parametrize(
    "text",
    [
        COMPOSE.replace("\n", "\r\n"),
        f"\ufeff{COMPOSE}",
        COMPOSE.replace("ours", "ours\x0c"),
        COMPOSE.replace("# ours", "#\u00a0ours"),
        COMPOSE.replace("ours", "\u200d"),
        json.dumps(yaml.safe_load(COMPOSE)),
    ],
)
def test_files_of_which_a_copied_diff_would_not_apply_are_left_alone(text: str) -> None:
    assert edit_compose(text, {"services": {"db": {"mem_limit": "60m"}}}) is None
