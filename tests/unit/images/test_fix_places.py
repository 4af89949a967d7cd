"""Fixes point to the line of the Dockerfile that makes the layer they are about."""

from dataclasses import replace
from pathlib import Path

import pytest

from factories import make_images
from onegig.dockerfiles.builds import read_dockerfiles
from onegig.dockerfiles.history import Dockerfile
from onegig.images.fixes import place_fixes
from onegig.model.images import NOT_ACCOUNTED, Accounting, Fix, Image, ImagesReport
from onegig.model.stack import Stack
from stacks import plain_service

TEXT = """\
FROM alpine:3.23
# the runtime
COPY --from=python runtime /usr/local

COPY packages
"""
FILE = Dockerfile(path="services/Dockerfile", text=TEXT)


def report(*layers: int | None) -> ImagesReport:
    """One image with a fix for each of these layers."""
    images = make_images(["web"])
    (image,) = images.images
    assert isinstance(image.accounting, Accounting)
    fixes = tuple(Fix(bytes=1, text="do so", layer=layer) for layer in layers)
    return replace(
        images, images=(replace(image, accounting=replace(image.accounting, fixes=fixes)),)
    )


def places(image: Image) -> list[str]:
    assert isinstance(image.accounting, Accounting)
    return [fix.place for fix in image.accounting.fixes]


def test_each_fix_gets_the_line_of_its_layer() -> None:
    (image,) = place_fixes(report(1, 2, 0, None), {"web": FILE}).images
    assert places(image) == [
        "services/Dockerfile:3",
        "services/Dockerfile:5",
        "services/Dockerfile:1",  # it came with the base
        "",
    ]


def test_an_image_that_is_not_built_here_and_one_without_account_stay_as_they_are() -> None:
    images = report(1)
    assert place_fixes(images, {"jobs": FILE}) == images
    bare = replace(images, images=(replace(images.images[0], accounting=NOT_ACCOUNTED),))
    assert place_fixes(bare, {"web": FILE}) == bare


def test_a_place_that_is_known_stays() -> None:
    placed = place_fixes(report(1), {"web": FILE})
    assert place_fixes(placed, {"web": Dockerfile(path="other", text=TEXT)}) == placed


def test_dockerfiles_are_named_as_from_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "services" / "web").mkdir(parents=True)
    (tmp_path / "services" / "web" / "Dockerfile").write_text(TEXT)
    names = {"web": "web/Dockerfile", "jobs": "jobs/Dockerfile", "redis": None}
    services = tuple(
        plain_service(name, builds=dockerfile is not None, dockerfile=dockerfile)
        for name, dockerfile in names.items()
    )
    stack = Stack(
        name="s",
        directory=str(tmp_path / "services"),
        files=(),
        services=services,
        config_json="{}",
    )
    assert read_dockerfiles(stack) == {
        "web": Dockerfile(path="services/web/Dockerfile", text=TEXT)  # that of jobs is not there
    }
