"""The run that has ended, from the payload of `workflow_run`: whether it is a gate's, and whose.

GitHub wrote the payload, so its SHAs, ids and conclusion are facts. What the run did and left
behind is the pull request's doing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onegig.errors import ConfigError

WORKFLOW = ".github/workflows/gate.yml"
ENDED = ("success", "failure", "timed_out", "startup_failure")
SUCCESS = "success"
PULL_REQUEST, PUSH = "pull_request", "push"
_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRun:
    """A finished run of the gate for a pull request.

    `number` counts the workflow's runs and `attempt` the re-runs of one: together they order runs.
    `head_repository` is None where the fork has been deleted since.
    """

    id: int
    number: int
    attempt: int
    started: str  # ISO 8601: when this attempt began
    conclusion: str
    head_sha: str
    head_branch: str
    head_repository: "Repository | None"
    repository: "Repository"
    url: str

    @property
    def order(self) -> tuple[int, int]:
        """Later runs have larger ones."""
        return self.number, self.attempt

    @property
    def fork(self) -> str:
        """The fork whose code ran ("owner/repo"), "" for a branch of this repository."""
        if self.head_repository is None or self.head_repository.id == self.repository.id:
            return ""
        return self.head_repository.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A repository; its id stays the same when it is renamed."""

    id: int
    name: str  # "owner/repo"

    @property
    def owner(self) -> str:
        """The first part of its name."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """Nothing to post, which is no error; `reason` says why."""

    reason: str


def read_run(
    event: Mapping[str, Any], workflow: str = WORKFLOW, *, trigger: str = PULL_REQUEST
) -> GateRun | Ignored:
    """The run of a `workflow_run` payload, Ignored when it is not one that `trigger` started.

    Workflows are known by their file: a pull request may add another of the same name. ConfigError
    when it is no such payload.
    """
    try:
        run = event["workflow_run"]
        why = _why_ignored(str(event["action"]), run, workflow, trigger)
        return Ignored(reason=why) if why else _run(run, event["repository"])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the event is no finished workflow_run: {type(error).__name__}: {error}",
            advice="run this command in a workflow that is started `on: workflow_run`",
        ) from error


def _why_ignored(action: str, run: Mapping[str, Any], workflow: str, trigger: str) -> str:
    path = str(run["path"]).partition("@")[0]
    if path != workflow:
        return f"the run is one of {path}, not of {workflow}"
    if run["event"] != trigger:
        return f"the run was started by {run['event']}, not by a {trigger.replace('_', ' ')}"
    if action != "completed" or run["conclusion"] not in ENDED:
        return f"the run ended as {run['conclusion'] or action}, so there is nothing to say"
    return ""


def _run(run: Mapping[str, Any], repository: Mapping[str, Any]) -> GateRun:
    head = run["head_repository"]
    return GateRun(
        id=int(run["id"]),
        number=int(run["run_number"]),
        attempt=int(run["run_attempt"]),
        started=str(run["run_started_at"]),
        conclusion=str(run["conclusion"]),
        head_sha=_sha(run["head_sha"]),
        head_branch=str(run["head_branch"]),
        head_repository=_repository(head) if head else None,
        repository=_repository(repository),
        url=str(run["html_url"]),
    )


def _repository(value: Mapping[str, Any]) -> Repository:
    return Repository(id=int(value["id"]), name=str(value["full_name"]))


def _sha(value: Any) -> str:
    if not isinstance(value, str) or not _SHA.fullmatch(value):
        raise ValueError("a head_sha of 40 hex digits is missing")
    return value
