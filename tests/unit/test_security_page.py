"""docs/security.md names tests that are there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text(encoding="utf-8")
ROWS = [row for row in PAGE.splitlines() if re.search(r"\| \w+/[\w/]+\.py", row)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_the_tests_that_a_row_names_are_there(row: str) -> None:
    text = ""
    for path, name in re.findall(r"(\w+/[\w/]*\.py)|`(test_\w+)`", row):
        if path:
            text = (TESTS / path).read_text(encoding="utf-8")
        else:
            assert f"def {name}(" in text


def test_every_attack_has_a_row() -> None:
    assert len(ROWS) > 30
