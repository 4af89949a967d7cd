"""Failing checks as workflow commands: GitHub shows each at the line that causes it.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.model.verdict import Check
from onegig.report import view
from onegig.text import plain

DOCKERFILE = "image.dockerfile"  # each of its remarks has a line of its own
SHOWN = 10  # of each level: what GitHub shows of one step


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A line of a file, relative to the repository; line 0 for the file as a whole."""

    path: str
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A remark; `place` is None if no file causes it."""

    level: str
    title: str
    text: str
    place: Place | None


def annotations(report: Report, places: Mapping[str, Place]) -> tuple[Annotation, ...]:
    """Return the ten worst of each level. `places` maps a subject to its image's Dockerfile."""
    by_level: dict[str, list[Annotation]] = {}
    for annotation in _all(report, places):
        by_level.setdefault(annotation.level, []).append(annotation)
    return tuple(annotation for level in by_level.values() for annotation in level[:SHOWN])


def _all(report: Report, places: Mapping[str, Place]) -> Iterator[Annotation]:
    failure, title = report.failure, "onegig could not answer"
    if failure is not None:
        place = parse_place(failure.place)
        yield Annotation(level="error", title=title, text=failure.message, place=place)
    for check in view.failing(report.verdict):
        remarks = list(_remarks(report, check)) if check.id == DOCKERFILE else []
        place = None if check.id == DOCKERFILE else _place(check, places)
        title = f"{check.state}: {check.title}"
        whole = Annotation(level=check.state.level, title=title, text=check.message, place=place)
        yield from remarks or [whole]


def _remarks(report: Report, check: Check) -> Iterator[Annotation]:
    files = () if isinstance(report.images, Missing) else report.images.dockerfiles
    for file in files:
        for remark in file.counted if check.subject in (file.path, *file.services) else ():
            yield Annotation(
                level=check.state.level,
                title=f"{check.state}: Dockerfile, {remark.rule}",
                text=remark.text,
                place=Place(path=remark.path, line=remark.line),
            )


def render(remarks: tuple[Annotation, ...]) -> str:
    """Return the remarks as workflow commands, a line each."""
    return "".join(f"{_command(remark)}\n" for remark in remarks)


def parse_place(text: str) -> Place | None:
    """Return `budgets.yml:12` as a place; None for what names no file ("default")."""
    path, _, line = text.rpartition(":")
    if path and line.isdecimal():
        return Place(path=path, line=int(line))
    return Place(path=text) if "." in text.rpartition("/")[2] else None


def _place(check: Check, places: Mapping[str, Place]) -> Place | None:
    if "image" in check.id and check.subject in places:
        return places[check.subject]
    return parse_place(check.where) if check.where != "tiers.toml" else None


def _command(remark: Annotation) -> str:
    place = remark.place
    properties = [f"file={_property(place.path)}"] if place else []
    if place and place.line:
        properties.append(f"line={place.line}")
    properties.append(f"title={_property(remark.title)}")
    return f"::{remark.level} {','.join(properties)}::{_data(remark.text)}"


def _data(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
