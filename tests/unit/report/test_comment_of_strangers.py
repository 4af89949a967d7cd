"""What strangers write, in the comment: it stays text, whatever it is and wherever it stands."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import github_markdown
from factories import stack
from onegig.model.report import Report
from onegig.report import comment, terminal
from onegig.text import plain
from reviews import (
    REVIEWS,
    RUN_URL,
    make_build_failed,
    make_hostile,
    make_some_inherited,
    review,
)
from scenarios import HOSTILE, run

pytestmark = pytest.mark.security

LIMIT = 65_000  # characters: GitHub takes 65,536, a marker comes on top
KNOWN = {"h3", "table", "thead", "tbody", "tr", "th", "td", "p", "strong", "em", "ul", "li", "br"}
KNOWN |= {"code", "pre", "details", "summary", "a", "div"}
names = st.lists(
    st.text(max_size=60) | st.text(alphabet="`*_[]()<>!|~$&@#:/\\.-+=^ab1 \n\x1b", max_size=60),
    min_size=6,
    max_size=8,
    unique_by=plain,
).filter(lambda texts: all(map(plain, texts)))


@cache
def written(make: Callable[[], Report]) -> str:
    """A comment, rendered once for all tests that look at it."""
    return comment.render(make())


@pytest.fixture(params=tuple(REVIEWS))
def scenario(request: pytest.FixtureRequest) -> str:
    """The name of each kind of pull request in turn."""
    return str(request.param)


@cache
def tame_tags(count: int) -> list[github_markdown.Tag]:
    """What a comment consists of when every name is harmless."""
    tame = [f"name-{at}" for at in range(count)]
    return sorted(github_markdown.read(comment.render(make_hostile(tame))).tags)


@settings(deadline=None)
@given(names)
def test_names_change_no_tag(texts: list[str]) -> None:
    page = github_markdown.read(comment.render(make_hostile(texts)))
    assert sorted(page.tags) == tame_tags(len(texts))


@settings(deadline=None)
@given(names)
def test_names_ping_and_link_nobody(texts: list[str]) -> None:
    text = comment.render(make_hostile(texts))
    assert github_markdown.pings(text) == []
    assert github_markdown.read(text).links == []
    assert not re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e-\u200f\u202a-\u202e]", text)


def test_hostile_names_make_a_harmless_comment() -> None:
    page = github_markdown.read(written(make_hostile))
    assert {tag for tag, _ in page.tags} <= KNOWN
    assert page.links == []
    assert github_markdown.pings(written(make_hostile)) == []


def test_only_the_run_is_linked(scenario: str) -> None:
    links = github_markdown.read(written(REVIEWS[scenario])).links
    own = f"{RUN_URL.partition('/actions/')[0]}/actions/"
    assert links == [] if scenario == "hostile" else links[-1] == RUN_URL
    assert all(link.startswith(own) for link in links)


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


@pytest.mark.parametrize("make", [make_hostile])
def test_hostile_names_reach_neither_terminal_nor_runner(make: Callable[[], Report]) -> None:
    report = make()
    for width in (60, 100):
        text = terminal.render(report, width=width)
        assert not re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", text)
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
        assert "##[" not in text


@pytest.mark.parametrize("start", ["::error file=x::y", "##[error]y", "a ##[warning]z"])
def test_a_log_gives_the_runner_no_command(start: str) -> None:
    report = make_build_failed()
    assert report.failure is not None
    text = terminal.render(replace(report, failure=replace(report.failure, detail=start)))
    assert not re.findall(r"^\s*::|##\[", text, re.MULTILINE)
    assert start[-1] in text


def test_a_failure_can_hide_no_failing_check() -> None:
    report = make_some_inherited()
    failed = make_build_failed().failure
    assert failed is not None
    text = comment.render(replace(report, failure=replace(failed, message="takes")))
    assert "- ❌ aggressor takes 32 of 24 MB" in text


def test_a_banner_cannot_be_flooded_away() -> None:
    flood = tuple(f"{at}" + "`*@a|<" * 2000 for at in range(40))
    text = comment.render(make_hostile(flood))
    assert len(text) <= LIMIT
    assert "**This pull request changes limits.**" in text
    assert "**Self-reported:**" in text
    assert text.count("<details>") == text.count("</details>")


def test_hostile_names_are_still_readable() -> None:
    shown = re.sub("[\u200b]", "", github_markdown.read(written(make_hostile)).text)
    for name in HOSTILE:
        assert plain(name)[:12].replace("|", "¦") in shown.replace("|", "¦")
