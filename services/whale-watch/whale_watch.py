"""Trades far larger than usual: a robust z-score of the traded notional."""

from array import array
from collections.abc import Iterable
from math import log
from typing import ClassVar

from desk.events import Event, Signal, Trade
from desk.series import Gate, Settings, SortedWindow, Symbols, is_amount, signals
from desk.service import Program, run

SERVICE = "whale-watch"
NORMAL_MAD = 0.6745
LEAST_MAD = 0.05


def median(ordered: "array[float]") -> float:
    """Return the median of a sorted, non-empty array."""
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2.0


def median_deviation(ordered: "array[float]", center: float) -> float:
    """Return the median of |x - center| over a sorted array in O(log n).

    The k values nearest to the center are neighbours in the sorted array, and the farthest of
    them has the k-th smallest deviation: bisection finds where that run of neighbours starts.
    """
    count = len(ordered)
    upper = _reach(ordered, center, count // 2 + 1)
    if count % 2:
        return upper
    return (upper + _reach(ordered, center, count // 2)) / 2.0


def _reach(ordered: "array[float]", center: float, run_length: int) -> float:
    """Return the least radius around the center that covers run_length values."""
    low, high = 0, len(ordered) - run_length
    while low < high:
        start = (low + high) // 2
        if center - ordered[start] > ordered[start + run_length] - center:
            low = start + 1
        else:
            high = start
    return max(center - ordered[low], ordered[low + run_length - 1] - center)


class _Trades:
    __slots__ = ("gate", "window")

    def __init__(self, window: SortedWindow, gate: Gate) -> None:
        self.window = window
        self.gate = gate


class WhaleWatch:
    """Large trades in the direction of their taker.

    Modified z-score M = 0.6745 (x - median) / MAD (Iglewicz & Hoaglin 1993, "How to Detect and
    Handle Outliers", section 3.3; their cut-off is 3.5) of x = log(price * quantity), since trade
    sizes are close to log-normal, against the trades before it. Median and MAD don't move with
    the outliers they look for. The MAD is held above 0.05, about 5 % of a trade's size: streams of
    near-identical trades would otherwise make whales of all others. Confidence is
    1 - threshold / (2 M): one half at the threshold, towards one beyond.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        size = settings.whole("WINDOW", 500, 10, 100_000)
        self._warmup = settings.whole("WARMUP_TRADES", 50, 5, 100_000)
        if self._warmup > size:
            raise settings.refuse("WARMUP_TRADES", f"({self._warmup}) exceeds WINDOW ({size})")
        interval_ms = settings.interval_ms(1_000)
        self._threshold = settings.number("THRESHOLD", 3.5, 0.5, 100.0)
        self._least_notional = settings.number("LEAST_NOTIONAL", 0.0, 0.0, 1e15)
        self._symbols = Symbols(
            lambda: _Trades(SortedWindow(size), Gate(interval_ms)), settings.symbol_limit()
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal if it is a whale and the symbol's gate opens."""
        if not isinstance(event, Trade):
            return ()
        if not (is_amount(event.price) and is_amount(event.quantity)):
            return ()
        trades = self._symbols.at(event.symbol, event.time_ms)
        if trades is None:
            return ()
        notional = event.price * event.quantity
        size = log(notional)
        score = self._score(trades.window, size)
        trades.window.add(size)
        if score < self._threshold or notional < self._least_notional:
            return ()
        direction = 1 if event.taker_is_buyer else -1
        if not trades.gate.opens(direction, event.time_ms):
            return ()
        confidence = 1.0 - self._threshold / (2.0 * score)
        return signals(
            SERVICE,
            event.symbol,
            event.time_ms,
            ("whale_notional", notional, direction, confidence),
            ("whale_score", score, 0, confidence),
        )

    def _score(self, window: SortedWindow, size: float) -> float:
        if len(window) < self._warmup:
            return 0.0
        center = median(window.ordered)
        if size <= center:
            return 0.0
        deviation = max(LEAST_MAD, median_deviation(window.ordered, center))
        return NORMAL_MAD * (size - center) / deviation


PROGRAM = Program(SERVICE, WhaleWatch)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
