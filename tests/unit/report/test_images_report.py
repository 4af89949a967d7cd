"""The answer of `onegig inspect` as whole documents, and what must hold at any width."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from accounts import make_finding, make_scan, with_scans
from factories import SERVICES, make_images
from onegig.model.images import NOT_ACCOUNTED, NOT_SCANNED, Duplicate, ImagesReport
from onegig.model.measured import Unknown
from onegig.model.scan import Severity
from onegig.report.inspection import render_images
from reviews import with_layer
from scenarios import HOSTILE

TORCH = "RUN pip install torch==2.9.1"
MUSL = make_finding("CVE-2026-1", Severity.CRITICAL, "musl")


def bloated() -> ImagesReport:
    images = with_layer(make_images(SERVICES), "aggressor", TORCH, 118.6)
    return with_scans(images, ["crypto-desk/risk:latest"], make_scan(MUSL))


def single() -> ImagesReport:
    images = with_layer(make_images(["web"]), "web", TORCH, 118.6)
    web = replace(images.images[0], services=(), reference="registry.example/team/web:1.4")
    places = (f"{web.reference}: /app/a", f"{web.reference}: /app/b")
    twice = Duplicate(bytes=250_000, copies=2, wasted_bytes=250_000, places=places)
    small = replace(twice, bytes=99_999, wasted_bytes=99_999)
    return replace(images, images=(web,), duplicates=(twice, small))


def no_evidence() -> ImagesReport:
    report = make_images(["web", "jobs"])
    web, jobs = (
        replace(image, accounting=NOT_ACCOUNTED, scan=NOT_SCANNED) for image in report.images
    )
    web = replace(web, dive=Unknown(reason="dive did not end within 60 s"))
    return replace(report, images=(web, jobs), duplicates=())


def hostile() -> ImagesReport:
    images = make_images(HOSTILE)
    for name in HOSTILE:
        images = with_layer(images, name, name, 120.0)
    return images


REPORTS: dict[str, Callable[[], ImagesReport]] = {
    "stack": bloated,
    "slim": lambda: make_images(SERVICES),
    "single": single,
    "nothing-known": no_evidence,
}


@pytest.mark.parametrize("name", REPORTS)
def test_whole_answer(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"inspect/{name}.txt", render_images(REPORTS[name]()))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("make", [*REPORTS.values(), hostile])
def test_no_line_is_wider_than_the_terminal(make: Callable[[], ImagesReport], width: int) -> None:
    assert max(map(cell_len, render_images(make(), width).splitlines())) <= width


def test_no_image_is_no_row() -> None:
    assert render_images(replace(make_images([]), images=())).startswith("0 images (MB)\n")


def test_names_of_strangers_are_no_commands_and_no_escapes() -> None:
    text = render_images(hostile())
    assert "\x1b" not in text
    assert not re.findall(r"^\s*::", text, re.MULTILINE)


def test_a_large_stack_says_how_many_fixes_are_left_out() -> None:
    names = [f"worker-{i:03}" for i in range(30)]
    images = make_images(names)
    for at, name in enumerate(names):
        images = with_layer(images, name, f"RUN pip install torch=={at}", 50.0 + at)
    text = render_images(images)
    assert text.count("worker-") > len(names)
    assert "and 52 more" in text  # two of each, and two of the shared layers; ten are shown


def test_what_several_machines_could_not_see_is_told_with_and_without_duplicates() -> None:
    report = replace(make_images(["web", "jobs"]), duplicates_remark="2 machines \x1b[31mlooked")
    text = render_images(report)
    assert "Duplicates: 0 MB of copies\n  …  2 machines looked\n" in text
    large = Duplicate(bytes=9**6, copies=2, wasted_bytes=9**6, places=("web: /a", "jobs: /a"))
    text = render_images(replace(report, duplicates=(large,)))
    assert "web: /a, jobs: /a\n  …  2 machines looked\n" in text
