"""Runs of the gate, as GitHub records them, and the event that started this job.

GitHub wrote the event's payload and the list of runs, so SHAs, ids and conclusions are facts. What
a run did and left behind is the pull request's doing. An event only says which commit to look at:
what is said about it is read afresh, so events may come late, twice or in any order.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from onegig.errors import ConfigError
from onegig.github.client import Client
from onegig.github.job import ARTIFACT, COMMENT_WORKFLOW, GATE_WORKFLOW, STATUS
from onegig.github.trusted.comment import AUTHOR, KEY

ENDED = ("success", "failure", "timed_out", "startup_failure")
SUCCESS, SKIPPED = "success", "skipped"
ACTION_REQUIRED = "action_required"  # a stranger's run that nobody has approved yet
COMPLETED = "completed"
PULL_REQUEST, MERGE_GROUP, PUSH = "pull_request", "merge_group", "push"
MOST_RUNS = 1000  # GitHub lists no more
_PULL = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)
_HOW = "give the number of a pull request and the 40 hex digits of its head"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Options of `onegig comment`, and facts about its own job."""

    workflow: str = GATE_WORKFLOW
    budgets: str = "budgets.yml"  # in the repository
    measuring: tuple[str, ...] = ()  # what else decides how it is measured than what the gate runs
    key: str = KEY
    status: str = STATUS
    artifact: str = ARTIFACT
    author: str = AUTHOR
    own_workflow: str = COMMENT_WORKFLOW  # the file of the workflow that runs this
    own_run: str = ""  # the id of its run


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A repository; its id stays the same when it is renamed."""

    id: int
    name: str  # "owner/repo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The repository in which this job runs."""

    repository: Repository
    default_branch: str
    page: str  # its address for people


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRun:
    """A run of the gate; `conclusion` is "" while it goes on.

    `number` counts the workflow's runs and `attempt` the re-runs of one: together they order runs.
    `head_repository` is None if the fork has been deleted since.
    """

    id: int
    number: int
    attempt: int
    created: str  # ISO 8601: when the first attempt began
    started: str  # ISO 8601: when this attempt began
    conclusion: str
    head_sha: str
    head_branch: str
    head_repository: Repository | None
    repository: Repository
    url: str

    @property
    def order(self) -> tuple[int, int]:
        """Return a key that is larger for later runs."""
        return self.number, self.attempt

    @property
    def fork(self) -> str:
        """Return the fork whose code ran ("owner/repo"); "" for a branch of this repository."""
        if self.head_repository is None or self.head_repository.id == self.repository.id:
            return ""
        return self.head_repository.name


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEvent:
    """A run of the gate was requested or has ended; `is_group`: it measures a merge group."""

    home: Home
    run: GateRun
    is_completed: bool
    is_group: bool

    @property
    def head_sha(self) -> str:
        """Return the commit that was measured for a pull request or group."""
        return self.run.head_sha

    @property
    def has_no_numbers(self) -> bool:
        """Return whether this run measured nothing new."""
        return not self.is_completed or self.run.conclusion == SKIPPED


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """A maintainer vouches for the numbers of a pull request at one commit."""

    home: Home
    pull: int
    head_sha: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """Nothing to post, which is not an error; `reason` says why."""

    reason: str


def read_trigger(event: Mapping[str, Any], workflow: str) -> RunEvent | Confirmation | Ignored:
    """Return the trigger in the payload of this job's event; ConfigError for other events."""
    if "inputs" in event:
        with _checked("workflow_dispatch"):
            return _confirmation(event, _home(event))
    return read_run(event, workflow, PULL_REQUEST, MERGE_GROUP)


def read_run(event: Mapping[str, Any], workflow: str, *triggers: str) -> RunEvent | Ignored:
    """Return the run of a `workflow_run` payload; Ignored when no trigger of these started it.

    Raises ConfigError when it is not such a payload.
    """
    with _checked("workflow_run"):
        run = event["workflow_run"]
        if why := _ignored_reason(run, workflow, triggers):
            return Ignored(reason=why)
        return RunEvent(
            home=_home(event),
            run=parse_run(run, event["repository"]),
            is_completed=event["action"] == COMPLETED,
            is_group=run["event"] == MERGE_GROUP,
        )


@contextmanager
def _checked(kind: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the event is not a valid {kind}: {type(error).__name__}: {error}",
            advice="run this command in a job of a workflow that runs `on: workflow_run`",
        ) from error


def _home(event: Mapping[str, Any]) -> Home:
    repository = event["repository"]
    return Home(
        repository=parse_repository(repository),
        default_branch=str(repository["default_branch"]),
        page=str(repository["html_url"]),
    )


def _ignored_reason(run: Mapping[str, Any], workflow: str, triggers: tuple[str, ...]) -> str:
    """Know workflows by their file: a pull request may add another of the same name."""
    path = path_of(run)
    if path != workflow:
        return f"the run belongs to {path}, not to {workflow}"
    if run["event"] not in triggers:
        trigger = triggers[0].replace("_", " ")
        return f"the run was started by {run['event']}, not by a {trigger}"
    return ""


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
        raise ConfigError(f"{head_sha!r} is not a complete commit SHA", advice=_HOW)
    return Confirmation(home=home, pull=int(pull), head_sha=head_sha)


def list_runs(
    client: Client, repository: Repository, workflow: str, head_sha: str, trigger: str
) -> tuple[GateRun, ...]:
    """Return the runs of a workflow that `trigger` started for a commit, newest first."""
    here = {"id": repository.id, "full_name": repository.name}
    listed = runs_of(client, workflow, head_sha=head_sha, event=trigger)
    runs = [parse_run(run, here) for run in listed if run["head_sha"] == head_sha]
    return tuple(sorted(runs, key=lambda run: run.order, reverse=True))


def runs_of(client: Client, workflow: str, **filters: str) -> Iterator[Mapping[str, Any]]:
    """Yield GitHub's records of the runs of a workflow, known by its file."""
    file = quote(workflow.rpartition("/")[2], safe="")
    path = f"actions/workflows/{file}/runs"
    for run in client.pages(path, key="workflow_runs", most=MOST_RUNS, **filters):
        if path_of(run) == workflow and run["event"] == filters.get("event", run["event"]):
            yield run


def path_of(run: Mapping[str, Any]) -> str:
    """Return the file of a run's workflow, without the ref that GitHub may add."""
    return str(run["path"]).partition("@")[0]


def parse_run(run: Mapping[str, Any], repository: Mapping[str, Any]) -> GateRun:
    """Return the run that GitHub describes; KeyError, TypeError or ValueError if it is not one."""
    head, sha = run["head_repository"], run["head_sha"]
    if not isinstance(sha, str) or not _SHA.fullmatch(sha):
        raise ValueError("a head_sha of 40 hex digits is missing")
    return GateRun(
        id=int(run["id"]),
        number=int(run["run_number"]),
        attempt=int(run["run_attempt"]),
        created=str(run["created_at"]),
        started=str(run["run_started_at"]),
        conclusion=str(run["conclusion"] or ""),
        head_sha=sha,
        head_branch=str(run["head_branch"]),
        head_repository=parse_repository(head) if head else None,
        repository=parse_repository(repository),
        url=str(run["html_url"]),
    )


def parse_repository(value: Mapping[str, Any]) -> Repository:
    """Return the repository that GitHub describes."""
    return Repository(id=int(value["id"]), name=str(value["full_name"]))
