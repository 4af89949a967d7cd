"""Stopping on SIGTERM and SIGINT at once while waiting, and between two steps otherwise.

The module `signal` would cost each service another half MiB, for enumerations, and `contextlib` a
quarter.
"""

import _signal  # type: ignore[import-not-found]  # it has no stub
import time
from types import FrameType


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """The service was told to stop while it waited."""


class Shutdown:
    """Remembers that the service was told to stop, and cuts waits short."""

    __slots__ = ("_waits", "requested")

    def __init__(self) -> None:
        self.requested = False
        self._waits = False

    def listen(self) -> None:
        """Handle SIGTERM and SIGINT; a process 1 that doesn't would never see them."""
        for number in (_signal.SIGTERM, _signal.SIGINT):
            _signal.signal(number, self._handle)

    def interrupts(self) -> "Shutdown":
        """Return what raises Stopped in a `with` block as soon as the service is told to stop."""
        return self

    def __enter__(self) -> None:
        self._waits = True
        if self.requested:
            self._waits = False
            raise Stopped

    def __exit__(self, *_: object) -> None:
        self._waits = False

    def sleep(self, seconds: float) -> None:
        """Wait, unless told to stop: then raise Stopped."""
        with self.interrupts():
            time.sleep(seconds)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if self._waits:
            self._waits = False
            raise Stopped
