"""Remarks of hadolint and onegig on a stack's Dockerfiles."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Missing

SUMMARY_LENGTH = 200
IGNORED = "ignored by a comment: "  # begins the text of a remark that the Dockerfile ignores
WITH = " with "  # between hadolint's version and the configuration that it followed


class Level(StrEnum):
    """The severity of a remark, by hadolint's names; the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    STYLE = "style"

    @property
    def counts(self) -> bool:
        """Tell whether such a remark counts against a limit; the rest are hints."""
        return self in (Level.ERROR, Level.WARNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """One issue in a Dockerfile, and its line."""

    rule: str  # "non-root", "DL3008"
    level: Level
    text: str
    path: str  # relative to where onegig ran
    line: int  # from 1

    @property
    def summary(self) -> str:
        """Return rule and text, which stay when other lines change, cut to 200 characters."""
        return " ".join(f"{self.rule}: {self.text}".split())[:SUMMARY_LENGTH]


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerfilePolicy:
    """One Dockerfile, for the services that are built from it.

    `hadolint` is its version and the configuration that it followed, such as "2.15.1 with
    .hadolint.yaml"; where it is missing, only our own rules checked the file.
    """

    path: str
    services: tuple[str, ...]
    remarks: tuple[Remark, ...]  # the worst first, then by line
    hadolint: str | Missing

    @property
    def settings(self) -> str:
        """Return the configuration that hadolint followed; "" without one."""
        return "" if isinstance(self.hadolint, Missing) else self.hadolint.partition(WITH)[2]

    @property
    def ignored(self) -> tuple[Remark, ...]:
        """Return the remarks that comments in the Dockerfile ignore."""
        return tuple(remark for remark in self.remarks if remark.text.startswith(IGNORED))

    @property
    def counted(self) -> tuple[Remark, ...]:
        """Return the remarks that are more than hints."""
        return tuple(remark for remark in self.remarks if remark.level.counts)
