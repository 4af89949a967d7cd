"""Failing checks as workflow commands: GitHub shows each beside the line that is to blame.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from collections.abc import Iterator
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
    """One remark; `place` is None where no file is to blame."""

    level: str
    title: str
    text: str
    place: Place | None


def annotations(report: Report, places: dict[str, Place]) -> tuple[Annotation, ...]:
    """The worst ten of each level. `places` maps an image check's subject to its Dockerfile."""
    found: dict[str, list[Annotation]] = {}
    if report.failure is not None:
        remark = Annotation(
            level="error",
            title="onegig could not answer",
            text=report.failure.message,
            place=parse_place(report.failure.place),
        )
        found["error"] = [remark]
    for check in view.failing(report.verdict):
        if check.id == DOCKERFILE:
            found.setdefault(check.state.level, []).extend(_dockerfile(report, check))
            continue
        level = check.state.level
        remark = Annotation(
            level=level,
            title=f"{check.state}: {check.title}",
            text=check.message,
            place=_place(check, places),
        )
        found.setdefault(level, []).append(remark)
    return tuple(one for remarks in found.values() for one in remarks[:SHOWN])


def _dockerfile(report: Report, check: Check) -> Iterator[Annotation]:
    """The remarks that the check counts; the check itself where there are none to show."""
    files = () if isinstance(report.images, Missing) else report.images.dockerfiles
    own = [one for one in files if check.subject in (one.path, *one.services)]
    remarks = [remark for one in own for remark in one.counted]
    for remark in remarks:
        yield Annotation(
            level=check.state.level,
            title=f"{check.state}: Dockerfile, {remark.rule}",
            text=remark.text,
            place=Place(path=remark.path, line=remark.line),
        )
    if not remarks:
        yield Annotation(
            level=check.state.level,
            title=f"{check.state}: {check.title}",
            text=check.message,
            place=None,
        )


def render(remarks: tuple[Annotation, ...]) -> str:
    """The remarks as workflow commands, a line each."""
    return "".join(f"{_command(one)}\n" for one in remarks)


def parse_place(text: str) -> Place | None:
    """`budgets.yml:12` as a place; None for what names no file ("default")."""
    path, _, line = text.rpartition(":")
    if path and line.isdecimal():
        return Place(path=path, line=int(line))
    return Place(path=text) if "." in text.rpartition("/")[2] else None


def _place(check: Check, places: dict[str, Place]) -> Place | None:
    if "image" in check.id and check.subject in places:
        return places[check.subject]
    return parse_place(check.where) if check.where != "tiers.toml" else None


def _command(one: Annotation) -> str:
    return f"::{one.level} {','.join(_properties(one))}::{_data(plain(one.text))}"


def _properties(one: Annotation) -> Iterator[str]:
    if one.place is not None:
        yield f"file={_property(plain(one.place.path))}"
        if one.place.line:
            yield f"line={one.place.line}"
    yield f"title={_property(plain(one.title))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
