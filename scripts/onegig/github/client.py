"""A client of GitHub's REST API for one repository: patient, bounded and discreet.

Reads and repeatable writes are tried again; a POST that may have arrived is not, because a comment
could appear twice: the sender looks first. No error, log or repr holds the token.

Answers are cached, as each request counts against what a job may ask in an hour. What is named by a
whole SHA, or by an artifact's id, never changes; everything else is cached during one look only, in
which the same question has the same answer. After that GitHub only says that it has not changed.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import requests

from onegig.errors import ConfigError, GithubError
from onegig.github.transport import (
    JSON,
    NOT_CHANGED,
    RAW,
    STATUS_PAGE,
    SUCCESS,
    Answer,
    NoAnswerError,
    Request,
    Transport,
    failure,
    next_step,
)
from onegig.text import plain

REPOSITORY = r"(?!\.+/)[\w.-]+/(?!\.+$)[\w.-]+"
PER_PAGE = 100
WRITE_SPACING_SECONDS = 1.0
MOST_ATTEMPTS = 6
MOST_SECONDS = 900.0  # all waits of one client together: a job should not wait longer
FIRST_SECONDS = 1.0
SECONDARY_SECONDS = 60.0
SKEW_SECONDS = 1.0  # two clocks, and a reset given in whole seconds
MOST_BYTES = 64_000_000  # cached
MOST_REVALIDATED_BYTES = 1_000_000
ABSENT = 404
GONE = (ABSENT, 410)
_SHA = "[0-9a-f]{40}"
_LASTING = re.compile(
    rf"git/(trees|blobs)/{_SHA}|commits/{_SHA}|compare/{_SHA}\.\.\.{_SHA}"
    r"|actions/artifacts/[0-9]+/zip",
    re.ASCII,
)


class Clock(Protocol):
    """Time and waiting, both in seconds: tests count minutes instead of waiting for them."""

    def now(self) -> float:
        """Return the seconds since the epoch, in which GitHub gives the end of a rate limit."""

    def sleep(self, seconds: float) -> None:
        """Return that much later."""


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)


class AnswerCache:
    """The answers of one client; when they grow too large together, the oldest go first."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._seen: set[str] | None = None  # during this look
        self._bytes = 0

    @contextmanager
    def look(self) -> Iterator[None]:
        """Keep every answer as it was when it was first read."""
        self._seen = set()
        try:
            yield
        finally:
            self._seen = None

    def find(self, request: Request) -> Answer | None:
        """Return the answer to a request that need not be asked again."""
        name = _name(request)
        known = self._answers.get(name)
        is_seen = name in (self._seen or ())
        is_known = known and (is_seen or (known.status != ABSENT and is_lasting(request)))
        return known if is_known else None

    def find_old(self, request: Request) -> Answer | None:
        """Return an answer that may still be right, if GitHub can tell."""
        old = self._answers.get(_name(request)) if request.accept == JSON else None
        is_small = old and old.status != ABSENT and len(old.body) <= MOST_REVALIDATED_BYTES
        return old if old and is_small and "etag" in old.headers else None

    def keep(self, request: Request, answer: Answer) -> None:
        """Cache an answer that may be cached."""
        is_absent = self._seen is not None and answer.status == ABSENT
        if request.method != "GET" or not (answer.status in SUCCESS or is_absent):
            return
        name = _name(request)
        old = self._answers.pop(name, None)
        self._bytes += len(answer.body) - (len(old.body) if old else 0)
        self._answers[name] = answer
        if self._seen is not None:
            self._seen.add(name)
        while self._answers and self._bytes > MOST_BYTES:
            self._bytes -= len(self._answers.pop(next(iter(self._answers))).body)


def is_lasting(request: Request) -> bool:
    """Return whether an answer never changes once there is one."""
    path = request.below_repository
    parameters = {**request.parameters, **dict(parse_qsl(urlsplit(request.path).query))}
    by_parameter = "ref" if path.startswith("contents/") else "sha" if path == "commits" else ""
    sha = str(parameters.get(by_parameter, ""))
    return bool(_LASTING.fullmatch(path) or re.fullmatch(_SHA, sha, re.ASCII))


def _name(request: Request) -> str:
    parameters = sorted(request.parameters.items())
    return f"{request.method} {request.path} {parameters} {request.accept} {request.most_bytes}"


class Client:
    """Requests about one repository ("owner/name").

    `path` is below it, with names of others quoted (urllib.parse.quote): "pulls/7"; "" is itself.
    All methods raise GithubError, and GithubPermissionError if the token lacks a permission.
    `jitter` gives numbers from 0 to 1; `report` is called before every wait. Not thread-safe.
    """

    def __init__(
        self,
        *,
        api_url: str,
        repository: str,
        token: str,
        session: requests.Session,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        report: Callable[[str], None] = lambda _text: None,
    ) -> None:
        if not re.fullmatch(REPOSITORY, repository, re.ASCII):
            raise ConfigError(
                f"{plain(repository)!r} is not a repository", advice="write owner/name"
            )
        self.repository = repository
        self._transport = Transport(api_url, token, session)
        self._clock = clock
        self._jitter = jitter
        self._report = report
        self._cache = AnswerCache()
        self._waited_seconds = 0.0
        self._next_write = 0.0

    def __repr__(self) -> str:
        return f"Client({self.repository!r}, {self._transport!r})"

    def look(self) -> AbstractContextManager[None]:
        """Ask GitHub nothing twice within this block; every answer stays as it was first read."""
        return self._cache.look()

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return the JSON at `path`."""
        return self._ask(self._request("GET", path, parameters)).json()

    def find(
        self, path: str, *, absent: tuple[int, ...] = (ABSENT,), **parameters: str | int
    ) -> Any | None:
        """Return the JSON at `path`, or None if GitHub answers that there is nothing."""
        try:
            return self.get(path, **parameters)
        except GithubError as error:
            if error.status in absent:
                return None
            raise

    def pages(
        self, path: str, *, key: str = "", most: int = 1000, **parameters: str | int
    ) -> Iterator[Any]:
        """Yield the first `most` items of a list over all pages; `key`: the list in an object."""
        request = self._request("GET", path, {"per_page": PER_PAGE, **parameters})
        left, pages = most, 2 * most // int(request.parameters["per_page"]) + 10
        while pages and left > 0:
            answer = self._ask(request)
            items = _items(answer, key)
            yield from items[:left]
            left, pages = left - len(items), pages - 1
            if not answer.next_url:
                return
            path = self._transport.path_of(request, answer.next_url)
            request = replace(request, path=path, parameters={})
        if left > 0:
            raise GithubError(
                "the list never ends",
                command=str(request),
                advice=next_step(0, request),
            )

    def download(
        self, path: str, *, accept: str = JSON, most_bytes: int, **parameters: str | int
    ) -> bytes:
        """Return the bytes at `path`, at most `most_bytes`; other hosts never get the token."""
        request = self._request("GET", path, parameters)
        request = replace(request, accept=accept, most_bytes=most_bytes, may_leave=True)
        return self._ask(request).body

    def read_file(self, path: str, ref: str, most_bytes: int) -> bytes | None:
        """Return a file of the repository at a commit or branch, or None if there is none."""
        try:
            return self.download(
                f"contents/{quote(path)}", accept=RAW, most_bytes=most_bytes, ref=ref
            )
        except GithubError as error:
            if error.status in GONE:
                return None
            raise

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Write (POST, PATCH, PUT, DELETE), about a second apart; return GitHub's answer, or None.

        After a GithubError of a POST with status 0 or from 500 on, check whether it was done.
        """
        return self._ask(replace(self._request(method, path, {}), body=body or None)).json()

    def _request(self, method: str, path: str, parameters: Mapping[str, str | int]) -> Request:
        if re.search(r"[?#\\\s]", path) or {".", ".."} & set(unquote(path).split("/")):
            raise ValueError(f"not a path below a repository: {path!r}")
        whole = f"/repos/{self.repository}/{path}".rstrip("/")
        return Request(method=method, path=whole, parameters=parameters)

    def _ask(self, request: Request) -> Answer:
        known = self._cache.find(request)
        old = None if known else self._cache.find_old(request)
        sent = replace(request, etag=old.headers["etag"]) if old else request
        for attempt in range(MOST_ATTEMPTS):
            outcome = known or self._once(sent)
            if isinstance(outcome, Answer):
                outcome = old if old and outcome.status == NOT_CHANGED else outcome
                self._cache.keep(request, outcome)
                if outcome.status in SUCCESS:
                    return outcome
            if not _may_repeat(request, outcome):
                break
            self._wait(request, outcome, attempt)
        raise failure(request, outcome)

    def _once(self, request: Request) -> Answer | NoAnswerError:
        is_write = request.method != "GET"
        early = self._next_write - self._clock.now()
        if is_write and early > 0:
            self._clock.sleep(early)
        try:
            return self._transport.ask(request)
        except NoAnswerError as error:
            return error
        finally:
            if is_write:
                self._next_write = self._clock.now() + WRITE_SPACING_SECONDS

    def _wait(self, request: Request, outcome: Answer | NoAnswerError, attempt: int) -> None:
        answer = outcome if isinstance(outcome, Answer) else None
        now = self._clock.now()
        seconds = pause_seconds(answer, attempt, now=now, jitter=self._jitter())
        if attempt + 1 == MOST_ATTEMPTS:
            raise failure(request, outcome, f", {MOST_ATTEMPTS} times")
        if self._waited_seconds + seconds > MOST_SECONDS:
            limit = f"{seconds:,.0f} s to wait; all waits together may be {MOST_SECONDS:.0f} s"
            raise failure(request, outcome, f" ({limit})")
        self._waited_seconds += seconds
        self._report(f"{failure(request, outcome).message}; asking again in {seconds:.0f} s")
        self._clock.sleep(seconds)


def pause_seconds(answer: Answer | None, attempt: int, *, now: float, jitter: float) -> float:
    """Return the seconds until the next attempt; `attempt` counts from 0, `jitter` is from 0 to 1.

    By docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api: Retry-After
    first, then x-ratelimit-reset, and at least a minute, growing, if a limit says neither. No
    answer (None) and 5xx back off exponentially, so that many clients do not come back at once.
    """
    asked = _retry_after(answer, now) if answer else None
    if asked is not None:
        return asked
    if answer is None or not answer.is_limited:
        return FIRST_SECONDS * 2.0**attempt * (0.5 + jitter)
    if answer.headers.get("x-ratelimit-remaining") == "0":
        reset = _number(answer.headers.get("x-ratelimit-reset", ""))
        if reset is not None:
            return max(0.0, reset - now) + SKEW_SECONDS
    return SECONDARY_SECONDS * 2.0**attempt * (1 + jitter / 10)


def _retry_after(answer: Answer, now: float) -> float | None:
    text = answer.headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    return float(text) if text.isdecimal() and text.isascii() and len(text) < 12 else None


def _may_repeat(request: Request, outcome: Answer | NoAnswerError) -> bool:
    if isinstance(outcome, NoAnswerError):
        return request.repeatable or not outcome.sent
    return outcome.is_limited or (outcome.status >= 500 and request.repeatable)


def _items(answer: Answer, key: str) -> list[Any]:
    value = answer.json()
    items = value.get(key) if key and isinstance(value, dict) else value
    if isinstance(items, list):
        return items
    where = f"no list {key!r} in it" if key else "no list"
    raise GithubError(
        f"the answer is {where}",
        status=answer.status,
        command=str(answer.request),
        advice=STATUS_PAGE,
    )
