"""The registry of a report's sections: each is a file that says how it looks in every output.

To add one, write a module with the functions of `Section` and `templates/NAME.html.j2`, and name
it in SECTIONS. The JSON form comes from the model.
"""

from collections.abc import Mapping
from typing import Protocol

from rich.console import RenderableType

from onegig.model.report import Report
from onegig.report import dockerfiles, images, memory
from onegig.report.layout import Room


class Section(Protocol):
    """One part of a report; it is empty where there is nothing to say."""

    def terminal(self, report: Report, width: int) -> list[RenderableType]:
        """Return the section for a terminal of so many columns."""

    def comment(self, report: Report, room: Room) -> str:
        """Return the section in Markdown, with as many items as there is room for."""

    def page(self, report: Report) -> Mapping[str, object]:
        """Return what the section's template shows."""


SECTIONS: Mapping[str, Section] = {
    "memory": memory,
    "images": images,
    "dockerfiles": dockerfiles,
}
