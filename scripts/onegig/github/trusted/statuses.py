"""The commit status that a branch can require.

A job or a check run of the same name can't stand in for it: where both are there GitHub wants both
to pass. Only who may write statuses can set it, which no job of a fork may.
"""

from dataclasses import dataclass

from onegig.errors import GithubPermissionError
from onegig.github.client import Client
from onegig.github.trusted.opinions import Standing
from onegig.text import plain

NAME = "onegig"
MOST_STATUSES = 1000  # GitHub takes no more for a commit and context
MOST_DESCRIPTION = 140
MOST_BRANCH = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """Hold what a commit's status says, and where there is more about it."""

    state: Standing
    description: str
    url: str


def describe(subject: str, base: str, text: str) -> str:
    """Return a description that names what was judged, and by whose limits."""
    return plain(f"{subject} into {plain(base, MOST_BRANCH)}: {text}", MOST_DESCRIPTION)


def set_status(client: Client, sha: str, status: Status, *, name: str, author: str) -> bool:
    """Set the status unless the newest of that name says the same; return whether it was set."""
    if newest(client, sha, name) == (author, status.state, status.description):
        return False
    link = {"target_url": status.url} if status.url else {}
    client.send(
        "POST",
        f"statuses/{sha}",
        {"state": status.state, "context": name, "description": status.description, **link},
    )
    return True


def newest(client: Client, sha: str, name: str) -> tuple[str, str, str] | None:
    """Return whose status it is and what it says; GitHub lists the newest first.

    A token that may not read them may not set one either, which is the error worth raising.
    """
    try:
        for one in client.pages(f"commits/{sha}/statuses", most=MOST_STATUSES):
            if one["context"] == name:
                login = (one["creator"] or {}).get("login", "")
                return str(login), str(one["state"]), str(one["description"] or "")
    except GithubPermissionError:
        return None
    return None
