"""Branches of a repository, by what a tag of the same name can't change."""

from urllib.parse import quote

from onegig.errors import GithubError
from onegig.publish.github.client import Client

CONTAINED = ("ahead", "identical")  # what a branch is to a commit that it contains
UNKNOWN_COMMIT = (404, 422)


def branch_tip(client: Client, name: str) -> str:
    """Return the SHA of a branch's newest commit; GithubError where there is no such branch."""
    return str(client.get(f"branches/{quote(name, safe='')}")["commit"]["sha"])


def contains(client: Client, commit: str, older: str) -> bool:
    """Return whether `older` is `commit` or one of its ancestors, both given by SHA."""
    if commit == older:
        return True
    try:
        return client.get(f"compare/{older}...{commit}", per_page=1)["status"] in CONTAINED
    except GithubError as error:
        if error.status in UNKNOWN_COMMIT:
            return False
        raise
