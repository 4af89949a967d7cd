"""The sources of market events: an exchange's WebSocket, or the replay."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from desk.backoff import Backoff
from desk.counters import Counters
from desk.events import BadMessage, Event
from desk.log import info, warn
from exchange import parse
from replay import MarketEvent, replay

SILENCE_SECONDS = 30.0


class Source(Protocol):
    """Market events, in turns."""

    problem: str  # why nothing comes; empty while all is well

    def poll(self, timeout_seconds: float) -> tuple[list[Event], bool]:
        """Wait for events at most so long; return them and whether more wait already."""
        ...


class ReplaySource:
    """The seeded replay in real time; it catches up after short delays and skips the rest."""

    most_behind_seconds = 5.0

    def __init__(self, seed: int, symbols: Sequence[str], rate: float, counters: Counters) -> None:
        self._events: Iterator[MarketEvent] = replay(seed, symbols, rate, int(time.time() * 1000))
        self._interval = 1.0 / rate
        self._due = time.monotonic()
        self._counters = counters
        self.problem = ""

    def poll(self, timeout_seconds: float) -> tuple[list[Event], bool]:
        """Return the events due by now, waiting for the next one if there are none."""
        time.sleep(max(0.0, min(timeout_seconds, self._due - time.monotonic())))
        now = time.monotonic()
        self._due = max(self._due, now - self.most_behind_seconds)
        events: list[Event] = []
        while self._due <= now:
            events.append(next(self._events))
            self._due += self._interval
        self._counters.add("received", len(events))
        return events, False


class Connection(Protocol):
    """The part of a WebSocket that WebSocketSource needs."""

    def receive(self, timeout_seconds: float) -> tuple[list[str], bool]:
        """Return the messages that are there, and whether there may be more at once."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class WebSocketSource:
    """An exchange's stream, connected again with growing waits whenever it breaks."""

    def __init__(self, connect: Callable[[], Connection], counters: Counters) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._counters = counters
        self._backoff = Backoff(first=0.25, most=30.0)
        self._next_attempt = 0.0
        self._last_message = 0.0
        self.problem = "not connected yet"

    def poll(self, timeout_seconds: float) -> tuple[list[Event], bool]:
        """Return the events that came; reconnect when it is time to."""
        try:
            if self._connection is None:
                return self._reconnect(timeout_seconds), False
            texts, more = self._connection.receive(timeout_seconds)
            self._watch(texts)
            return self._parse(texts), more
        except OSError as error:
            self._disconnect(error)
            return [], False

    def _reconnect(self, timeout_seconds: float) -> list[Event]:
        wait = self._next_attempt - time.monotonic()
        if wait > 0.0:
            time.sleep(min(wait, timeout_seconds))
            return []
        self._connection = self._connect()
        self._last_message = time.monotonic()
        self._counters.add("connections")
        info("connected to the exchange")
        return []

    def _watch(self, texts: Sequence[str]) -> None:
        """Notice a connection that is open and dead; trust it again once it speaks."""
        now = time.monotonic()
        if texts:
            self._last_message = now
            self.problem = ""
            self._backoff.reset()
        elif now - self._last_message > SILENCE_SECONDS:
            raise TimeoutError(f"silent for {SILENCE_SECONDS:.0f} s")

    def _parse(self, texts: Sequence[str]) -> list[Event]:
        events: list[Event] = []
        now_ms = int(time.time() * 1000)
        self._counters.add("received", len(texts))
        for text in texts:
            try:
                event = parse(text, now_ms)
            except BadMessage as error:
                self._report(text, error)
                continue
            if event is not None:
                events.append(event)
        return events

    def _report(self, text: str, error: BadMessage) -> None:
        self._counters.add("bad")
        count = self._counters["bad"]
        if str(count).rstrip("0") == "1":
            warn(f"skipped a message: {error}: {text[:80]!r} ({count} so far)")

    def _disconnect(self, error: OSError) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        seconds = self._backoff.seconds()
        self._next_attempt = time.monotonic() + seconds
        self.problem = f"exchange: {error}"
        warn(f"{self.problem}; connecting again in {seconds:.1f} s")
