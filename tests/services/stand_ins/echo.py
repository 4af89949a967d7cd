"""A service that answers every trade with a signal carrying the trade's number."""

import os
from collections.abc import Iterable
from typing import ClassVar

import desk.consumer
from desk.events import Event, Signal, Trade
from desk.service import Program, run


class Echo:
    """Fails on the symbol FAILS."""

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def update(self, event: Event) -> Iterable[Signal]:
        """Return one signal per trade."""
        assert isinstance(event, Trade)
        if event.symbol == "FAILS":
            raise ZeroDivisionError("asked to fail")
        yield Signal(
            service="echo",
            symbol=event.symbol,
            name="echo",
            value=float(event.id),
            direction=0,
            confidence=1.0,
            time_ms=event.time_ms,
        )


PROGRAM = Program("echo", lambda _: Echo())

if __name__ == "__main__":
    desk.consumer.ABANDONED_MS = int(os.environ.get("ABANDONED_MS", desk.consumer.ABANDONED_MS))
    raise SystemExit(run(PROGRAM))
