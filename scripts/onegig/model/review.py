"""A run seen from its pull request: what it is compared with, what it changes, who measured it."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.host_access import HostAccess
from onegig.model.measured import Missing, Skipped
from onegig.model.verdict import State

NOT_COMPARED = Skipped(reason="remarks about Dockerfiles were not compared")


class Change(StrEnum):
    """How something differs from the baseline."""

    NEW = "new"
    REMOVED = "removed"
    CHANGED = "changed"  # by more than the noise floor
    SAME = "same"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """One check beside its value in the baseline."""

    id: str
    subject: str
    change: Change
    before: float | Missing  # Skipped: not in the baseline
    inherited: bool = False  # it fails now, and failed in the baseline no less


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceDelta:
    """One service beside the baseline; memory by the headline's metric, all in bytes."""

    name: str
    change: Change
    memory_before: int | Missing
    memory_now: int | Missing
    image_before: int | Missing
    image_now: int | Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class RemarkDelta:
    """What is remarked of one Dockerfile, and how often the baseline had it."""

    path: str
    told: str  # as `Remark.told` has it
    before: int | Missing  # Skipped: not looked at by the same rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A report beside a baseline. `behind` counts the commits from it to the one compared with."""

    commit: str  # the baseline's
    created: str
    behind: int
    state: State  # the baseline's verdict
    total_bytes: int | Missing
    deltas: tuple[Delta, ...]
    services: tuple[ServiceDelta, ...]  # changed ones first
    differences: tuple[str, ...] = ()  # what else differs: engine, kernel, cgroup version, bases
    remarks: tuple[RemarkDelta, ...] | Missing = NOT_COMPARED  # each once, as often as it is made


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitChange:
    """One line of budgets.yml that the pull request changes; texts as a person writes them."""

    key: str  # "memory.limit", "services.redis.memory", "waivers"
    old: str  # "1,024 MB", "none"
    new: str
    looser: bool  # whether it lets more pass


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """All that a comment says besides the report itself."""

    head_sha: str
    base_sha: str  # the commit compared with
    base_branch: str
    branch_behind: int | Missing  # commits of the base branch that the pull request lacks
    comparison: Comparison | Missing  # Skipped with the reason: "no baseline yet: ..."
    limit_changes: tuple[LimitChange, ...] = ()
    proposed: str = ""  # the verdict's sentence by the pull request's own budgets.yml
    self_reported: str = ""  # "owner/repo" of a fork whose job measured, else ""
    measuring_changes: tuple[str, ...] = ()  # files of the pull request that decide how is measured
    host_access: tuple[HostAccess, ...] = ()  # what the base's allow_host_access does not list
    unverified: str = ""  # why what it was measured on top of is not known, else ""
    run_url: str = ""
    confirmed_by: str = ""  # the login of a maintainer who vouches for the numbers, else ""
    confirm_command: str = ""  # what a maintainer types to do so; "" where nobody has to
    confirm_url: str = ""  # where it is done by hand
