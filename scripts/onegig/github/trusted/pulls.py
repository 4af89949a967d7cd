"""The open pull requests of a commit, and the branches that they are to go into.

The payload's own list of pull requests is empty for forks, and a number in the artifact would be
the pull request's own word: GitHub's list of open pull requests is searched for the head's SHA.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from onegig.errors import GithubError
from onegig.github.client import Client
from onegig.github.trusted.runs import GateRun, Repository, parse_repository

MOST_PULLS = 10_000
GONE = 404


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A branch of this repository; `tip` is its newest commit."""

    name: str
    tip: str
    is_protected: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """An open pull request; `head_repository` is None where the fork has been deleted."""

    number: int
    head_sha: str
    head_branch: str
    head_repository: Repository | None
    base: Branch
    created: str  # ISO 8601

    @property
    def base_branch(self) -> str:
        """The name of the branch it is to go into."""
        return self.base.name

    def is_from(self, run: GateRun) -> bool:
        """Return whether a run is one of this pull request's head branch."""
        home = run.head_repository
        return (
            self.head_repository is not None
            and home is not None
            and (self.head_repository.id, self.head_branch) == (home.id, run.head_branch)
        )

    def is_of(self, repository: Repository) -> bool:
        """Return whether its head is a branch of that repository, and not of a fork."""
        return self.head_repository is not None and self.head_repository.id == repository.id


def find_pulls(client: Client, head_sha: str, default_branch: str) -> tuple[Pull, ...]:
    """Return the open pull requests whose head is a commit now, whosever they are."""
    listed = list(client.pages("pulls", most=MOST_PULLS, state="open"))
    if len(listed) >= MOST_PULLS:
        raise GithubError(
            f"there are {MOST_PULLS:,} open pull requests or more",
            advice="close some: not all can be listed, and each may be one of the commit",
        )
    matching = [pull for pull in listed if pull["head"]["sha"] == head_sha]
    names = dict.fromkeys(str(pull["base"]["ref"]) for pull in matching)
    branches = {
        name: find_branch(client, name, is_default=name == default_branch) for name in names
    }
    pulls = [_pull(pull, branches[str(pull["base"]["ref"])]) for pull in matching]
    return tuple(sorted(filter(None, pulls), key=lambda pull: pull.number))


def find_branch(client: Client, name: str, *, is_default: bool) -> Branch | None:
    """Return a branch, None when there is none. The default branch counts as protected."""
    path = f"branches/{quote(name, safe='')}"
    try:
        branch = client.get(path)
    except GithubError as error:
        if error.status == GONE:
            return None
        raise
    is_protected = is_default or bool(branch["protected"]) or _has_rules(client, name)
    return Branch(name=name, tip=str(branch["commit"]["sha"]), is_protected=is_protected)


def why_stale(client: Client, pull: Pull) -> str:
    """Return why nothing should be written to the pull request any more; "" if it is the same."""
    now = client.get(f"pulls/{pull.number}")
    if now["state"] != "open":
        return f"pull request #{pull.number} has been closed"
    if now["head"]["sha"] != pull.head_sha:
        return f"pull request #{pull.number} has a newer head than {pull.head_sha[:12]}"
    return ""


def _has_rules(client: Client, name: str) -> bool:
    return any(True for _ in client.pages(f"rules/branches/{quote(name, safe='')}", most=1))


def _pull(pull: Mapping[str, Any], base: Branch | None) -> Pull | None:
    """Return a pull request of GitHub's list; None while it loses its base branch."""
    if base is None:
        return None
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
