"""A job of a workflow: its environment, the event's payload, and the permissions it lacks.

Beside them the names that workflows, jobs and commands share.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegig.errors import ConfigError

BRANCH = "refs/heads/"
API_URL = "https://api.github.com"
SERVER_URL = "https://github.com"
STATUS = "onegig"  # the commit status that the verdict sets
ARTIFACT = "onegig-numbers"  # what the gate hands to the comment's workflow
DATA_BRANCH = "onegig-data"
GATE_WORKFLOW = ".github/workflows/gate.yml"
COMMENT_WORKFLOW = ".github/workflows/comment.yml"
GRANTABLE = (  # what `permissions:` of a workflow may name and this program could need
    *("actions", "attestations", "checks", "contents", "deployments", "discussions", "id-token"),
    *("issues", "models", "packages", "pages", "pull-requests", "security-events", "statuses"),
)
_ALWAYS = "metadata"  # every token may read it
_READ = ("GET", "HEAD")
_NEEDS = (  # by path below the repository, for answers that do not name it
    (r"actions/permissions\b", "administration"),
    (r"branches/[^/]+/protection\b", "administration"),
    (r"issues(/\d+|/comments/.*|/\d+/comments)?$", "pull-requests"),
    (r"pulls\b", "pull-requests"),
    (r"commits/[^/]+/(check-runs|check-suites)$", "checks"),
    (r"(check-runs|check-suites)\b", "checks"),
    (r"commits/[^/]+/status(es)?$", "statuses"),
    (r"statuses/", "statuses"),
    (r"actions/", "actions"),
    (r"", "contents"),
)
READ_ONLY = (
    "for a fork's or Dependabot's pull request the token is always read-only; let "
    "comment.yml write, which runs on workflow_run"
)


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
        """Return the address of the run's page; "" outside a run."""
        if not self.run_id:
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"

    @property
    def base_branch(self) -> str:
        """Return the branch that the commit goes to, or went to."""
        if self.event_name == "pull_request":
            return str(self.event["pull_request"]["base"]["ref"])
        if self.event_name == "merge_group":
            return str(self.event["merge_group"]["base_ref"]).removeprefix(BRANCH)
        return str(self.event.get("repository", {}).get("default_branch", ""))


def read_job(environment: Mapping[str, str]) -> Job:
    """Return the job of an environment. Raises ConfigError outside GitHub Actions."""
    name, path = environment.get("GITHUB_EVENT_NAME"), environment.get("GITHUB_EVENT_PATH")
    repository = environment.get("GITHUB_REPOSITORY")
    if not name or not path or not repository:
        raise ConfigError(
            "this is not a job of GitHub Actions: GITHUB_EVENT_NAME, GITHUB_EVENT_PATH or "
            "GITHUB_REPOSITORY is not set",
            advice="leave --github out",
        )
    summary, output = environment.get("GITHUB_STEP_SUMMARY"), environment.get("GITHUB_OUTPUT")
    reference = environment.get("GITHUB_WORKFLOW_REF", "")  # "owner/name/PATH@refs/heads/main"
    return Job(
        event_name=name,
        event=_read_event(Path(path)),
        repository=repository,
        api_url=environment.get("GITHUB_API_URL") or API_URL,
        server_url=environment.get("GITHUB_SERVER_URL") or SERVER_URL,
        run_id=environment.get("GITHUB_RUN_ID", ""),
        workflow=reference.partition("@")[0].removeprefix(f"{repository}/"),
        token=environment.get("GITHUB_TOKEN", ""),
        summary=Path(summary) if summary else None,
        output=Path(output) if output else None,
    )


def _read_event(path: Path) -> Mapping[str, Any]:
    try:
        event = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the event's payload {path} cannot be read: {error}",
            advice="GITHUB_EVENT_PATH should be the file that GitHub wrote for this job",
        ) from error
    if not isinstance(event, dict):
        raise ConfigError(f"the event's payload {path} is not a JSON object", advice="see above")
    return event


def missing_permissions(accepted: str, method: str, path: str) -> dict[str, str]:
    """Return the permissions a request lacks, such as {"pull-requests": "write"}.

    `accepted` is the header x-accepted-github-permissions, like "issues=write; pull_requests=write"
    (either) or "contents=write,workflows=write" (both); where it is empty, `method` and `path` (as
    in `Client`) tell.
    """
    choices = list(filter(None, map(_parse, accepted.split(";"))))
    if not choices:
        need = next(name for pattern, name in _NEEDS if re.match(pattern, path))
        return {need: "read" if method in _READ else "write"}
    return next((choice for choice in choices if "pull-requests" in choice), choices[0])


def advice(accepted: str, method: str, path: str) -> str:
    """Return the exact changes that would allow the request."""
    needed = missing_permissions(accepted, method, path)
    grantable = {name: level for name, level in needed.items() if name in GRANTABLE}
    others = [f"{name}: {level}" for name, level in needed.items() if name not in GRANTABLE]
    steps = []
    if grantable:
        lines = "".join(f"\n      {name}: {level}" for name, level in grantable.items())
        steps.append(f"add to the job in the workflow file:\n\n    permissions:{lines}\n")
    if others:
        steps.append(
            f"no `permissions:` grant GITHUB_TOKEN {' and '.join(others)}; use the token "
            "of a person or an app with this permission"
        )
    if "write" in grantable.values():
        steps.append(f"({READ_ONLY})")
    return "\n".join(steps)


def _parse(choice: str) -> dict[str, str]:
    pairs = re.findall(r"([a-z_]+)\s*=\s*(read|write|admin)\b", choice)
    return {name.replace("_", "-"): level for name, level in pairs if name != _ALWAYS}
