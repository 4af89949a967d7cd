"""The one interface between the desk's machinery and the twelve indicators."""

from collections.abc import Iterable
from typing import ClassVar, Protocol

from desk.events import Event, Signal


class Indicator(Protocol):
    """Pure: no I/O, no clock; state bounded per symbol."""

    streams: ClassVar[tuple[str, ...]]  # of "trades", "books", "funding", "signals"

    def update(self, event: Event) -> Iterable[Signal]:
        """Take one event and return the signals it gives rise to."""
        ...
