"""Which pull request a run belongs to: by head repository and head SHA, never by what it claims.

The payload's own list of pull requests is empty for forks, and a number in the artifact would be
the pull request's own word.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onegig.publish.github.branches import branch_tip, contains
from onegig.publish.github.client import Client
from onegig.publish.trusted.runs import GateRun

MOST_PULLS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """An open pull request."""

    number: int
    head_sha: str
    base_branch: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stale:
    """Nobody waits for this run any more."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ambiguous:
    """Whose run it is cannot be told; `reason` says why."""

    reason: str


def find_pulls(client: Client, run: GateRun) -> tuple[Pull, ...] | Stale | Ambiguous:
    """The open pull requests whose head is this run's: one, or several into different branches."""
    home = run.head_repository
    if home is None:
        reason = "the repository it came from has been deleted, so its pull request can't be found"
        return Ambiguous(reason=reason)
    listed = client.pages(
        "pulls", most=MOST_PULLS, state="open", head=f"{home.owner}:{run.head_branch}"
    )
    found = tuple(_matching(listed, run.head_sha, home.id))
    return found or Stale(reason=f"no open pull request has {run.head_sha[:12]} as its head now")


def choose(client: Client, pulls: Sequence[Pull], base_sha: str) -> Pull | Ambiguous:
    """The one pull request whose base branch contains the commit it was measured on top of."""
    if len(pulls) == 1:
        return pulls[0]
    into = [pull for pull in pulls if base_sha and _goes_into(client, pull, base_sha)]
    if len(into) == 1:
        return into[0]
    numbers = " and ".join(f"#{pull.number}" for pull in pulls)
    return Ambiguous(
        reason=f"{numbers} have the same head, and which of them was measured can't be told"
    )


def why_stale(client: Client, pull: Pull) -> str:
    """Why nothing should be written to the pull request any more; "" when its head is the same."""
    now = client.get(f"pulls/{pull.number}")
    if now["state"] != "open":
        return f"pull request #{pull.number} has been closed"
    if now["head"]["sha"] != pull.head_sha:
        return f"pull request #{pull.number} has a newer head than {pull.head_sha[:12]}"
    return ""


def _matching(listed: Iterator[Any], head_sha: str, home_id: int) -> Iterator[Pull]:
    for pull in listed:
        head: Mapping[str, Any] = pull["head"]
        repository = head["repo"] or {}  # null once the fork is deleted
        if head["sha"] == head_sha and repository.get("id") == home_id:
            yield Pull(
                number=pull["number"],
                head_sha=head_sha,
                base_branch=pull["base"]["ref"],
                url=pull["html_url"],
            )


def _goes_into(client: Client, pull: Pull, base_sha: str) -> bool:
    return contains(client, branch_tip(client, pull.base_branch), base_sha)
