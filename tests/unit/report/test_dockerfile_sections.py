"""Remarks about Dockerfiles in the comment and in the HTML report."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

import github_markdown
from onegig.model.images import DockerfilePolicy, ImagesReport, Level
from onegig.model.measured import Missing
from onegig.model.report import Comparison, Report
from onegig.report import comment, html
from remarks import DESK, NOT_LINTED, REDIS, ROOT, UNPINNED, make_remarked, policy, remark
from reviews import make_dockerfiles, make_go, make_many
from scenarios import make_go as make_alone

LIMIT = 65_000  # characters of a comment


def remarked(*files: DockerfilePolicy, report: Report | None = None) -> Report:
    """A report with nothing to compare with."""
    result = report or make_alone()
    assert isinstance(result.images, ImagesReport)
    return replace(result, images=replace(result.images, dockerfiles=files))


def section(text: str) -> str:
    """The comment's, "" where it has none."""
    match = re.search(r"<details><summary>Dockerfiles.*?</details>", text, re.DOTALL)
    return match[0] if match else ""


def rows(text: str) -> list[list[str]]:
    """The cells of its table."""
    lines = [line for line in section(text).splitlines() if line.startswith("| `")]
    return [line.strip("| ").split(" | ") for line in lines]


def listed(page: str) -> list[str]:
    """The lines of the page's list, without markup."""
    match = re.search(r"<h2>(Dockerfiles[^<]*)</h2>\s*<ul[^>]*>(.*?)</ul>", page, re.DOTALL)
    items = re.findall(r"<li>(.*?)</li>", match[2] if match else "", re.DOTALL)
    return [match[1], *(re.sub("<.*?>", " ", item) for item in items)] if match else []


@pytest.mark.parametrize("files", [(), (policy(DESK), policy(REDIS))])
def test_nothing_is_said_where_there_is_nothing(files: tuple[DockerfilePolicy, ...]) -> None:
    report = remarked(*files)
    assert "Dockerfiles" not in comment.render(report)
    assert "Dockerfiles" not in html.render(report)


def test_images_that_are_missing_have_no_section() -> None:
    report = replace(make_alone(), images=NOT_LINTED)
    assert "Dockerfiles" not in comment.render(report) + html.render(report)


def test_errors_come_first_then_warnings_then_hints_each_with_its_place() -> None:
    text = comment.render(remarked(*make_remarked()))
    assert "Dockerfiles: 6 remarks in 2 files<" in text
    assert [row[:2] for row in rows(text)] == [
        [f"`{DESK}:44`", "`DL3020` error"],
        [f"`{DESK}:20`", "`DL3018` warning"],
        [f"`{DESK}:31`", "`DL3018` warning"],
        [f"`{DESK}:52`", "`non-root` warning"],
        [f"`{REDIS}:12`", "`small-base` warning"],
        [f"`{DESK}:32`", "`DL3059` info"],
    ]
    assert (
        rows(text)[3][2]
        == "it runs as root, because USER is missing; `USER 65532:65532` needs no account"
    )


@pytest.mark.parametrize("render", [comment.render, html.render])
def test_what_is_new_is_marked_and_comes_first_of_its_level(
    render: Callable[[Report], str],
) -> None:
    text = render(make_dockerfiles())
    assert "Dockerfiles: 6 remarks in 2 files, 5 of them new" in text
    assert len(re.findall(r"(?:\*\*|<b>)1 of 2 new(?:\*\*|</b>)", text)) == 2
    assert len(re.findall(r"(?:\*\*|<b>)new(?:\*\*|</b>)", text)) == 4


def test_what_was_there_before_comes_after_what_is_new() -> None:
    report = make_dockerfiles()
    assert report.review is not None
    result = report.review.comparison
    assert isinstance(result, Comparison)
    assert not isinstance(result.remarks, Missing)
    old = (
        replace(entry, before=9 * (entry.summary != f"non-root: {ROOT}"))
        for entry in result.remarks
    )
    compared = replace(result, remarks=tuple(old))
    text = comment.render(replace(report, review=replace(report.review, comparison=compared)))
    assert "6 remarks in 2 files, 1 of them new" in text
    assert [row[1] for row in rows(text)][:3] == [
        "`DL3020` error",
        "`non-root` warning, **new**",
        "`DL3018` warning",
    ]


def test_without_a_comparison_nothing_is_called_new() -> None:
    report = remarked(*make_remarked(), report=make_go())
    assert report.review is not None
    first = replace(report, review=replace(report.review, comparison=NOT_LINTED))
    assert "new" not in section(comment.render(first))


@pytest.mark.parametrize("render", [comment.render, html.render])
def test_a_file_that_was_not_linted_is_never_passed_over(render: Callable[[Report], str]) -> None:
    text = render(remarked(policy(DESK, hadolint=NOT_LINTED), policy(REDIS)))
    assert "Dockerfiles: 1 not linted<" in text
    assert f"{DESK}: not linted: hadolint is not installed" in text


@pytest.mark.security
@pytest.mark.parametrize("render", [comment.render, html.render])
@pytest.mark.parametrize("name", [".hadolint.yaml", "x</summary><img src=x>"])
def test_settings_of_the_project_are_told(render: Callable[[Report], str], name: str) -> None:
    text = render(remarked(policy(DESK, hadolint=f"2.15.1 with {name}"), policy(REDIS)))
    assert "Dockerfiles: hadolint by the project" in text
    assert "hadolint follows " in text
    assert "<img src=x>" not in text


def test_many_remarks_are_cut_and_counted_the_worst_kept() -> None:
    many = [remark("DL3018", at + 1, UNPINNED) for at in range(5_000)]
    worst = remark("DL3020", 9, ROOT, Level.ERROR)
    report = remarked(policy(DESK, *many, worst), report=make_go())
    text = comment.render(report)
    assert len(text) <= LIMIT
    assert "Dockerfiles: 5,001 remarks in 1 file" in section(text)
    assert rows(text)[0][1] == "`DL3020` error"
    assert f"_The full report has {5_001 - len(rows(text)):,} remarks more._" in text
    page = html.render(report)
    assert len(page) < 500_000
    assert listed(page)[-1] == " … and 4,901 more "


def test_remarks_leave_room_for_a_large_stack_and_its_failures() -> None:
    files = [policy(f"{at}/Dockerfile", remark("DL3018", 1, "x<" * 2_500)) for at in range(40)]
    plain = comment.render(remarked(report=make_many(150)))
    full = comment.render(remarked(*files, report=make_many(150)))
    assert len(full) <= LIMIT
    assert full.count("- ❌") == plain.count("- ❌")
    assert full.count("<details>") == full.count("</details>")
    assert "40 remarks in 40 files" in full


def test_a_stranger_s_words_stay_words() -> None:
    evil = "</li></details>|<script>`a|b`@me https://evil.example ![x](//x)\n# h"
    page = html.render(remarked(policy(evil, remark(evil, 1, evil))))
    assert "<script" not in page
    text = comment.render(remarked(policy(evil, remark(evil, 1, evil)), report=make_go()))
    result = github_markdown.read(text)
    assert github_markdown.pings(text) == []
    assert not {tag for tag, _ in result.tags} & {"script", "img", "h1"}
    assert len(rows(text)) == 1
