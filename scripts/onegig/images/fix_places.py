"""Fixes with the line of the Dockerfile that each would change. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from onegig.dockerfiles.dockerfile import line_of
from onegig.model.images import Accounting, Fix, Image, ImagesReport
from onegig.model.measured import Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Dockerfile:
    """A Dockerfile as it was when its image was built; `path` is what reports call it."""

    path: str
    text: str


def place_fixes(report: ImagesReport, files: Mapping[str, Dockerfile]) -> ImagesReport:
    """The report with a place for each fix of an image that is built here; `files` by service.

    A fix of a layer that came with the base image gets the line that names the base.
    """
    return replace(report, images=tuple(_placed(image, files) for image in report.images))


def _placed(image: Image, files: Mapping[str, Dockerfile]) -> Image:
    account = image.accounting
    file = next((files[name] for name in image.services if name in files), None)
    if file is None or isinstance(account, Missing):
        return image
    return replace(image, accounting=_with_places(account, image, file))


def _with_places(account: Accounting, image: Image, file: Dockerfile) -> Accounting:
    return replace(account, fixes=tuple(_with_place(fix, image, file) for fix in account.fixes))


def _with_place(fix: Fix, image: Image, file: Dockerfile) -> Fix:
    if fix.layer is None or fix.place:
        return fix
    line = line_of(file.text, image.layers[fix.layer].instruction)
    return replace(fix, place=f"{file.path}:{line}")
