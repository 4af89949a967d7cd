"""The one comment of a pull request: found by its marker, edited in place, never a second one.

The marker is a line that GitHub does not show, at the top of the comment. It only finds the comment
again: what is written, and whether it is the newest, is decided by GitHub's list of runs. Only our
own comments count, and of several the oldest, as other workflows write with the same login.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onegig.errors import ConfigError, GithubError
from onegig.github.client import GONE, Client

AUTHOR = "github-actions[bot]"
KEY = "default"
MOST_COMMENTS = 10_000
# Earlier versions wrote the run and the head, too.
_MARKER = re.compile(r"<!-- onegig:(?P<key>[\w.-]+)( run=[\d.]+ head=[0-9a-f]+)? -->", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A comment that was written: its address, and what was done."""

    url: str
    action: str  # "created", "updated", "unchanged"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotPosted:
    """The reason why there is nothing to write, which is not an error."""

    reason: str


def check_key(key: str) -> str:
    """Return the key of a marker; ConfigError for one that would not be found again."""
    if not re.fullmatch(r"[\w.-]{1,60}", key, re.ASCII):
        raise ConfigError(
            f"{key!r} is not a valid key of a comment",
            advice="use letters, digits, dots and dashes, at most 60",
        )
    return key


def upsert(
    client: Client, pull: int, key: str, text: str, shorter: str, *, author: str = AUTHOR
) -> Posted | NotPosted:
    """Create or edit our comment of a key on a pull request: a repository may have several stacks.

    `shorter` is written when GitHub finds `text` too long. Raises GithubError.
    """
    try:
        return _upsert(client, pull, key, text, author)
    except GithubError as error:
        reasons = " ".join((error.reason, *error.errors)).lower()
        if error.status in (403, 422) and "locked" in reasons:
            reason = f"the conversation of #{pull} is locked, so nothing was written"
            return NotPosted(reason=reason)
        if error.status != 422 or "too long" not in reasons:
            raise
    return _upsert(client, pull, key, shorter, author)


def marker(key: str) -> str:
    """Return the first line of a comment."""
    return f"<!-- onegig:{key} -->"


def _upsert(client: Client, pull: int, key: str, text: str, author: str) -> Posted:
    """Look first, always: after a POST whose answer got lost, the comment may be there."""
    body = f"{marker(key)}\n{text}"
    for is_last in (False, True):
        own = min(
            _find_own(client, pull, key, author), key=lambda item: int(item["id"]), default={}
        )
        edited = _edit(client, own, body) if own else None
        if edited:
            return edited
        try:
            created = client.send("POST", f"issues/{pull}/comments", {"body": body})
            return Posted(url=str(created["html_url"]), action="created")
        except GithubError as error:
            may_be_done = error.status == 0 or error.status >= 500
            if is_last or not may_be_done:
                raise
    raise AssertionError("the last attempt returns or raises")


def _edit(client: Client, comment: Mapping[str, Any], body: str) -> Posted | None:
    """Edit a comment, unless it says the same; None when it has been deleted meanwhile."""
    url, old = str(comment["html_url"]), str(comment["body"])
    if _normal(old) == _normal(body):
        return Posted(url=url, action="unchanged")
    try:
        client.send("PATCH", f"issues/comments/{comment['id']}", {"body": body})
    except GithubError as error:
        if error.status in GONE:
            return None
        raise
    return Posted(url=url, action="updated")


def _find_own(client: Client, pull: int, key: str, author: str) -> Iterator[Mapping[str, Any]]:
    """Yield onegig's comments with a key, without those that somebody has hidden."""
    for comment in client.pages(f"issues/{pull}/comments", most=MOST_COMMENTS):
        first = (comment.get("body") or "").split("\n", 1)[0].rstrip("\r")
        match = _MARKER.fullmatch(first)
        login = (comment.get("user") or {}).get("login", "")  # null once an account is deleted
        is_hidden = comment.get("minimized") is not None
        if match and match["key"] == key and login == author and not is_hidden:
            yield comment


def _normal(text: str) -> str:
    """Return a text with normal line ends, which web forms change."""
    return text.replace("\r\n", "\n").strip()
