"""What GitHub tells a job of a workflow: its environment and the event's payload."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegig.errors import ConfigError

BRANCH = "refs/heads/"
API_URL = "https://api.github.com"
SERVER_URL = "https://github.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One job. `event` is the webhook's payload; the token is never printed."""

    event_name: str
    event: Mapping[str, Any]
    repository: str
    api_url: str = API_URL
    server_url: str = SERVER_URL
    run_id: str = ""
    workflow: str = ""  # the file of the workflow that it belongs to
    token: str = ""
    summary: Path | None = None  # what is appended here shows on the run's page
    output: Path | None = None  # name=value lines for later steps

    def __repr__(self) -> str:
        return f"Job({self.event_name} of {self.repository})"

    @property
    def run_url(self) -> str:
        """The run's page; "" outside a run."""
        if not self.run_id:
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"

    @property
    def base_branch(self) -> str:
        """The branch that the commit is to go to, or went to."""
        if self.event_name == "pull_request":
            return str(self.event["pull_request"]["base"]["ref"])
        if self.event_name == "merge_group":
            return str(self.event["merge_group"]["base_ref"]).removeprefix(BRANCH)
        return str(self.event.get("repository", {}).get("default_branch", ""))


def read_job(environment: Mapping[str, str]) -> Job:
    """The job whose environment this is; ConfigError outside GitHub Actions."""
    name, path = environment.get("GITHUB_EVENT_NAME"), environment.get("GITHUB_EVENT_PATH")
    repository = environment.get("GITHUB_REPOSITORY")
    if not name or not path or not repository:
        raise ConfigError(
            "this is no job of GitHub Actions: GITHUB_EVENT_NAME, GITHUB_EVENT_PATH or "
            "GITHUB_REPOSITORY is not set",
            advice="leave --github out",
        )
    return Job(
        event_name=name,
        event=_read_event(Path(path)),
        repository=repository,
        api_url=environment.get("GITHUB_API_URL") or API_URL,
        server_url=environment.get("GITHUB_SERVER_URL") or SERVER_URL,
        run_id=environment.get("GITHUB_RUN_ID", ""),
        workflow=_workflow(environment.get("GITHUB_WORKFLOW_REF", ""), repository),
        token=environment.get("GITHUB_TOKEN", ""),
        summary=_path(environment.get("GITHUB_STEP_SUMMARY")),
        output=_path(environment.get("GITHUB_OUTPUT")),
    )


def _read_event(path: Path) -> Mapping[str, Any]:
    try:
        event = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the event's payload {path} cannot be read: {error}",
            advice="GITHUB_EVENT_PATH names the file that GitHub wrote for this job",
        ) from error
    if not isinstance(event, dict):
        raise ConfigError(f"the event's payload {path} is no JSON object", advice="see above")
    return event


def _workflow(ref: str, repository: str) -> str:
    """Return the path in "owner/name/.github/workflows/x.yml@refs/heads/main"."""
    return ref.partition("@")[0].removeprefix(f"{repository}/")


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
