"""Read what started this job: a run of the gate, or a maintainer who confirms its numbers.

An event only says which commit to look at. What is said about it comes from GitHub's own records,
read afresh, so events may come late, twice or in any order.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onegig.errors import ConfigError
from onegig.github.trusted.runs import (
    MERGE_GROUP,
    PULL_REQUEST,
    SKIPPED,
    GateRun,
    Ignored,
    Repository,
    parse_repository,
    parse_run,
    path_of,
)

COMPLETED = "completed"
_PULL = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)
_HOW = "give the number of a pull request and the 40 hex digits of its head"


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The repository in which this job runs."""

    repository: Repository
    default_branch: str
    page: str  # its address for people


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEvent:
    """A run of the gate was requested or has ended; `is_group`: it measures a merge group."""

    home: Home
    run: GateRun
    is_completed: bool
    is_group: bool

    @property
    def has_no_numbers(self) -> bool:
        """Return whether this run adds nothing to what others have measured."""
        return not self.is_completed or self.run.conclusion == SKIPPED


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """A maintainer vouches for the numbers of a pull request at one commit."""

    home: Home
    pull: int
    head_sha: str


def read_trigger(event: Mapping[str, Any], workflow: str) -> RunEvent | Confirmation | Ignored:
    """Return what the payload of this job's event is about; ConfigError for other events."""
    try:
        home = _home(event["repository"])
        if "inputs" in event:
            return _confirmation(event, home)
        run = event["workflow_run"]
        path = path_of(run)
        if path != workflow:
            return Ignored(reason=f"the run is one of {path}, not of {workflow}")
        if run["event"] not in (PULL_REQUEST, MERGE_GROUP):
            return Ignored(reason=f"the run was started by {run['event']}, not by a pull request")
        return RunEvent(
            home=home,
            run=parse_run(run, event["repository"]),
            is_completed=event["action"] == COMPLETED,
            is_group=run["event"] == MERGE_GROUP,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the event is no workflow_run: {type(error).__name__}: {error}",
            advice="run this command in a workflow that is started `on: workflow_run`, or by hand",
        ) from error


def _home(repository: Mapping[str, Any]) -> Home:
    return Home(
        repository=parse_repository(repository),
        default_branch=str(repository["default_branch"]),
        page=str(repository["html_url"]),
    )


def _confirmation(event: Mapping[str, Any], home: Home) -> Confirmation:
    if event["ref"] != f"refs/heads/{home.default_branch}":
        raise ConfigError(
            f"numbers are confirmed from {home.default_branch}, not from {event['ref']}",
            advice="run the workflow from that branch",
        )
    inputs = event["inputs"] or {}
    pull, head_sha = (str(inputs.get(name) or "") for name in ("pull", "head"))
    if not _PULL.fullmatch(pull):
        raise ConfigError(f"{pull!r} is not the number of a pull request", advice=_HOW)
    if not _SHA.fullmatch(head_sha):
        raise ConfigError(f"{head_sha!r} is not a whole commit SHA", advice=_HOW)
    return Confirmation(home=home, pull=int(pull), head_sha=head_sha)
