"""Growing waits before the next attempt."""

import os

FIRST_SECONDS = 0.1
MOST_SECONDS = 5.0
FACTOR = 2.0


class Backoff:
    """Exponential waits with jitter, so that fifteen services don't come back in step."""

    __slots__ = ("_first", "_most", "_next")

    def __init__(self, first: float = FIRST_SECONDS, most: float = MOST_SECONDS) -> None:
        self._first = first
        self._most = most
        self._next = first

    def seconds(self) -> float:
        """Return the next wait: between half and all of a bound that doubles each time."""
        bound = self._next
        self._next = min(self._most, bound * FACTOR)
        return bound * (0.5 + os.urandom(1)[0] / 510.0)

    def reset(self) -> None:
        """Start again from the first wait, after a success."""
        self._next = self._first
