"""The one comment of a pull request: found by its marker, edited in place, never a second one.

The marker is a line that GitHub does not show, at the top of the comment. It says by which run the
comment was written, so that a run that finishes late does not overwrite a newer one. Only our own
comments count: anybody can write the marker.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from onegig.errors import ConfigError, GithubError
from onegig.publish.github.client import Client

AUTHOR = "github-actions[bot]"
KEY = "default"
MOST_COMMENTS = 10_000
GONE = (404, 410)
_MARKER = re.compile(
    r"<!-- onegig:(?P<key>[\w.-]+) run=(?P<number>\d{1,18})\.(?P<attempt>\d{1,9}) "
    r"head=(?P<head>[0-9a-f]{40}) -->",
    re.ASCII,
)
_TRIES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """Which comment this is (`key`: a repository may have several stacks), and of which run."""

    key: str = KEY
    order: tuple[int, int]  # the run's number and attempt
    head_sha: str

    def __str__(self) -> str:
        return (
            f"<!-- onegig:{self.key} run={self.order[0]}.{self.order[1]} head={self.head_sha} -->"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """Where the comment is, and what was done."""

    url: str
    action: str  # "created", "updated", "unchanged"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotPosted:
    """Why there is nothing to write, which is no error."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Own:
    """A comment of ours."""

    id: int
    body: str
    url: str
    marker: Marker
    minimized: bool


def check_key(key: str) -> str:
    """The key of a marker; ConfigError for one that would not be found again."""
    if not re.fullmatch(r"[\w.-]{1,60}", key, re.ASCII):
        raise ConfigError(
            f"{key!r} is no key of a comment", advice="letters, digits, dots and dashes, at most 60"
        )
    return key


def upsert(
    client: Client, pull: int, marker: Marker, text: str, shorter: str, *, author: str = AUTHOR
) -> Posted | NotPosted:
    """Create or edit our comment of `marker.key` on a pull request.

    `shorter` is written when GitHub finds `text` too long. Raises GithubError.
    """
    try:
        return _upsert(client, pull, marker, text, author)
    except GithubError as error:
        if _is_locked(error):
            return NotPosted(
                reason=f"the conversation of #{pull} is locked, so nothing was written"
            )
        if not _is_too_long(error):
            raise
    return _upsert(client, pull, marker, shorter, author)


def parse_marker(body: str) -> Marker | None:
    """The marker that a comment begins with."""
    match = _MARKER.fullmatch(body.split("\n", 1)[0].rstrip("\r"))
    if match is None:
        return None
    return Marker(
        key=match["key"],
        order=(int(match["number"]), int(match["attempt"])),
        head_sha=match["head"],
    )


def _upsert(
    client: Client, pull: int, marker: Marker, text: str, author: str
) -> Posted | NotPosted:
    """Look first, always: after a POST whose answer got lost, the comment may be there."""
    body = f"{marker}\n{text}"
    tries = 0
    while True:
        own = list(_find_own(client, pull, marker.key, author))
        newer = max((one.marker.order for one in own), default=marker.order)
        if newer > marker.order:
            run = f"{newer[0]}, attempt {newer[1]}"
            return NotPosted(reason=f"a newer run ({run}) has commented on #{pull} already")
        shown = [one for one in own if not one.minimized]
        if shown:
            edited = _edit(client, max(shown, key=lambda one: (one.marker.order, one.id)), body)
            if edited:
                return edited
        try:
            created = client.send("POST", f"issues/{pull}/comments", {"body": body})
            return Posted(url=str(created["html_url"]), action="created")
        except GithubError as error:
            tries += 1
            if not _may_be_done(error) or tries == _TRIES:
                raise


def _edit(client: Client, comment: _Own, body: str) -> Posted | None:
    """None when the comment has been deleted meanwhile."""
    if _same(comment.body, body):
        return Posted(url=comment.url, action="unchanged")
    try:
        client.send("PATCH", f"issues/comments/{comment.id}", {"body": body})
    except GithubError as error:
        if error.status in GONE:
            return None
        raise
    return Posted(url=comment.url, action="updated")


def _find_own(client: Client, pull: int, key: str, author: str) -> Iterator[_Own]:
    for comment in client.pages(f"issues/{pull}/comments", most=MOST_COMMENTS):
        marker = parse_marker(comment.get("body") or "")
        if marker and marker.key == key and _login(comment) == author:
            yield _Own(
                id=int(comment["id"]),
                body=comment["body"],
                url=str(comment["html_url"]),
                marker=marker,
                minimized=comment.get("minimized") is not None,
            )


def _login(comment: dict[str, Any]) -> str:
    user = comment.get("user") or {}  # null once an account is deleted
    return str(user.get("login", ""))


def _same(one: str, other: str) -> bool:
    """Equal but for what a form on a web page does to line ends."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def _may_be_done(error: GithubError) -> bool:
    return error.status == 0 or error.status >= 500


def _is_locked(error: GithubError) -> bool:
    told = (error.reason, *error.errors)
    return error.status in (403, 422) and any("locked" in text.lower() for text in told)


def _is_too_long(error: GithubError) -> bool:
    told = (error.reason, *error.errors)
    return error.status == 422 and any("too long" in text.lower() for text in told)
