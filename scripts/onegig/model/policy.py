"""What hadolint and onegig have to say about a stack's Dockerfiles."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Missing

TOLD_LENGTH = 200


class Level(StrEnum):
    """How bad a remark is, in hadolint's words; the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    STYLE = "style"

    @property
    def counts(self) -> bool:
        """Whether such a remark is one too many; the rest are hints."""
        return self in (Level.ERROR, Level.WARNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """One thing about a Dockerfile, and the line it is about."""

    rule: str  # "non-root", "DL3008"
    level: Level
    text: str
    path: str  # relative to where onegig ran
    line: int  # from 1

    @property
    def told(self) -> str:
        """What stays the same when other lines of the file come and go, cut to 200 characters."""
        return " ".join(f"{self.rule}: {self.text}".split())[:TOLD_LENGTH]


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerfilePolicy:
    """One Dockerfile, for the services that are built from it.

    `hadolint` is the version that looked at it; without one, only our own rules did.
    """

    path: str
    services: tuple[str, ...]
    remarks: tuple[Remark, ...]  # the worst first, then by line
    hadolint: str | Missing

    @property
    def counted(self) -> tuple[Remark, ...]:
        """The remarks that are more than hints."""
        return tuple(remark for remark in self.remarks if remark.level.counts)
