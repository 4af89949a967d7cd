"""The open pull requests of a commit, the branches they go into, and who confirmed their numbers.

The payload's own list of pull requests is empty for forks, and a number in the artifact would be
the pull request's own word: GitHub's list of open pull requests is searched for the head's SHA.

A maintainer confirms numbers by starting the trusted workflow by hand, which takes write access.
GitHub records who it was, on which branch and, in the run's title, for which pull request at which
commit: nothing else is needed to find it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from onegig.errors import ConfigError, GithubError
from onegig.github.client import Client
from onegig.github.trees import branch_tip, contains
from onegig.github.trusted.runs import (
    Confirmation,
    GateRun,
    Home,
    Repository,
    parse_repository,
    path_of,
    runs_of,
)

MOST_PULLS = 10_000
DISPATCH = "workflow_dispatch"
_STANDING = (None, "success")  # of the run: it goes on, or has confirmed what was asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A branch of this repository; `tip` is its newest commit."""

    name: str
    tip: str
    is_protected: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """An open pull request; `head_repository` is None if the fork has been deleted."""

    number: int
    head_sha: str
    head_branch: str
    head_repository: Repository | None
    base: Branch
    created: str  # ISO 8601

    def is_from(self, run: GateRun) -> bool:
        """Return whether a run is one of this pull request's head branch."""
        home, own = run.head_repository, self.head_repository
        if own is None or home is None:
            return False
        return (own.id, self.head_branch) == (home.id, run.head_branch)

    def is_of(self, repository: Repository) -> bool:
        """Return whether its head is a branch of that repository, and not of a fork."""
        return self.head_repository is not None and self.head_repository.id == repository.id


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """The person who confirmed a pull request, and the time (ISO 8601)."""

    by: str
    at: str


def find_pulls(client: Client, head_sha: str, default_branch: str) -> tuple[Pull, ...]:
    """Return the open pull requests whose head is a commit now, whoever's they are."""
    listed = list(client.pages("pulls", most=MOST_PULLS, state="open"))
    if len(listed) >= MOST_PULLS:
        raise GithubError(
            f"there are {MOST_PULLS:,} open pull requests or more",
            advice="close some, so that onegig can list all of them",
        )
    matching = [pull for pull in listed if pull["head"]["sha"] == head_sha]
    names = dict.fromkeys(str(pull["base"]["ref"]) for pull in matching)
    branches = {
        name: find_branch(client, name, is_default=name == default_branch) for name in names
    }
    pulls = (  # one has no branch while it loses it
        _pull(pull, base) for pull in matching if (base := branches[str(pull["base"]["ref"])])
    )
    return tuple(sorted(pulls, key=lambda pull: pull.number))


def _pull(pull: Mapping[str, Any], base: Branch) -> Pull:
    head: Mapping[str, Any] = pull["head"]
    repository = head["repo"]  # null once the fork is deleted
    return Pull(
        number=int(pull["number"]),
        head_sha=str(head["sha"]),
        head_branch=str(head["ref"]),
        head_repository=parse_repository(repository) if repository else None,
        base=base,
        created=str(pull["created_at"]),
    )


def find_branch(client: Client, name: str, *, is_default: bool) -> Branch | None:
    """Return a branch, None when there is none. The default branch counts as protected."""
    quoted = quote(name, safe="")
    branch = client.find(f"branches/{quoted}")
    if branch is None:
        return None
    is_protected = is_default or bool(branch["protected"])
    rules = client.pages(f"rules/branches/{quoted}", most=1)
    is_protected = is_protected or any(True for _ in rules)
    return Branch(name=name, tip=str(branch["commit"]["sha"]), is_protected=is_protected)


def stale_reason(client: Client, pull: Pull) -> str:
    """Return why nothing should be written to the pull request any more, or ""."""
    now = client.get(f"pulls/{pull.number}")
    if now["state"] != "open":
        return f"pull request #{pull.number} has been closed"
    if now["head"]["sha"] != pull.head_sha:
        return f"pull request #{pull.number} has a newer head than {pull.head_sha[:12]}"
    return ""


def title(pull: int, head_sha: str) -> str:
    """Return the title of a run that confirms: `run-name` of the workflow."""
    return f"confirm #{pull} at {head_sha}"


def command(workflow: str, pull: Pull) -> str:
    """Return the command with which a maintainer confirms a pull request's numbers."""
    file = workflow.rpartition("/")[2]
    return f"gh workflow run {file} -f pull={pull.number} -f head={pull.head_sha}"


def page(workflow: str, home: Home) -> str:
    """Return the page on which a maintainer can start the workflow."""
    return f"{home.page}/actions/workflows/{quote(workflow.rpartition('/')[2], safe='')}"


def find_confirmers(
    client: Client, home: Home, workflow: str, pulls: Sequence[Pull], own_run: str
) -> Mapping[int, Confirmed]:
    """Return the newest confirmation of each pull request at its present head, by number.

    `own_run` is the id of the run that this job is part of, which the list may not have yet.
    """
    titles = {title(pull.number, pull.head_sha): pull.number for pull in pulls}
    since = min(pull.created for pull in pulls)
    branch = home.default_branch
    runs = [*runs_of(client, workflow, event=DISPATCH, branch=branch, created=f">={since}")]
    if own_run:
        runs.append(client.get(f"actions/runs/{own_run}"))
    matching = [
        run for run in runs if run["display_title"] in titles and _is_valid(run, home, workflow)
    ]
    if not matching:
        return {}
    tip = branch_tip(client, branch)
    valid = [run for run in matching if contains(client, tip, run["head_sha"])]  # no tag's
    return {
        titles[run["display_title"]]: Confirmed(
            by=str(run["actor"]["login"]), at=str(run["created_at"])
        )
        for run in sorted(valid, key=lambda run: str(run["created_at"]))
    }


def check_confirmation(client: Client, confirmation: Confirmation) -> None:
    """Raise ConfigError unless the pull request is open and has just that head."""
    number, head_sha = confirmation.pull, confirmation.head_sha
    pull = client.find(f"pulls/{number}")
    if pull is None:
        raise ConfigError(
            f"there is no pull request #{number}",
            advice="give the number of an open one",
        )
    if pull["state"] != "open":
        raise ConfigError(
            f"pull request #{number} is not open", advice="there is nothing to confirm"
        )
    if pull["head"]["sha"] != head_sha:
        raise ConfigError(
            f"the head of #{number} is {pull['head']['sha']} now, not {head_sha}",
            advice="read the changes and confirm that commit",
        )


def _is_valid(run: Mapping[str, Any], home: Home, workflow: str) -> bool:
    """Return whether a person started the default branch's own workflow in this repository."""
    head = run["head_repository"] or {}
    return (
        run["event"] == DISPATCH
        and path_of(run) == workflow
        and run["head_branch"] == home.default_branch
        and run["conclusion"] in _STANDING
        and run["repository"]["id"] == head.get("id") == home.repository.id
        # a job's own token may start workflows, too, if it has `actions: write`
        and (run.get("actor") or {}).get("type") == "User"
    )
