"""What a job on GitHub measured: which commit, against which, and how it ended.

It goes into the artifact beside images.json and memory.json. The trusted half reads it as a claim:
what matters is looked up again.
"""

from dataclasses import dataclass

from onegig.model.host_access import HostAccess

RUN_SCHEMA = "onegig/run/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why there are no numbers, or not all: an OnegigError as data."""

    message: str
    command: str = ""
    advice: str = ""
    detail: str = ""  # the tail of the failing command's own output
    exit_code: int
    place: str = ""  # "services/Dockerfile:12" where it is known


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """One run. SHAs are 40 hex digits; `base_sha` is "" where there is nothing to compare with."""

    schema: str = RUN_SCHEMA
    event: str  # GitHub's name of the event: "pull_request", "push", "merge_group", ...
    head_sha: str  # of the pull request, or the commit that was pushed
    measured_sha: str  # what was checked out: for a pull request its merge into the base branch
    base_sha: str  # first parent of a merge ref; the commit before a push
    onegig_version: str
    reproduce: str  # the command that gives the same numbers locally
    failure: Failure | None = None
    host_access: tuple[HostAccess, ...] = ()  # of the stack, as its compose file asks for it
