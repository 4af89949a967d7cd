"""The comment on a pull request: whole documents, what holds for each, what strangers may write."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import github_markdown
from factories import MIB, make_check, stack
from onegig.model.measured import Skipped, Unknown
from onegig.model.report import Change, Comparison, LimitChange, Report
from onegig.model.state import State
from onegig.model.verdict import Unit
from onegig.report import comment, html, terminal
from onegig.report.numbers import MINUS
from onegig.text import plain
from reviews import (
    MAIN,
    REVIEWS,
    RUN_URL,
    make_build_failed,
    make_hostile,
    make_many,
    make_no_go,
    make_some_inherited,
    make_waived,
    review,
)
from scenarios import HOSTILE, run

LIMIT = 65_000  # characters: GitHub takes 65,536, a marker comes on top
KNOWN = {"h3", "table", "thead", "tbody", "tr", "th", "td", "p", "strong", "em", "ul", "li", "br"}
KNOWN |= {"code", "pre", "details", "summary", "a", "div"}
names = st.lists(
    st.text(max_size=60) | st.text(alphabet="`*_[]()<>!|~$&@#:/\\.-+=^ab1 \n\x1b", max_size=60),
    min_size=6,
    max_size=8,
    unique_by=plain,
).filter(lambda texts: all(map(plain, texts)) and _are_distinct(texts))


def _are_distinct(texts: list[str]) -> bool:
    """Return whether none is called like what main had of another, see `make_hostile`."""
    return {plain(text) for text in texts}.isdisjoint(plain(f"{text}!") for text in texts)


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
    after = replace(compared, verdict=verdict, review=replace(compared.review, comparison=changed))
    _, shown, difference, *_ = row(comment.render(after), "memory.total")
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
    ("behind", "is_shown"),
    [(Unknown(reason="GitHub said 500"), True), (Skipped(reason="told by the comment"), False)],
)
def test_an_unknown_distance_says_why(behind: Unknown | Skipped, is_shown: bool) -> None:
    text = comment.render(review(run(stack()), branch_behind=behind))
    assert (behind.reason in text) == is_shown


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


@cache
def tame_tags(count: int) -> list[github_markdown.Tag]:
    """What a comment consists of when every name is harmless."""
    tame = [f"name-{at}" for at in range(count)]
    return sorted(github_markdown.read(comment.render(make_hostile(tame))).tags)


@pytest.mark.security
@settings(deadline=None)
@given(names)
def test_names_change_no_tag(texts: list[str]) -> None:
    page = github_markdown.read(comment.render(make_hostile(texts)))
    assert sorted(page.tags) == tame_tags(len(texts))


@pytest.mark.security
@settings(deadline=None)
@given(names)
def test_names_ping_and_link_nobody(texts: list[str]) -> None:
    text = comment.render(make_hostile(texts))
    assert github_markdown.pings(text) == []
    assert github_markdown.read(text).links == []
    assert not re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e-\u200f\u202a-\u202e]", text)


@pytest.mark.security
def test_hostile_names_make_a_harmless_comment() -> None:
    assert {tag for tag, _ in github_markdown.read(written(make_hostile)).tags} <= KNOWN
    assert github_markdown.pings(written(make_hostile)) == []


@pytest.mark.security
def test_only_the_run_is_linked(scenario: str) -> None:
    links = github_markdown.read(written(REVIEWS[scenario])).links
    own = f"{RUN_URL.partition('/actions/')[0]}/actions/"
    assert links == [] if scenario == "hostile" else links[-1] == RUN_URL
    assert all(link.startswith(own) for link in links)


@pytest.mark.security
@pytest.mark.parametrize(
    ("url", "linked"),
    [
        (RUN_URL, True),
        (f"{RUN_URL}/attempts/2", True),
        (RUN_URL.replace("github.com", "octo.ghe.com"), True),
        (RUN_URL.replace("https", "http"), False),
        (RUN_URL.replace("github.com", "github.com.evil.example"), False),
        (RUN_URL.replace("github.com", "github.com@evil.example"), False),
        (f"{RUN_URL}) [x](https://evil.example", False),
        ("javascript:alert(1)", False),
    ],
)
def test_a_run_is_linked_only_on_github(url: str, linked: bool) -> None:
    text = comment.render(review(run(stack()), run_url=url))
    assert github_markdown.read(text).links == ([url] if linked else [])
    assert url in text


@pytest.mark.security
def test_hostile_names_reach_neither_terminal_nor_runner() -> None:
    for width in (60, 100):
        text = terminal.render(make_hostile(), width=width)
        assert not re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", text)
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
        assert "##[" not in text


@pytest.mark.security
@pytest.mark.parametrize("start", ["::error file=x::y", "##[error]y", "a ##[warning]z"])
def test_a_log_gives_the_runner_no_command(start: str) -> None:
    report = make_build_failed()
    assert report.failure is not None
    text = terminal.render(replace(report, failure=replace(report.failure, detail=start)))
    assert not re.findall(r"^\s*::|##\[", text, re.MULTILINE)
    assert start[-1] in text


@pytest.mark.security
def test_a_failure_can_hide_no_failing_check() -> None:
    report = make_some_inherited()
    failed = make_build_failed().failure
    assert failed is not None
    text = comment.render(replace(report, failure=replace(failed, message="takes")))
    assert "- ❌ aggressor takes 32 of 24 MB" in text


@pytest.mark.security
def test_a_banner_cannot_be_flooded_away() -> None:
    flood = tuple(f"{at}" + "`*@a|<" * 2000 for at in range(40))
    text = comment.render(make_hostile(flood))
    assert len(text) <= LIMIT
    assert "**This pull request changes limits.**" in text
    assert "**Self-reported:**" in text
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.security
def test_hostile_names_are_still_readable() -> None:
    shown = re.sub("[\u200b]", "", github_markdown.read(written(make_hostile)).text)
    for name in HOSTILE:
        assert plain(name)[:12].replace("|", "¦") in shown.replace("|", "¦")
