"""Everything of one run: the report, its comparison with a baseline, and the job that measured it.

A run's own account (`RunReport`) lies in the artifact beside images.json and memory.json. It is
read as a claim: what matters is looked up again.
"""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.plan import NO_PLAN, Plan
from onegig.model.stack import HostAccess
from onegig.model.state import State
from onegig.model.verdict import Verdict

NOT_COMPARED = Skipped(reason="remarks about Dockerfiles were not compared")


class Change(StrEnum):
    """A difference from the baseline."""

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
    """A remark about one Dockerfile, and how often the baseline had it."""

    path: str
    summary: str  # as `Remark.summary` has it
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
    """Everything that a comment says besides the report itself."""

    head_sha: str
    base_sha: str  # the commit compared with
    base_branch: str
    branch_behind: int | Missing  # commits of the base branch that the pull request lacks
    comparison: Comparison | Missing  # Skipped with the reason: "no baseline yet: ..."
    limit_changes: tuple[LimitChange, ...] = ()
    proposed: str = ""  # the verdict's sentence by the pull request's own budgets.yml
    self_reported: str = ""  # "owner/repo" of a fork whose job measured, else ""
    measuring_changes: tuple[
        str, ...
    ] = ()  # files of the pull request that decide how it is measured
    host_access: tuple[HostAccess, ...] = ()  # what the base's allow_host_access does not list
    unverified: str = ""  # why what it was measured on top of is not known, else ""
    run_url: str = ""
    confirmed_by: str = ""  # the login of a maintainer who vouches for the numbers, else ""
    confirm_command: str = ""  # what a maintainer types to do so, or "" if nobody has to
    confirm_url: str = ""  # where it is done by hand


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The reason why there are no numbers, or not all: an OnegigError as data."""

    message: str
    command: str = ""
    advice: str = ""
    detail: str = ""  # the tail of the failing command's own output
    exit_code: int
    place: str = ""  # "services/Dockerfile:12" if it is known


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """One run. SHAs are 40 hex digits; `base_sha` is "" if there is nothing to compare with."""

    schema: str = "onegig/run/1"
    event: str  # GitHub's name of the event: "pull_request", "push", "merge_group", ...
    head_sha: str  # of the pull request, or the commit that was pushed
    measured_sha: str  # what was checked out: for a pull request its merge into the base branch
    base_sha: str  # first parent of a merge ref; the commit before a push
    onegig_version: str
    reproduce: str  # the command that gives the same numbers locally
    failure: Failure | None = None
    host_access: tuple[HostAccess, ...] = ()  # of the stack, as its compose file asks for it


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything of one run: what the renderers take, and report.json."""

    schema: str = "onegig/report/1"
    stack: str
    created: str  # ISO 8601, UTC
    commit: str  # "" outside a git checkout
    verdict: Verdict
    images: ImagesReport | Missing
    memory: MemoryReport | Missing
    reproduce: str  # the command that gives this result locally
    failure: Failure | None = None  # why images or memory are missing, if a step failed
    review: Review | None = None  # only if there is something to compare with
    plan: Plan | Missing = NO_PLAN
