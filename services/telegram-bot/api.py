"""The Telegram Bot API over one kept-alive connection. The token is in no message or log line."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

TIMEOUT_SECONDS = 10.0
LARGEST_ANSWER = 1 << 20
TOKEN_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_-")


class TelegramError(Exception):
    """Telegram could not be reached or does not work now; trying again later may help."""


class SlowDown(TelegramError):  # noqa: N818 - names the answer
    """Telegram asks to wait."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(f"Telegram asks to wait {retry_seconds:.0f} s")
        self.retry_seconds = retry_seconds


class Refused(TelegramError):  # noqa: N818 - names the answer
    """Telegram will never take this message: trying again is useless."""


class Api:
    """One connection to the Bot API; raises ValueError for an invalid token or URL."""

    def __init__(self, url: str, token: str) -> None:
        scheme, _, host = url.rstrip("/").partition("://")
        if scheme not in ("http", "https") or not host or "/" in host:
            raise ValueError(
                f"TELEGRAM_API_URL={url!r} is not valid (write https://api.telegram.org)"
            )
        if not token or not TOKEN_CHARACTERS.issuperset(token):
            raise ValueError("the Telegram token is not valid: no token has such characters")
        self._path = f"/bot{token}"
        is_plain = scheme == "http"
        kind = http.client.HTTPConnection if is_plain else http.client.HTTPSConnection
        self._connection = kind(host, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._connection.close()

    def call(self, method: str, arguments: Mapping[str, Any], wait_seconds: float = 0.0) -> Any:
        """Call a method; return its result. Raises TelegramError."""
        try:
            status, answer = self._exchange(method, arguments, wait_seconds)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = f"{type(error).__name__}: {error}".replace(self._path, "/bot***")
            raise TelegramError(f"{method}: {reason}") from None
        except BaseException:
            self._connection.close()
            raise
        return _result(method, status, answer)

    def _exchange(
        self, method: str, arguments: Mapping[str, Any], wait_seconds: float
    ) -> tuple[int, bytes]:
        self._connection.timeout = TIMEOUT_SECONDS + wait_seconds
        if self._connection.sock is not None:
            self._connection.sock.settimeout(TIMEOUT_SECONDS + wait_seconds)
        headers = {"Content-Type": "application/json"}
        body = json.dumps(arguments)
        self._connection.request("POST", f"{self._path}/{method}", body, headers)
        response = self._connection.getresponse()
        answer = response.read(LARGEST_ANSWER)
        if not response.isclosed():
            raise http.client.HTTPException("an answer of more than 1 MiB")
        return response.status, answer


def _result(method: str, status: int, answer: bytes) -> Any:
    try:
        message = json.loads(answer)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise TelegramError(f"{method}: status {status} without a readable answer")
    if message.get("ok") is True:
        return message.get("result")
    reason = f"{method}: {status} {message.get('description', '')}"
    if status == http.client.TOO_MANY_REQUESTS:
        parameters = message.get("parameters") or {}
        raise SlowDown(float(parameters.get("retry_after", 5)))
    if status in (400, 403):
        raise Refused(reason)
    raise TelegramError(reason)
