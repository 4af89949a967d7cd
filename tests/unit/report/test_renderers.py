"""Every renderer over every kind of report: whole documents, and what must hold for all."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree as ET

import pytest
from rich.cells import cell_len

from factories import (
    MIB,
    make_check,
    make_images,
    make_memory,
    make_report,
    make_service,
    with_failures,
)
from onegig.model.codec import from_json
from onegig.model.images import ImagesReport
from onegig.model.report import Report
from onegig.model.state import State
from onegig.report import RENDERERS, comment, terminal
from onegig.report.numbers import TIMES
from scenarios import REPORTS, make_go, make_hostile, make_many

SUFFIXES = {"terminal": "txt", "markdown": "md", "html": "html"}
COMMENT_LIMIT = 65_000  # characters: GitHub takes 65,536, a marker comes on top
SHOWN_ELSEWHERE = {  # too long to be read as a change, like another page, among the comments
    *(("html", scenario) for scenario in ("150-services", "one-service", "too-large", "warn")),
    *(("markdown", name) for name in ("150-services", "dockerfiles", "go", "no-go", "warn")),
    ("terminal", "too-large"),
}
DOCUMENTS = sorted({(name, report) for name in SUFFIXES for report in REPORTS} - SHOWN_ELSEWHERE)
Make = Callable[[], Report]


@cache
def render(name: str, make: Make) -> str:
    """A document, rendered once for all tests that look at it."""
    return RENDERERS[name](make())


SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
STYLE = re.compile(r"(?<=<style>).*?(?=</style>)", re.DOTALL)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def normalised(name: str, document: str) -> str:
    """A page without its style sheet and the paths of its plots, which have tests of their own."""
    if name != "html":
        return document
    return STYLE.sub("", SVG.sub(_svg, document))


def _svg(match: re.Match[str]) -> str:
    root = ET.fromstring(match[0])
    title, description = root[0].text, root[1].text
    return f"<svg class={root.get('class')!r}>{title}: {description}</svg>"


@pytest.mark.parametrize(("name", "scenario"), DOCUMENTS)
def test_whole_document(name: str, scenario: str, golden: Callable[[str, str], None]) -> None:
    result = normalised(name, render(name, REPORTS[scenario]))
    golden(f"report/{scenario}.{SUFFIXES[name]}", result)


@pytest.mark.parametrize("name", RENDERERS)
def test_same_report_same_document(name: str) -> None:
    assert RENDERERS[name](make_go()) == render(name, make_go)


@pytest.mark.parametrize("name", RENDERERS)
def test_document_is_clean_text(name: str, scenario: str) -> None:
    document = render(name, REPORTS[scenario])
    assert document.endswith("\n")
    assert not document.endswith("\n\n")
    assert not [line for line in document.splitlines() if line != line.rstrip()]
    assert "None" not in document


def test_json_reads_back_equal(report: Report) -> None:
    text = RENDERERS["json"](report)
    assert json.loads(text)["verdict"]["state"] == report.verdict.state.value
    assert from_json(Report, text, "report.json") == report


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("make", [*REPORTS.values(), make_hostile])
def test_no_line_is_wider_than_the_terminal(make: Make, width: int) -> None:
    text = terminal.render(make(), width=width)
    assert max(map(cell_len, text.splitlines())) <= width


def test_color_only_adds_color(report: Report) -> None:
    colored = terminal.render(report, color=True)
    assert "\x1b[" in colored
    plain = [line.rstrip() for line in ANSI.sub("", colored).splitlines()]
    assert plain == terminal.render(report).splitlines()


def test_long_service_name_keeps_its_figures() -> None:
    memory = make_memory([make_service("a-service-with-a-very-long-name-indeed-" * 3, 123.4)])
    text = terminal.render(replace(make_go(), memory=memory))
    line = next(line for line in text.splitlines() if "a-service-with" in line)
    assert "…" in line
    assert "123.4" in line
    assert "healthy" in line


@pytest.mark.parametrize(
    ("width", "sizes", "figures"),
    [
        (60, {"limit_bytes": 300 * MIB}, ["123.4", "123.4", "0.0", "300.0*"]),
        (
            80,
            {"limit_bytes": 3000 * MIB, "containers": 3, "shmem_bytes": 1000 * MIB},
            ["123.4", "123.4", "1,000.0", f"3{TIMES}", "3,000.0*"],
        ),
    ],
)
def test_a_narrow_terminal_cuts_texts_not_figures(
    width: int, sizes: dict[str, object], figures: list[str]
) -> None:
    """A figure without its end is another figure."""
    memory = make_memory([make_service("a-primary-database", 123.4, **sizes)])
    text = terminal.render(replace(make_go(), memory=memory), width=width)
    line = next(line for line in text.splitlines() if "  a-p" in line and "…" in line)
    assert line.split()[1 : 1 + len(figures)] == figures
    assert line.endswith("healthy")


def test_large_stack_shows_failures_and_counts_the_rest() -> None:
    text = terminal.render(make_many())
    assert all(f"✗ worker-{i:03}" in text for i in range(0, 150, 10))
    assert "and 110 smaller services within their limits" in text


@pytest.mark.parametrize("count", [150, 1000, 3000])
def test_comment_fits_and_says_what_it_leaves_out(count: int) -> None:
    text = comment.render(make_many(count))
    assert len(text) <= COMMENT_LIMIT
    assert "worker-010" in text
    assert ("left out" in text) == (count > 150)
    assert text.count("<details>") == text.count("</details>")


def test_comment_of_endless_names_fits() -> None:
    names = [f"{i}{'`*@a|<' * 2000}" for i in range(30)]
    failures = [
        make_check("service.memory", name, title=name, message=name, where=name, state=State.NO_GO)
        for name in names
    ]
    memory = make_memory([make_service(name, 9.0, log_tail=name * 3) for name in names])
    report = make_report(memory, make_images(names))
    report = with_failures(report, failures, f"NO-GO: {names[0]}")
    assert len(comment.render(report)) <= COMMENT_LIMIT


def test_comment_of_endless_parts_keeps_its_verdict() -> None:
    report = make_go()
    memory = make_memory([make_service("web", 9.0)])
    parts = tuple(replace(memory.engine[0], name=f"part-{i}") for i in range(5000))
    text = comment.render(replace(report, memory=replace(memory, engine=parts)))
    assert len(text) <= COMMENT_LIMIT
    assert "GO: 460 of 1,024 MB" in text
    assert "too long for a comment" in text
    assert report.reproduce in text


def test_page_needs_nothing_else(scenario: str) -> None:
    page = render("html", REPORTS[scenario])
    assert not re.findall(r"<(?:script|link rel=\"stylesheet|img|iframe)", page)
    assert not re.findall(r"""(?:src|href)=["'](?!data:,|#)[^"']""", page)
    assert not re.findall(r"url\((?!#)", page)


def test_page_stays_small(scenario: str) -> None:
    assert len(render("html", REPORTS[scenario]).encode()) < 500_000


def test_plots_take_all_colors_and_ids_from_the_page(scenario: str) -> None:
    page = render("html", REPORTS[scenario])
    for plot in SVG.findall(page):
        assert not re.findall(r"#[0-9a-f]{6}", plot)
        assert "font-family" not in plot
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_plots_are_named_for_those_who_cannot_see_them() -> None:
    plots = [ET.fromstring(plot) for plot in SVG.findall(render("html", make_go))]
    # two waterfalls, memory over time, images, their bytes by cause; each for desk and phone
    assert len(plots) == 10
    for plot in plots:
        named = {child.get("id"): child.text for child in plot[:2]}
        assert plot.get("role") == "img"
        assert set((plot.get("aria-labelledby") or "").split()) == set(named)
        assert all(named.values())


def test_hostile_words_stay_words_in_the_page() -> None:
    page = render("html", make_hostile)
    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    root = ET.fromstring(SVG.findall(page)[-1])
    assert root.tag.endswith("svg")


def test_html_tells_what_several_machines_could_not_see() -> None:
    report = make_go()
    assert isinstance(report.images, ImagesReport)
    images = replace(report.images, duplicates_remark="2 machines <looked>")
    for changed in (images, replace(images, duplicates=())):
        text = RENDERERS["html"](replace(report, images=changed))
        assert '<p class="note">2 machines &lt;looked&gt;</p>' in text
