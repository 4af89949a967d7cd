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
from onegig.report.numbers import DASH, MINUS
from reviews import (
    BASE,
    HEAD,
    MAIN,
    NO_BASELINE,
    OLDER,
    REVIEWS,
    make_behind,
    make_build_failed,
    make_from_fork,
    make_go,
    make_inherited,
    make_limits_changed,
    make_many,
    make_new_and_removed,
    make_no_go,
    make_some_inherited,
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


def test_verdict_comes_first_and_the_command_last(scenario: str) -> None:
    text = written(REVIEWS[scenario])
    verdict = REVIEWS[scenario]().verdict
    assert re.match(rf"### \S+ {verdict.state.value}: ", text)
    assert re.search(r"```+sh\nonegig check.*\n```+\n$", text)


def test_comment_is_clean_and_fits(scenario: str) -> None:
    text = written(REVIEWS[scenario])
    assert len(text) <= LIMIT
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "None" not in text
    assert "\n\n\n" not in text


def test_every_row_but_a_fact_has_its_limit(scenario: str) -> None:
    lines = written(REVIEWS[scenario]).splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("|  | now")), None)
    if start is None:
        assert scenario == "build-failed"
        return
    heads = [cell.strip() for cell in lines[start].strip("|").split(" | ")]
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = dict(zip(heads, line.strip("|").split(" | "), strict=True))
        is_fact = "Dead bytes" in line or "total RSS" in line  # LIMITS has none for them
        assert bool(re.search(r"\d", cells["limit"])) != is_fact


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


def test_nothing_measured_is_no_calm_comment() -> None:
    text = written(make_build_failed)
    assert "> [!CAUTION]" in text
    assert "✅" not in text
    assert "compared with" not in text


def test_without_baseline_numbers_are_absolute_and_one_line_says_why() -> None:
    text = comment.render(review(run(stack()), NO_BASELINE))
    assert row(text, "Memory of the stack") == [
        "✅ Memory of the stack",
        "460 MB",
        "1,024 MB",
        "564 MB",
    ]
    assert text.count(NO_BASELINE.reason) == 1
    assert "vs main" not in text
    assert "and compared with" not in text


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


def test_new_and_removed_services_are_called_so() -> None:
    text = written(make_new_and_removed)
    assert "**Services: 2 new, 1 removed** (in MB)" in text
    assert row(text, "`ticker`")[2] == "new"
    assert row(text, "`funding`")[1:] == [
        DASH,
        f"{MINUS}12.2",
        DASH,
        DASH,
        f"{MINUS}24.5",
        "removed",
    ]
    assert "%" not in row(text, "`ticker`")[2]


def test_only_changed_services_are_open() -> None:
    opened, _, folded = written(make_go).partition("<details>")
    folded = folded.partition("Where the images' bytes go")[0]
    assert "`market-data`" in opened
    assert "`funding`" not in opened
    assert "`funding`" in folded
    assert "`market-data`" not in folded


def test_an_unchanged_stack_says_so() -> None:
    text = comment.render(review(run(stack())))
    assert "15 services, none changed by more than noise" in text
    assert row(text, "Memory of the stack")[2] == "same"


def test_all_failures_inherited_is_said_at_the_top() -> None:
    text = written(make_inherited)
    assert text.splitlines()[2] == (
        "Every failure is inherited: main has the same. This change adds none."
    )
    assert text.count("inherited: main fails it, too") == 2


def test_inherited_failures_come_after_new_ones() -> None:
    wrong = [line for line in written(make_some_inherited).splitlines() if line.startswith("- ❌")]
    assert ["aggressor" in wrong[0], "inherited" in wrong[0]] == [True, False]
    assert ["momentum" in wrong[1], "inherited" in wrong[1]] == [True, True]
    assert "Every failure is inherited" not in written(make_some_inherited)


def test_what_to_do_names_cause_fix_and_place() -> None:
    text = written(make_no_go)
    todo = text.partition("**What to do**")[2].partition("**Services")[0]
    assert "Free 135 MB: aggressor grew from 14 to 713 MB against main" in todo
    assert "(limit: `budgets.yml:5`)" in todo
    assert "it took 713 MB and was killed when the machine was full (944 MB)" in todo
    assert (
        "it grew from 25 to 144 MB against main; 30 MB can go: "
        "`RUN pip install torch==2.9.1` in layer 5 left 30 MB in /root/.cache/pip: "
        "add --no-cache-dir (`services/Dockerfile:31`, limit: `budgets.yml:9`)"
    ) in todo


@pytest.mark.parametrize("name", [name for name in REVIEWS if name != "hostile"])
def test_only_a_no_go_has_steps(name: str) -> None:
    report = REVIEWS[name]()
    assert ("**What to do**" in written(REVIEWS[name])) == (report.verdict.state is State.NO_GO)


def test_changed_limits_are_told_with_both_verdicts() -> None:
    text = written(make_limits_changed)
    banner = text.partition("|  | now")[0]
    assert "> [!WARNING]" in banner
    assert "`memory.limit`: 1,024 MB → 1,536 MB (looser)" in banner
    assert "Judged by those of `main`. By the proposed ones: GO: 478 of 1,536 MB" in banner
    assert "NO-GO: aggressor takes 32 of 24 MB" in text.splitlines()[0]


def test_stricter_limits_are_no_warning() -> None:
    change = LimitChange(key="images.each", old="110 MB", new="90 MB", looser=False)
    text = comment.render(review(run(stack()), limit_changes=(change,), proposed="GO: all well"))
    assert "> [!NOTE]" in text
    assert "WARNING" not in text


def test_limits_that_cannot_be_read_are_a_warning() -> None:
    text = comment.render(review(run(stack()), proposed="none: budgets.yml can't be read"))
    assert "> [!WARNING]\n> **This pull request changes limits.**" in text


def test_numbers_of_a_fork_are_called_self_reported() -> None:
    text = written(make_from_fork)
    assert "**Self-reported:** measured by a job of `stranger/desk`." in text
    assert "`.github/workflows/gate.yml`" in text


def test_both_commits_and_the_distances_are_told() -> None:
    text = written(make_behind)
    assert f"commit {HEAD[:10]}" in text
    assert f"merged into main at {BASE[:10]}" in text
    assert f"compared with the baseline of {OLDER[:10]}, 3 commits behind it" in text
    assert "this branch is 2 commits behind main" in text
    assert "unlike the baseline: engine 29.1, was 28.0; kernel 6.18, was 6.17" in text


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
