"""What hadolint and onegig have to say about a stack's Dockerfiles."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Missing

TOLD_LENGTH = 200
IGNORED = "ignored by a comment: "  # how the text of a remark begins that the Dockerfile ignores
WITH = " with "  # between hadolint's version and the configuration that it followed


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

    `hadolint` is the version that looked at it, and the configuration that it followed, such as
    "2.15.1 with .hadolint.yaml"; without one, only our own rules did.
    """

    path: str
    services: tuple[str, ...]
    remarks: tuple[Remark, ...]  # the worst first, then by line
    hadolint: str | Missing

    @property
    def settings(self) -> str:
        """The configuration that hadolint followed; "" without one."""
        return "" if isinstance(self.hadolint, Missing) else self.hadolint.partition(WITH)[2]

    @property
    def ignored(self) -> tuple[Remark, ...]:
        """The remarks that comments in the Dockerfile ignore."""
        return tuple(remark for remark in self.remarks if remark.text.startswith(IGNORED))

    @property
    def counted(self) -> tuple[Remark, ...]:
        """The remarks that are more than hints."""
        return tuple(remark for remark in self.remarks if remark.level.counts)
