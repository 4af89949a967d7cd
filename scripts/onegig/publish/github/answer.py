"""What was asked of GitHub, what it answered, and the error that an answer means."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from onegig.errors import GithubError, GithubPermissionError
from onegig.load.mistakes import shorten, visible
from onegig.publish.github.permissions import advice

JSON = "application/vnd.github+json"
MOST_JSON_BYTES = 20_000_000  # a hundred comments of the longest kind are 7 MB
SUCCESS = range(200, 300)
NOT_CHANGED = 304
NOT_ALLOWED = ("not accessible by", "must have admin rights", "must have push access")
STATUS_PAGE = "https://www.githubstatus.com says whether it is GitHub; then run again"
NEXT = {
    0: f"check the network; {STATUS_PAGE}",
    401: "the token is wrong or has expired: give a new one in GITHUB_TOKEN",
    403: "the repository's or the organisation's settings forbid it; GitHub's message says which",
    404: "check the name of the repository; GitHub answers the same where the token may not read",
    409: "something else changed it at the same time: run again",
    410: "it was deleted or has expired: run the workflow again",
    422: "GitHub does not take this content: please report it as a bug of onegig",
    429: "the rate limit is used up: run again later",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request; `path` is below the API's address, and `parameters` are not part of it."""

    method: str
    path: str
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    accept: str = JSON
    etag: str = ""
    most_bytes: int = MOST_JSON_BYTES
    may_leave: bool = False  # whether a redirect may lead to another host, without the token

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice is the same as doing it once."""
        return self.method != "POST"

    @property
    def below_repository(self) -> str:
        """The path without its repository: "pulls/7"."""
        parts = urlsplit(self.path).path.strip("/").split("/")
        return "/".join(parts[2:] if parts[0] == "repositories" else parts[3:])

    def __str__(self) -> str:
        return visible(f"{self.method} {self.path}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer, read whole; names of headers are in small letters."""

    request: Request
    status: int
    headers: Mapping[str, str]
    body: bytes
    next_url: str = ""  # of the next page

    @property
    def is_expected(self) -> bool:
        """Whether it is what was asked for."""
        unchanged = self.status == NOT_CHANGED and bool(self.request.etag)
        return self.status in SUCCESS or unchanged

    @property
    def is_limited(self) -> bool:
        """Whether GitHub wants fewer requests, rather than none of this kind."""
        if self.status != 403 or self.is_forbidden:
            return self.status == 429
        spent = self.headers.get("x-ratelimit-remaining") == "0"
        said = any(words in self.reason.lower() for words in ("rate limit", "abuse detection"))
        return spent or said or "retry-after" in self.headers

    @property
    def is_forbidden(self) -> bool:
        """Whether a permission is missing."""
        return self.status == 403 and any(one in self.reason.lower() for one in NOT_ALLOWED)

    @property
    def reason(self) -> str:
        """GitHub's own message; "" where it gives none."""
        message = self._object.get("message")
        return shorten(visible(message), 500) if isinstance(message, str) else ""

    @property
    def errors(self) -> tuple[str, ...]:
        """What GitHub says about single fields: "IssueComment.data: Body is too long"."""
        errors = self._object.get("errors")
        return tuple(_errors(errors if isinstance(errors, list) else [errors] if errors else []))

    @property
    def _object(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def json(self) -> Any:
        """The body as data, None when there is none; GithubError when it is not JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = shorten(visible(self.headers.get("content-type", "no type")), 60)
            raise GithubError(
                f"the answer is not JSON but {kind}, {len(self.body):,} bytes",
                status=self.status,
                command=str(self.request),
                advice=f"is there a proxy in between? {STATUS_PAGE}",
            ) from None


def failure(answer: Answer, addition: str = "") -> GithubError:
    """The error that an answer other than a success means."""
    said = "; ".join((answer.reason or "no reason given", *answer.errors))
    message = f"GitHub answered {answer.status}: {said}{addition}"
    request = answer.request
    if answer.is_forbidden:
        accepted = answer.headers.get("x-accepted-github-permissions", "")
        kind: type[GithubError] = GithubPermissionError
        what = advice(accepted, request.method, request.below_repository)
    else:
        kind, what = GithubError, next_step(answer.status, request)
    return kind(
        message,
        status=answer.status,
        reason=answer.reason,
        errors=answer.errors,
        command=str(request),
        advice=what,
    )


def next_step(status: int, request: Request) -> str:
    """What to do about a status; 0 is no answer."""
    if (status == 0 or status >= 500) and not request.repeatable:
        return f"it may have been done all the same: look before asking again. {STATUS_PAGE}"
    if status in range(300, 400):
        return "the repository may have been renamed or moved: give its present name"
    return NEXT.get(status, STATUS_PAGE)


def _errors(errors: list[Any]) -> Iterator[str]:
    for error in errors[:10]:
        if isinstance(error, dict):
            place = ".".join(str(error[key]) for key in ("resource", "field") if error.get(key))
            what = str(error.get("message") or error.get("code") or "not accepted")
            yield shorten(visible(f"{place}: {what}" if place else what), 300)
        else:
            yield shorten(visible(str(error)), 300)
