"""The registry of a report's sections: each is a file that says how it looks in every output.

To add one, write a module with the functions of `Section`, and NAME.md.j2 and NAME.html.j2 in
templates/, and name it in SECTIONS. The JSON form comes from the model.
"""

from collections.abc import Mapping
from typing import Protocol

from rich.console import RenderableType

from onegig.model.report import Report
from onegig.report import dockerfiles, images, memory, plan, redis


class Section(Protocol):
    """One part of a report; nothing is shown if there is nothing to say."""

    def terminal(self, report: Report, width: int) -> list[RenderableType]:
        """Return the section for a terminal of so many columns."""

    def values(self, report: Report) -> Mapping[str, object]:
        """Return what the section's templates show."""


SECTIONS: Mapping[str, Section] = {
    "plan": plan,
    "memory": memory,
    "redis": redis,
    "images": images,
    "dockerfiles": dockerfiles,
}
