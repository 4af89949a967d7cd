"""How long to wait before asking GitHub again, by its own rules.

https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api: Retry-After
first, then x-ratelimit-reset, and at least a minute, growing, where a limit says neither.

The clock is passed in, so that tests count minutes instead of waiting for them.
"""

import time
from email.utils import parsedate_to_datetime
from typing import Protocol

from onegig.github.transport import Answer

MOST_ATTEMPTS = 6
MOST_SECONDS = 900.0  # all waits of one client together: a job should not wait longer
FIRST_SECONDS = 1.0
SECONDARY_SECONDS = 60.0
SKEW_SECONDS = 1.0  # two clocks, and a reset given in whole seconds


def pause_seconds(answer: Answer | None, attempt: int, *, now: float, jitter: float) -> float:
    """Return the seconds until the next attempt; `attempt` counts from 0, `jitter` is from 0 to 1.

    No answer (None) and 5xx back off exponentially, so that many clients do not come back at once.
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


class Clock(Protocol):
    """Time and waiting, both in seconds."""

    def now(self) -> float:
        """Return the seconds since the epoch, in which GitHub gives the end of a rate limit."""

    def sleep(self, seconds: float) -> None:
        """Return that much later."""


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
