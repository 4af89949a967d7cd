"""The numbers of one commit of the default branch, small enough for one line of history.jsonl."""

from dataclasses import dataclass

from onegig.model.environment import Environment
from onegig.model.measured import Missing, Skipped
from onegig.model.verdict import State

BASELINE_SCHEMA = "onegig/baseline/1"
NO_CONTENTS = Skipped(reason="what is in the images was not kept")
NO_REMARKS = Skipped(reason="remarks about Dockerfiles were not kept")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One check of that commit, by the id and subject of `Check`."""

    id: str
    subject: str
    value: float | Missing
    limit: float | None
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceNumbers:
    """One service of that commit."""

    name: str
    memory_bytes: int | Missing  # by `Baseline.metric`
    image_bytes: int | Missing
    cost_seconds: float | None = None  # Image.build_seconds, when last built from nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What the images of just these services have in common.

    `findings` are secrets and misconfigurations. Vulnerabilities are not kept: a later database
    knows more of them, and finds in the same package of the same version the same.
    """

    services: tuple[str, ...]
    packages: tuple[str, ...]  # as `Scan.packages` has them, on one line
    findings: tuple[str, ...]  # as `Check.findings` has them


@dataclass(frozen=True, kw_only=True, slots=True)
class Remarked:
    """One Dockerfile of that commit. Lines are not kept: they move."""

    path: str
    hadolint: str | Missing  # the version that looked at it
    remarks: tuple[str, ...]  # as `Remark.told` has them; one for each time


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What later commits are compared with. Sums are in bytes."""

    schema: str = BASELINE_SCHEMA
    commit: str
    created: str  # ISO 8601, UTC
    state: State
    metric: str
    total_bytes: int | Missing
    limit_bytes: int
    spread_bytes: tuple[int, int] | Missing
    marks: tuple[Mark, ...]
    services: tuple[ServiceNumbers, ...]
    environment: Environment | Missing
    contents: tuple[Contents, ...] | Missing = NO_CONTENTS
    dockerfiles: tuple[Remarked, ...] | Missing = NO_REMARKS

    @property
    def is_complete(self) -> bool:
        """Whether it can be compared with: where something is missing, the total may be too low."""
        return self.state is not State.INCOMPLETE and isinstance(self.total_bytes, int)
