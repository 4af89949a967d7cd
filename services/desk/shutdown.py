"""Stopping on SIGTERM and SIGINT at once while waiting, and between two steps otherwise."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Raise Stopped in the block as soon as the service is told to stop."""
        self._waits = True
        try:
            if self.requested:
                raise Stopped
            yield
        finally:
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
