"""Which line is to blame: of a Dockerfile for a failed step or a large image."""

import re
from collections.abc import Iterator
from pathlib import Path

from onegig.errors import OnegigError
from onegig.images.building.plan import target_of
from onegig.images.dockerfiles.dockerfile import line_of
from onegig.model.images import Image
from onegig.model.report import Report
from onegig.model.run import Failure
from onegig.model.stack import Stack
from onegig.paths import from_here
from onegig.regular import read_text
from onegig.report.accounts import largest_fix
from onegig.report.annotations import Place, parse_place
from onegig.report.view import images_by_service

_PLACE = re.compile(r"^(?P<place>\S+:\d+)(?::|$)", re.MULTILINE)
_STEP = re.compile(r"^ *> \[(?P<target>\S+) (?:\S+ )?\d+/\d+\] (?P<step>.+?):?$", re.MULTILINE)


def describe(error: OnegigError, stack: Stack | None) -> Failure:
    """An error as data, with the line it names."""
    return Failure(
        message=error.message,
        command=error.command,
        advice=error.advice,
        detail=error.detail,
        exit_code=int(error.exit_code),
        place=next(_places(error.detail, stack), ""),
    )


def find_dockerfiles(report: Report, stack: Stack | None) -> dict[str, Place]:
    """For each service that is built here, the line to change to make its image smaller."""
    images = images_by_service(report.images)
    places = {}
    for name, path in _dockerfiles(stack).items():
        place = parse_place(_line_to_change(path, images.get(name)))
        if place:
            places[name] = place
    return places


def _line_to_change(path: Path, image: Image | None) -> str:
    """That of the fix that saves most; without one, that of the largest layer."""
    fix = largest_fix(image) if image else None
    if fix and fix.place:
        return fix.place
    layers = image.layers if image else ()
    largest = max(layers, key=lambda layer: layer.size_bytes, default=None)
    return _line(path, largest.instruction if largest else "")


def _places(detail: str, stack: Stack | None) -> Iterator[str]:
    """What an error's output names, the surest first: a place, or the step that failed."""
    files = _dockerfiles(stack)
    for named in _PLACE.finditer(detail):
        written, _, line = named["place"].rpartition(":")
        known = (path for path in files.values() if f"/{path}".endswith(f"/{written}"))
        path = next(known, None)  # builders know a Dockerfile by its last part
        yield f"{from_here(path)}:{line}" if path else named["place"]
    for step in _STEP.finditer(detail):
        for name, path in files.items():
            if target_of(name) == step["target"]:
                yield _line(path, step["step"])


def _line(path: Path, instruction: str) -> str:
    """Where an instruction stands in a Dockerfile; "" for one that cannot be read."""
    text = read_text(path)
    return "" if text is None else f"{from_here(path)}:{line_of(text, instruction)}"


def _dockerfiles(stack: Stack | None) -> dict[str, Path]:
    """The Dockerfile of each service that is built here."""
    if stack is None:
        return {}
    named = {one.name: one.dockerfile for one in stack.services if one.dockerfile}
    return {name: Path(stack.directory) / path for name, path in named.items()}
