"""Every way onegig can fail to answer, each with its exit code and its advice.

NO-GO is a result, not an error. An error means the question could not be asked (bad configuration,
a build that broke) or not be answered (something could not be measured).
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes; the documented table is checked against them."""

    OK = 0
    NO_GO = 1
    CONFIG = 2
    BUILD = 3
    INCOMPLETE = 4
    BUG = 70
    INTERRUPTED = 130


class OnegigError(Exception):
    """An error: what happened, the command that failed (if one did) and what to do next.

    `detail` holds output worth showing whole, such as the tail of a build log.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INCOMPLETE

    def __init__(
        self, message: str, *, command: str = "", advice: str = "", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.command = command
        self.advice = advice
        self.detail = detail
        if detail:
            self.add_note(detail)  # for tracebacks, which show nothing else of it


class ConfigError(OnegigError):
    """budgets.yml, the compose file or the command line is wrong."""

    exit_code = ExitCode.CONFIG


class EngineError(OnegigError):
    """No usable Docker Engine, or it stopped answering."""

    exit_code = ExitCode.BUILD


class BuildError(OnegigError):
    """An image could not be built."""

    exit_code = ExitCode.BUILD


class BootError(OnegigError):
    """The box or the stack could not be started at all."""

    exit_code = ExitCode.BUILD


class InspectError(OnegigError):
    """An image could not be read."""


class AccountError(OnegigError):
    """The bytes of an image do not add up: a bug of ours, never a number that is shown."""

    exit_code = ExitCode.BUG


class MeasureError(OnegigError):
    """The stack ran but could not be measured."""


class HistoryError(OnegigError):
    """The history of earlier runs cannot be read; it is never written over."""


class ArtifactError(OnegigError):
    """An artifact of a run that cannot be trusted to mean anything; nothing of it is used."""


class PublishError(OnegigError):
    """The data branch could not be read or written, or is not ours."""


class GithubError(OnegigError):
    """GitHub did not do what was asked.

    `status` is that of HTTP, 0 when no answer came at all. `reason` is GitHub's own message and
    `errors` what it says about single fields, both without control characters. A POST that ends
    with status 0 or 500 and above may have been carried out anyway.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        errors: tuple[str, ...] = (),
        command: str = "",
        advice: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message, command=command, advice=advice, detail=detail)
        self.status = status
        self.reason = reason
        self.errors = errors


class GithubPermissionError(GithubError):
    """The token lacks a permission; the advice is the YAML that grants it."""

    exit_code = ExitCode.CONFIG
