"""The comment on a pull request: whole documents, and what must hold for every one of them."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import MIB, make_check, stack
from onegig.model.measured import Skipped, Unknown
from onegig.model.report import Change, Comparison, LimitChange, Report
from onegig.model.state import State
from onegig.model.verdict import Unit
from onegig.report import comment, html, terminal
from onegig.report.numbers import MINUS
from reviews import (
    MAIN,
    REVIEWS,
    make_build_failed,
    make_many,
    make_no_go,
    make_waived,
    review,
)
from scenarios import run

LIMIT = 65_000  # characters: GitHub takes 65,536, a marker comes on top


@cache
def written(make: Callable[[], Report]) -> str:
    """A comment, rendered once for all tests that look at it."""
    return comment.render(make())


@pytest.fixture(params=tuple(REVIEWS))
def scenario(request: pytest.FixtureRequest) -> str:
    """The name of each kind of pull request in turn."""
    return str(request.param)


def row(text: str, title: str) -> list[str]:
    """The cells of a table's row."""
    line = next(line for line in text.splitlines() if line.startswith("|") and title in line)
    return [cell.strip().replace("\u00a0", " ") for cell in line.strip("|").split(" | ")]


def test_whole_comment(scenario: str, golden: Callable[[str, str], None]) -> None:
    golden(f"comment/{scenario}.md", written(REVIEWS[scenario]))


def test_comment_is_clean_and_fits(scenario: str) -> None:
    text = written(REVIEWS[scenario])
    assert len(text) <= LIMIT
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "None" not in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize("render", [comment.render, terminal.render, html.render])
def test_a_failure_is_told_in_every_form(render: Callable[[Report], str]) -> None:
    text = re.sub(r"\s+", " ", render(make_build_failed()))
    assert "INCOMPLETE" in text
    assert "the image of market-data could not be built" in text
    assert "services/Dockerfile:12" in text
    assert "docker buildx bake market-data" in text
    assert "ta-lib (no such package)" in text


@pytest.mark.parametrize("render", [comment.render, terminal.render, html.render])
def test_waivers_and_changes_are_told_in_every_form(render: Callable[[Report], str]) -> None:
    text = re.sub(r"\s+|\u200b", " ", render(make_waived())).replace("@ ", "@").replace("# ", "#")
    assert "waived until 2026-11-30 (7 days left) by @desk-ops: the order book" in text
    assert text.count("waived until 2026-11-30") == 1
    assert "the waiver of disk.total by @desk-ops is unused" in text
    assert "vs main" in text
    assert "+31 MB" in text
    assert "compared with it" in text


def test_a_delta_is_the_difference_of_what_is_printed() -> None:
    now = row(written(make_no_go), "Memory of the stack")
    before = row(comment.render(review(MAIN)), "Memory of the stack")
    assert (before[1], now[1:3]) == ("460 MB", ["1,159 MB", "+699 MB"])


@given(
    before=st.integers(0, 3000 * MIB),
    now=st.integers(0, 3000 * MIB),
    limit=st.integers(1, 3000 * MIB),
    unit=st.sampled_from([Unit.MEMORY, Unit.STORAGE]),
)
def test_now_and_delta_lead_back_to_before(before: int, now: int, limit: int, unit: Unit) -> None:
    report = run(stack())
    check = make_check("memory.total", "stack", unit=unit, value=now, limit=limit)
    compared = review(report)
    assert compared.review is not None
    comparison = compared.review.comparison
    assert isinstance(comparison, Comparison)
    delta = replace(comparison.deltas[0], change=Change.CHANGED, before=before)
    changed = replace(comparison, deltas=(delta,))
    verdict = replace(report.verdict, checks=(check,))
    told = replace(compared, verdict=verdict, review=replace(compared.review, comparison=changed))
    _, shown, difference, *_ = row(comment.render(told), "memory.total")
    value, unit_shown = shown.replace(",", "").split(" ")
    if unit_shown != "MB":
        return
    sign = {"+": 1, MINUS: -1, "±": 0}[difference[0]]
    amount = float(difference[1:].replace(",", "").split(" ")[0])
    places = len(value.partition(".")[2])
    mb = MIB if unit is Unit.MEMORY else 1000**2
    assert abs(float(value) - sign * amount - before / mb) <= 10**-places + 1e-9
    assert (sign > 0) <= (now > before)
    assert (sign < 0) <= (now < before)


@pytest.mark.parametrize("name", [name for name in REVIEWS if name != "hostile"])
def test_only_a_no_go_has_steps(name: str) -> None:
    report = REVIEWS[name]()
    assert ("**What to do**" in written(REVIEWS[name])) == (report.verdict.state is State.NO_GO)


def test_stricter_limits_are_no_warning() -> None:
    change = LimitChange(key="images.each", old="110 MB", new="90 MB", looser=False)
    text = comment.render(review(run(stack()), limit_changes=(change,), proposed="GO: all well"))
    assert "> [!NOTE]" in text
    assert "WARNING" not in text


def test_limits_that_cannot_be_read_are_a_warning() -> None:
    text = comment.render(review(run(stack()), proposed="none: budgets.yml can't be read"))
    assert "> [!WARNING]\n> **This pull request changes limits.**" in text


@pytest.mark.parametrize(
    ("behind", "said"),
    [(Unknown(reason="GitHub said 500"), True), (Skipped(reason="told by the comment"), False)],
)
def test_an_unknown_distance_says_why(behind: Unknown | Skipped, said: bool) -> None:
    text = comment.render(review(run(stack()), branch_behind=behind))
    assert (behind.reason in text) == said


@pytest.mark.parametrize("count", [150, 700, 2000])
def test_large_stacks_fit_worst_first_and_say_what_is_cut(count: int) -> None:
    text = comment.render(make_many(count))
    assert len(text) <= LIMIT
    assert ("left out" in text) == (count > 150)
    assert text.count("<details>") == text.count("</details>")
    tables = [block for block in text.split("\n\n") if block.startswith("| service")]
    rows = [re.findall(r"^\| (❌ )?`worker", table, re.MULTILINE) for table in tables]
    assert sum(map(len, rows)) > 500 or sum(map(len, rows)) == count
    assert rows[0][0] == rows[-1][0] == "❌ "
    assert rows[-1] == sorted(rows[-1], reverse=True)
