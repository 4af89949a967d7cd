"""Connections to a Redis or Valkey server: its address, its refusals, and pipelined batches.

No message has a password: the URL is shown without its user and query, and none of the client
library's own texts is passed on that could hold one.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import RedisError as ClientError
from redis.exceptions import ResponseError
from redis.retry import Retry

import redis
from onegig.errors import ExitCode, OnegigError
from onegig.text import plain

_DISTRUST = re.compile(r"certificate verify failed: ([^(]+[^( ])")
_CLIENT = "add ?ssl_certfile=FILE&ssl_keyfile=FILE to the URL"
_CUT = re.compile("while writing to socket|while reading from|closed by server")
SCHEMES = ("redis", "rediss", "unix")
CONNECT_SECONDS = 5.0
REPLY_SECONDS = 30.0
_URL_ADVICE = "write redis://HOST:6379, rediss://HOST:6379 or unix:///PATH, or a service's name"
_CODES = {  # of a server's refusals: what happened, and what to do
    "NOAUTH": ("asks for a password", "give --password-file or set ONEGIG_REDIS_PASSWORD"),
    "WRONGPASS": ("refuses the user or the password", "check --user and the password"),
    "LOADING": ("is still loading its data", "run this again when it has finished"),
    "MASTERDOWN": ("is a replica that has lost its primary", "audit the primary"),
    "BUSY": ("is busy running a script", "run this again when it has finished"),
    "DENIED": ("is in protected mode and refuses other machines", "run onegig on its machine"),
    "NOPERM": ("does not permit this user a command that the audit needs", ""),
    "CLUSTERDOWN": ("is part of a cluster that is down", "repair the cluster first"),
    "OOM": ("is out of memory and refuses commands", "run this again when it has room"),
}
_TEXTS = {  # refusals without a code of their own, by words in them
    "max number of clients": ("has no connection left", "raise its maxclients, or run this later"),
    "Authentication required": _CODES["NOAUTH"],
    "invalid password": _CODES["WRONGPASS"],
    "without any password configured": ("has no password", "run this without one"),
    "invalid username-password": _CODES["WRONGPASS"],
}


class RedisError(OnegigError):
    """The server could not be reached, stopped answering, or refuses what is needed."""


class RefusedError(RedisError):
    """The server refuses the address, the user or the password."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIG


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A server's address; user and password given apart go before those of the URL.

    `name` is what reports call it, where that is not the URL.
    """

    url: str = field(repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    name: str = ""

    def __str__(self) -> str:
        return self.name or shown_url(self.url)


def shown_url(url: str) -> str:
    """Return a URL without user, password and query."""
    parts = _split(url)
    host = parts.netloc.rpartition("@")[2]
    return plain(f"{parts.scheme}://{host}{parts.path}")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise RefusedError("the Redis URL is not valid", advice=_URL_ADVICE) from None
    if parts.scheme not in SCHEMES:
        scheme = plain(parts.scheme, 20) or "no scheme"
        raise RefusedError(f"a Redis URL can't begin with {scheme}", advice=_URL_ADVICE)
    return parts


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Replies to commands that were sent at once; a refusal is a ResponseError among them."""

    replies: list[Any]
    has_refusals: bool
    seconds: float  # from the first byte sent to the last reply read


class Session:
    """One connection to a server, for single commands and for batches."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._pool = _pool(address)
        self._connection: Any = None

    @cached_property
    def client(self) -> redis.Redis:
        """Return a client of the library's, once the session itself is at rest: see `rest`."""
        return redis.Redis(connection_pool=self._pool)

    def call(self, *words: str | bytes | int) -> Any:
        """Return a command's reply. Raises RedisError, RefusedError."""
        with self._explained(str(words[0])):
            self._connect()
            self._connection.send_command(*words)
            return self._connection.read_response()

    def ask(self, *words: str | bytes | int) -> Any:
        """Return a command's reply, or the server's refusal as a ResponseError."""
        with self._explained(str(words[0])):
            self._connect()
            self._connection.send_command(*words)
            return self._reply()

    def batch(self, packed: Sequence[bytes], replies: int) -> Batch:
        """Send packed commands at once and return so many replies."""
        with self._explained("a batch of reading commands"):
            self._connect()
            began = perf_counter()
            self._connection.send_packed_command([b"".join(packed)], check_health=False)
            answers, refusals = self._replies(replies)
            return Batch(replies=answers, has_refusals=refusals, seconds=perf_counter() - began)

    def rest(self) -> None:
        """Give the connection back, so that `client` uses it."""
        if self._connection is not None:
            self._pool.release(self._connection)
            self._connection = None

    def close(self) -> None:
        """End the connection."""
        self.rest()
        self._pool.disconnect()

    def _connect(self) -> None:
        if self._connection is None:
            self._connection = self._pool.get_connection()

    def _replies(self, count: int) -> tuple[list[Any], bool]:
        answers: list[Any] = []
        has_refusals = False
        read = self._connection.read_response
        while len(answers) < count:
            try:
                answers.append(read())
            except ResponseError as error:
                answers.append(_tolerable(error))
                has_refusals = True
        return answers, has_refusals

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return _tolerable(error)

    @contextmanager
    def _explained(self, command: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, OSError, UnicodeError) as error:
            was_connected = self._connection is not None
            self._connection = None
            raise explain(error, self.address, command, was_connected=was_connected) from None


def _tolerable(error: ResponseError) -> ResponseError:
    """Return a refusal that concerns one command; raise one that concerns all of them."""
    if _code(error) in ("LOADING", "NOAUTH", "MASTERDOWN"):
        raise error
    return error


def _pool(address: Address) -> Any:
    """Return a pool that connects once, without retries and without commands of its own."""
    _split(address.url)
    try:
        given = parse_url(address.url)  # type: ignore[no-untyped-call] # of the library
    except (ValueError, TypeError):
        raise RefusedError("the Redis URL is not valid", advice=_URL_ADVICE) from None
    options = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": REPLY_SECONDS,
        **given,
        "db": 0,  # all are audited, whichever the URL names
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "driver_info": None,
        "decode_responses": False,
    }
    for name in ("username", "password"):
        if value := getattr(address, name):
            options[name] = value
    if given.get("connection_class") is redis.SSLConnection:
        options["connection_class"] = _TLSConnection
    return redis.ConnectionPool(**options)


class _TLSConnection(redis.SSLConnection):
    """A connection whose session tickets are read before the pool looks for unread data.

    TLS 1.3 sends them after the handshake, and the pool refuses a connection that has something to
    read. They arrive before the reply to a PING, whatever that is.
    """

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002
        """Log in, and wait for one reply."""
        super().on_connect_check_health(check_health)
        self.send_command("PING", check_health=False)  # type: ignore[no-untyped-call]
        with suppress(ResponseError):  # the next command meets the same refusal, and says so
            self.read_response()


@contextmanager
def open_session(address: Address) -> Iterator[Session]:
    """Yield a session that is closed in the end."""
    session = Session(address)
    try:
        yield session
    finally:
        session.close()


def is_denied(reply: object) -> bool:
    """Return whether a reply says that a command is not permitted, or does not exist."""
    if not isinstance(reply, ResponseError):
        return False
    text = str(reply).lower()
    return ("perm" in text and "command" in text) or "unknown" in text


def is_untracked(reply: object) -> bool:
    """Return whether a reply says that there are no idle times, as the server evicts by LFU.

    Only keys that exist are answered so.
    """
    return isinstance(reply, ResponseError) and "LFU" in str(reply)


def _code(error: Exception) -> str:
    """Return the first word of a server's refusal; the library leaves some of them out."""
    names = {"BusyLoadingError": "LOADING", "NoPermissionError": "NOPERM"}
    names |= {"MasterDownError": "MASTERDOWN", "OutOfMemoryError": "OOM"}
    names |= {"ClusterDownError": "CLUSTERDOWN"}
    known = names.get(type(error).__name__)
    return known or str(error).lstrip("-").partition(" ")[0]


def explain(error: Exception, address: Address, command: str, *, was_connected: bool) -> RedisError:
    """Return an error of ours for one of the library's, without anything secret."""
    happened, advice = _explanation(error, address, was_connected=was_connected)
    refused = _code(error) in ("NOAUTH", "WRONGPASS", "DENIED") or "password" in happened
    kind = RefusedError if refused or "does not speak" in happened else RedisError
    shown = plain(command, 100) if was_connected else ""
    return kind(f"{address} {happened}", command=shown, advice=advice)


def _explanation(error: Exception, address: Address, *, was_connected: bool) -> tuple[str, str]:
    text, code = str(error), _code(error)
    if code in _CODES:
        return _CODES[code]
    for words, explanation in _TEXTS.items():
        if words in text:
            return explanation
    if type(error).__name__ == "AuthenticationError":
        return _CODES["WRONGPASS"]
    if "SSL" in text or "certificate" in text.lower():
        return _tls_explanation(text)
    if "Protocol error" in text or "InvalidResponse" in type(error).__name__:
        return "does not speak Redis's protocol", "check the port: something else answers there"
    if isinstance(error, ResponseError):
        return f"refused it: {plain(text, 200)}", ""
    if not was_connected and _split(address.url).scheme == "rediss" and _CUT.search(text):
        return "closed the connection; it may want a certificate", f"{_CLIENT}; or see its log"
    if was_connected or "closed by server" in text:
        return _lost(text, address)
    if "No such file" in text and _split(address.url).scheme == "rediss":
        advice = "check ssl_ca_certs, ssl_certfile and ssl_keyfile in the URL"
        return "is given with a certificate's file that does not exist", advice
    return f"can't be reached: {_reason(error)}", "check the address, and that the server runs"


def _lost(text: str, address: Address) -> tuple[str, str]:
    if "Timeout" in text:
        return "did not answer in time", "look at what keeps the server busy"
    hint = (
        ""
        if _split(address.url).scheme == "rediss"
        else "; a server that wants TLS needs rediss://"
    )
    return "closed the connection", f"look at the server's log, then run this again{hint}"


def _reason(error: Exception) -> str:
    """Return the reason of a failed connection in few words."""
    text = str(error)
    if "Timeout" in text or "timed out" in text:
        return f"no answer for {CONNECT_SECONDS:g} s"
    for words in ("Connection refused", "No such file or directory", "Permission denied"):
        if words in text:
            return words.lower()
    if "Name or service not known" in text or "name resolution" in text:
        return "its name is not known"
    return plain(text, 200)


def _tls_explanation(text: str) -> tuple[str, str]:
    """Return why TLS failed, by OpenSSL's words."""
    if "ALERT" in text and "CERTIFICATE" in text:
        return "refuses clients without a certificate that it trusts", _CLIENT
    if found := _DISTRUST.search(text):
        advice = "add ?ssl_ca_certs=FILE to the URL, or set SSL_CERT_FILE, for a CA of your own"
        return f"has a certificate that is not trusted: {plain(found[1], 100)}", advice
    advice = "a server without TLS needs redis:// instead of rediss://"
    return "can't be spoken to through TLS", advice
