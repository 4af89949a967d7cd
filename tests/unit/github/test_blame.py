"""The line of a Dockerfile that an annotation of an image points to."""

from dataclasses import replace
from pathlib import Path

import pytest

from factories import make_images, make_memory, make_report, make_service
from onegig.dockerfiles.builds import read_dockerfiles
from onegig.github.gate import find_dockerfiles
from onegig.images.fixes import place_fixes
from onegig.model.images import Accounting, ImagesReport
from onegig.model.report import Report
from onegig.model.stack import Stack
from onegig.report.annotations import Place
from reviews import with_layer
from stacks import plain_service

TORCH = "RUN pip install torch==2.9.1"
TEXT = f"FROM alpine:3.23\nCOPY runtime /usr/local\nCOPY packages\nCOPY web /app\n{TORCH}\n"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """One service that is built here."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text(TEXT)
    web = plain_service("web", builds=True, dockerfile="Dockerfile")
    return Stack(name="s", directory=str(tmp_path), files=(), services=(web,), config_json="{}")


def report(images: ImagesReport) -> Report:
    return make_report(make_memory([make_service("web", 10.0)]), images)


def of_line(line: int) -> dict[str, Place]:
    return {"web": Place(path="Dockerfile", line=line)}


def test_the_fix_that_saves_most_goes_before_the_largest_layer(stack: Stack) -> None:
    """5.9 MB of headers and caches above a runtime of 14.6 MB."""
    images = with_layer(make_images(["web"]), "web", TORCH, 13.0)
    (image,) = images.images
    assert isinstance(image.accounting, Accounting)
    bare = tuple(replace(fix, place="") for fix in image.accounting.fixes)
    images = replace(
        images, images=(replace(image, accounting=replace(image.accounting, fixes=bare)),)
    )
    assert find_dockerfiles(report(images), stack) == of_line(2)
    placed = place_fixes(images, read_dockerfiles(stack))
    assert find_dockerfiles(report(placed), stack) == of_line(5)


def test_without_a_fix_worth_it_the_largest_layer_is_to_blame(stack: Stack) -> None:
    images = place_fixes(with_layer(make_images(["web"]), "web", TORCH, 0.1), {})
    (image,) = images.images
    assert isinstance(image.accounting, Accounting)
    none = replace(image, accounting=replace(image.accounting, fixes=()))
    assert find_dockerfiles(report(replace(images, images=(none,))), stack) == of_line(2)
