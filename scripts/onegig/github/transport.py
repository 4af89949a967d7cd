"""Requests to GitHub and their answers: who gets the token, how much is read, what errors mean."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import ConnectTimeout, ProxyError, ReadTimeout, SSLError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from onegig import __version__
from onegig.config.document import shorten
from onegig.errors import ConfigError, GithubError, GithubPermissionError
from onegig.github.job import advice
from onegig.text import plain

JSON = "application/vnd.github+json"
RAW = "application/vnd.github.raw+json"
MOST_JSON_BYTES = 20_000_000  # a hundred comments of the longest kind are 7 MB
SUCCESS = range(200, 300)
NOT_CHANGED = 304
NOT_ALLOWED = ("not accessible by", "must have admin rights", "must have push access")
STATUS_PAGE = "check https://www.githubstatus.com and run again"
NEXT = {
    0: f"check the network; {STATUS_PAGE}",
    401: "the token is wrong or has expired: give a new one in GITHUB_TOKEN",
    403: "the settings of the repository or organisation forbid it; see GitHub's message",
    404: "check the repository's name, and that the token may read it",
    409: "it was changed at the same time; run again",
    410: "it was deleted or has expired; run the workflow again",
    422: "GitHub rejects this content; please report it as a bug in onegig",
    429: "the rate limit is used up; run again later",
}
CONNECT_SECONDS, READ_SECONDS = 10, 60
CHUNK_BYTES = 65_536
MOST_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_REASONS: dict[type[requests.RequestException], str] = {
    ConnectTimeout: f"no connection within {CONNECT_SECONDS} s",
    ReadTimeout: f"no answer within {READ_SECONDS} s",
    SSLError: "the certificate was not accepted",
    ProxyError: "the proxy does not answer",
}
HEADERS = {"X-GitHub-Api-Version": "2022-11-28", "User-Agent": f"onegig/{__version__}"}

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]


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
        """Return whether doing it twice is the same as doing it once."""
        return self.method != "POST"

    @property
    def below_repository(self) -> str:
        """Return the path without its repository: "pulls/7"."""
        parts = urlsplit(self.path).path.strip("/").split("/")
        return "/".join(parts[2:] if parts[0] == "repositories" else parts[3:])

    def __str__(self) -> str:
        return plain(f"{self.method} {self.path}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer, read whole; names of headers are in lower case."""

    request: Request
    status: int
    headers: Mapping[str, str]
    body: bytes
    next_url: str = ""  # of the next page

    @property
    def is_limited(self) -> bool:
        """Return whether GitHub wants fewer requests, rather than none of this kind."""
        if self.status != 403 or self.is_forbidden:
            return self.status == 429
        is_spent = self.headers.get("x-ratelimit-remaining") == "0"
        is_named = any(text in self.reason.lower() for text in ("rate limit", "abuse detection"))
        return is_spent or is_named or "retry-after" in self.headers

    @property
    def is_forbidden(self) -> bool:
        """Return whether a permission is missing."""
        return self.status == 403 and any(text in self.reason.lower() for text in NOT_ALLOWED)

    @property
    def reason(self) -> str:
        """Return GitHub's own message, or "" if it gives none."""
        message = self._object.get("message")
        return shorten(plain(message), 500) if isinstance(message, str) else ""

    @property
    def errors(self) -> tuple[str, ...]:
        """Return GitHub's messages about single fields: "IssueComment.data: Body is too long"."""
        errors = self._object.get("errors") or []
        return tuple(map(_describe, errors[:10] if isinstance(errors, list) else [errors]))

    @property
    def _object(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def json(self) -> Any:
        """Return the body as data, None for an empty one. Raises GithubError if it is not JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = shorten(plain(self.headers.get("content-type", "no type")), 60)
            raise GithubError(
                f"the answer is not JSON but {kind}, {len(self.body):,} bytes",
                status=self.status,
                command=str(self.request),
                advice=f"check whether a proxy is in between. {STATUS_PAGE}",
            ) from None


class NoAnswerError(Exception):
    """The connection failed; `sent` is false when the request certainly never arrived."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason, self.sent = reason, sent


def failure(request: Request, answer: Answer | NoAnswerError, addition: str = "") -> GithubError:
    """Return the error that anything but a success means."""
    if isinstance(answer, NoAnswerError):
        return GithubError(
            f"GitHub did not answer: {answer.reason}{addition}",
            command=str(request),
            advice=next_step(0, request) if answer.sent else NEXT[0],
        )
    reasons = "; ".join((answer.reason or "no reason given", *answer.errors))
    accepted = answer.headers.get("x-accepted-github-permissions", "")
    kind = GithubPermissionError if answer.is_forbidden else GithubError
    return kind(
        f"GitHub answered {answer.status}: {reasons}{addition}",
        status=answer.status,
        reason=answer.reason,
        errors=answer.errors,
        command=str(request),
        advice=advice(accepted, request.method, request.below_repository)
        if answer.is_forbidden
        else next_step(answer.status, request),
    )


def next_step(status: int, request: Request) -> str:
    """Return the advice for an HTTP status; 0 means that there was no answer."""
    if (status == 0 or status >= 500) and not request.repeatable:
        return f"GitHub may have done it anyway; check before you try again. {STATUS_PAGE}"
    if status in range(300, 400):
        return "the repository may have been renamed or moved; use its current name"
    return NEXT.get(status, STATUS_PAGE)


def _describe(error: Any) -> str:
    if isinstance(error, dict):
        place = ".".join(str(error[key]) for key in ("resource", "field") if error.get(key))
        reason = str(error.get("message") or error.get("code") or "not accepted")
        error = f"{place}: {reason}" if place else reason
    return shorten(plain(str(error)), 300)


class Transport:
    """Sends requests to one API and gives the token to no other host."""

    def __init__(self, api_url: str, token: str, session: requests.Session) -> None:
        self._base = _checked_url(api_url)
        self._token = _checked_token(token)
        self._session = session

    def __repr__(self) -> str:
        return f"Transport({self._base!r})"

    def ask(self, request: Request) -> Answer:
        """Send a request once, following redirects.

        Raises NoAnswerError, and GithubError for answers that are too large or lead elsewhere.
        """
        url, parameters, auth = self._base + request.path, dict(request.parameters), self._sign
        for _ in range(MOST_REDIRECTS + 1):
            try:
                response = self._send(request, url, parameters, auth)
                with response:
                    if response.status_code not in REDIRECTS or request.method != "GET":
                        return self._answer(request, response)
                    url, parameters = self._target(request, response), {}
            except requests.RequestException as error:
                raise NoAnswerError(_reason(error), sent=_may_be_sent(error)) from None
            if not self._is_home(url):
                auth = _leave_unsigned
        raise _astray(request, "it redirects forever")

    def path_of(self, request: Request, url: str) -> str:
        """Return the path and query of a link in an answer; never of one to another host."""
        full = _joined(self._base + request.path, url)
        if not full.startswith(f"{self._base}/"):
            raise _astray(request, "it links to an address outside the API")
        return full.removeprefix(self._base)

    def _send(
        self, request: Request, url: str, parameters: dict[str, str | int], auth: Auth
    ) -> requests.Response:
        condition = {"If-None-Match": request.etag} if request.etag else {}
        headers = {**HEADERS, "Accept": request.accept, **condition}
        return self._session.request(
            request.method,
            url,
            params=parameters,
            json=request.body,
            headers=headers,
            auth=auth,  # always given, or requests would look for one in ~/.netrc
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
        )

    def _sign(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            prepared.headers["Authorization"] = f"Bearer {self._token}"
        return prepared

    def _answer(self, request: Request, response: requests.Response) -> Answer:
        body = _read(request, response)
        if not response.ok and self._token:
            body = body.replace(self._token.encode(), b"***")  # errors quote it
        return Answer(
            request=request,
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            next_url=response.links.get("next", {}).get("url", ""),
        )

    def _target(self, request: Request, response: requests.Response) -> str:
        url = _joined(response.url, response.headers.get("location", ""))
        if self._is_home(url):
            return url
        if not request.may_leave or urlsplit(url).scheme != urlsplit(self._base).scheme:
            raise _astray(request, "it redirects to another host")
        return url

    def _is_home(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self._base)[:2]


def _read(request: Request, response: requests.Response) -> bytes:
    parts: list[bytes] = []
    length, most = 0, request.most_bytes if response.ok else MOST_JSON_BYTES
    for part in response.iter_content(CHUNK_BYTES):
        length += len(part)
        if length > most:
            raise GithubError(
                f"the answer is larger than {most:,} bytes",
                status=response.status_code,
                command=str(request),
                advice="onegig never reads files of this size; check that it is the right one",
            )
        parts.append(part)
    return b"".join(parts)


def _checked_url(api_url: str) -> str:
    try:
        parts = urlsplit(api_url)
    except ValueError:
        parts = urlsplit("")
    is_loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
    is_safe = parts.scheme == "https" or is_loopback
    if not is_safe or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            "the address of GitHub's API should start with https:// and have no user or query",
            advice="set GITHUB_API_URL, for example to https://api.github.com",
        )
    return api_url.rstrip("/")


def _checked_token(token: str) -> str:
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            "the token has characters that are not valid in a token",
            advice="set GITHUB_TOKEN to the token alone, without quotes, spaces or line breaks",
        )
    return token


def _joined(base: str, url: str) -> str:
    """Return the absolute address; "" for an invalid one."""
    try:
        full = urljoin(base, url)
        return full if urlsplit(full).port != 0 else ""
    except ValueError:
        return ""


def _leave_unsigned(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared


def _astray(request: Request, what: str) -> GithubError:
    return GithubError(
        f"the answer is not followed: {what}",
        command=str(request),
        advice=f"check that GITHUB_API_URL is the API of your GitHub. {STATUS_PAGE}",
    )


def _reason(error: requests.RequestException) -> str:
    """Return a reason of our own: those of requests hold addresses, which may hold signatures."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return "the connection was lost" if _may_be_sent(error) else "no connection"


def _may_be_sent(error: requests.RequestException) -> bool:
    if isinstance(error, (ConnectTimeout, SSLError)):
        return False
    cause = error.args[0] if error.args else None
    cause = cause.reason if isinstance(cause, MaxRetryError) else cause
    return not isinstance(cause, NewConnectionError)
