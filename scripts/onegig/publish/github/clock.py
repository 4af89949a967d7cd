"""Time as an effect: passed in, so that tests count minutes instead of waiting for them."""

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, and waiting; both in seconds."""

    def now(self) -> float:
        """Seconds since the epoch, by which GitHub tells when a rate limit ends."""

    def sleep(self, seconds: float) -> None:
        """Return that much later."""


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
