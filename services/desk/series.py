"""Tools that turn a stream into bounded series per symbol.

Settings from the environment, a capped table of symbols, time bars, weighted averages, ranks
and pacing. Everything here is deterministic: the only clock is the time inside the events.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Generic, Protocol, TypeVar

from desk.events import Event, Signal, Trade

SMALLEST_AMOUNT = 1e-15
LARGEST_AMOUNT = 1e15
LATE_LIMIT = 100
SILENCE_MS = 3_600_000
CHANGE_SHARE = 10
DAY_MS = 86_400_000

State = TypeVar("State")
Number = TypeVar("Number", int, float)


class SettingError(ValueError):
    """A parameter that can't be used; the text names it, the reason and the remedy."""


class Settings:
    """Numbers read from `<PREFIX>_<NAME>` variables, each within stated bounds."""

    __slots__ = ("_environ", "_prefix")

    def __init__(self, environ: Mapping[str, str], prefix: str) -> None:
        self._environ = environ
        self._prefix = prefix

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number from low to high; raises SettingError."""
        return self._read(name, default, low, high, int)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Return a number from low to high; raises SettingError (also for NaN)."""
        return self._read(name, default, low, high, float)

    def bar_ms(self) -> int:
        """Return the length of a time bar in milliseconds of event time."""
        return self.whole("BAR_MS", 1_000, 100, DAY_MS)

    def interval_ms(self, default: int = 5_000) -> int:
        """Return the least time between two unchanged signals of a symbol, in milliseconds."""
        return self.whole("INTERVAL_MS", default, 100, DAY_MS)

    def symbol_limit(self, default: int = 64) -> int:
        """Return the number of symbols followed at once."""
        return self.whole("SYMBOL_LIMIT", default, 1, 1_024)

    def refuse(self, name: str, reason: str) -> SettingError:
        """Return the error for a value that contradicts another."""
        return SettingError(f"{self._prefix}_{name} {reason}; change it or unset both")

    def _read(
        self,
        name: str,
        default: Number,
        low: Number,
        high: Number,
        parse: Callable[[str], Number],
    ) -> Number:
        key = f"{self._prefix}_{name}"
        text = self._environ.get(key, "").strip()
        if not text:
            return default
        try:
            value = parse(text)
            if low <= value <= high:
                return value
        except ValueError:
            pass
        raise SettingError(
            f"{key}={text!r} is not a {'whole ' * (parse is int)}number"
            f" from {low} to {high}; unset it to use {default}"
        )


class _Entry(Generic[State]):
    __slots__ = ("late", "state", "time_ms")

    def __init__(self, state: State, time_ms: int) -> None:
        self.state = state
        self.time_ms = time_ms
        self.late = 0


class Symbols(Generic[State]):
    """State per symbol, capped, in event-time order.

    An event older than the symbol's newest (by more than the tolerance) is late and has no state to
    update. After LATE_LIMIT late events in a row the newest time must have been wrong, so the
    symbol starts anew. When the table is full, a newcomer takes the place of the quietest symbol
    if that has been silent for an hour; otherwise it is not followed.
    """

    __slots__ = ("_entries", "_limit", "_make", "_tolerance_ms")

    def __init__(self, make: Callable[[], State], limit: int, tolerance_ms: int = 0) -> None:
        self._make = make
        self._limit = limit
        self._tolerance_ms = tolerance_ms
        self._entries: dict[str, _Entry[State]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def at(self, symbol: str, time_ms: int) -> State | None:
        """Return the symbol's state for an event of that time, or None if it must be skipped."""
        entry = self._entries.get(symbol)
        if entry is None:
            return self._admit(symbol, time_ms)
        if time_ms >= entry.time_ms:
            entry.time_ms = time_ms
        elif time_ms < entry.time_ms - self._tolerance_ms:
            entry.late += 1
            if entry.late < LATE_LIMIT:
                return None
            entry.state = self._make()
            entry.time_ms = time_ms
        entry.late = 0
        return entry.state

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._entries

    def items(self) -> Iterator[tuple[str, State]]:
        """Iterate over the symbols followed and their states."""
        return ((symbol, entry.state) for symbol, entry in self._entries.items())

    def _admit(self, symbol: str, time_ms: int) -> State | None:
        if len(self._entries) >= self._limit:
            quietest = min(self._entries, key=lambda name: self._entries[name].time_ms)
            if time_ms - self._entries[quietest].time_ms < SILENCE_MS:
                return None
            del self._entries[quietest]
        entry = self._entries[symbol] = _Entry(self._make(), time_ms)
        return entry.state


class Gate:
    """Paces the signals of one symbol.

    Opens when the state changes (but no sooner than a tenth of the interval after the last
    opening, so that a flickering state stays quiet) and otherwise once per interval.
    """

    __slots__ = ("_interval_ms", "_opened_ms", "state")

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._opened_ms: int | None = None
        self.state = 0

    def opens(self, state: int, time_ms: int) -> bool:
        """Return whether a signal in this state may go out now, and remember it if so."""
        if self._opened_ms is not None:
            needed_ms = self._interval_ms
            if state != self.state:
                needed_ms //= CHANGE_SHARE
            if time_ms - self._opened_ms < needed_ms:
                return False
        self._opened_ms = time_ms
        self.state = state
        return True


class Bars:
    """Closing prices of time bars; a bar without a trade has no close.

    `elapsed` is the number of bar lengths between the last two closes: 1 unless bars were empty.
    """

    __slots__ = ("_bar_ms", "_closed", "_index", "_price", "elapsed")

    def __init__(self, bar_ms: int) -> None:
        self._bar_ms = bar_ms
        self._index: int | None = None
        self._closed: int | None = None
        self._price = 0.0
        self.elapsed = 1

    def add(self, price: float, time_ms: int) -> float | None:
        """Take a trade's price; return the close of the bar that this trade's time completed."""
        index = time_ms // self._bar_ms
        close, self._price = self._price, price
        if index == self._index:
            return None
        completed, self._index = self._index, index
        if completed is None:
            return None
        self.elapsed = 1 if self._closed is None else completed - self._closed
        self._closed = completed
        return close


class HasBars(Protocol):
    """State of a symbol whose indicator works on time bars."""

    bars: Bars


BarState = TypeVar("BarState", bound=HasBars)


def completed_bar(symbols: Symbols[BarState], event: Event) -> tuple[Trade, BarState, float] | None:
    """Return the trade, its symbol's state and the close of the bar that it completed, if any."""
    if not isinstance(event, Trade) or not is_amount(event.price):
        return None
    state = symbols.at(event.symbol, event.time_ms)
    close = state.bars.add(event.price, event.time_ms) if state else None
    return None if state is None or close is None else (event, state, close)


class Ewma:
    """Exponentially weighted mean, s_t = d s_(t-1) + (1-d) x_t, exact from the first value on.

    Dividing by the weight given so far, 1 - d^t, makes it the true weighted mean of what was
    seen instead of one biased towards a starting value (Kingma & Ba 2015, section 3). Rounding
    errors decay with the values, so the sum can't drift.
    """

    __slots__ = ("_decay", "_sum", "weight")

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._sum = 0.0
        self.weight = 0.0

    def add(self, value: float, steps: float = 1.0) -> None:
        """Take the next value; it counts for that many steps."""
        decay = self._decay**steps
        self._sum = decay * self._sum + (1.0 - decay) * value
        self.weight = decay * self.weight + (1.0 - decay)

    @property
    def value(self) -> float:
        """Return the weighted mean, 0 before the first value."""
        return self._sum / self.weight if self.weight else 0.0


class SortedWindow:
    """The last `size` values in order of size: O(log n) ranks and quantiles, 16 bytes a value."""

    __slots__ = ("_next", "_ring", "_size", "ordered")

    def __init__(self, size: int) -> None:
        self._size = size
        self._ring = array("d")
        self._next = 0
        self.ordered = array("d")

    def __len__(self) -> int:
        return len(self.ordered)

    def add(self, value: float) -> None:
        """Take the next value, dropping the oldest of a full window."""
        if len(self._ring) < self._size:
            self._ring.append(value)
        else:
            del self.ordered[bisect_left(self.ordered, self._ring[self._next])]
            self._ring[self._next] = value
            self._next = (self._next + 1) % self._size
        insort(self.ordered, value)

    def rank(self, value: float) -> float:
        """Return the share of the window below value, ties counted half; 0.5 when empty."""
        if not self.ordered:
            return 0.5
        below = bisect_left(self.ordered, value)
        return (below + bisect_right(self.ordered, value)) / (2 * len(self.ordered))


def is_amount(value: float) -> bool:
    """Return whether an amount is positive, finite and of a size that arithmetic can handle."""
    return SMALLEST_AMOUNT <= value <= LARGEST_AMOUNT


def sign(value: float, threshold: float) -> int:
    """Return +1 or -1 where the value reaches the threshold in that direction, else 0."""
    if value >= threshold:
        return 1
    return -1 if value <= -threshold else 0


def signals(
    service: str, symbol: str, time_ms: int, *readings: tuple[str, float, int, float]
) -> tuple[Signal, ...]:
    """Return one signal per (name, value, direction, confidence).

    A value that isn't finite is left out; confidence is held within 0..1 against rounding.
    """
    return tuple(
        Signal(
            service=service,
            symbol=symbol,
            name=name,
            value=value,
            direction=direction,
            confidence=max(0.0, min(1.0, confidence)),
            time_ms=time_ms,
        )
        for name, value, direction, confidence in readings
        if isfinite(value)
    )
