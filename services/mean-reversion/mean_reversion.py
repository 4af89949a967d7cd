"""The price's distance from its recent mean: Bollinger's bands on time bars."""

from array import array
from collections.abc import Iterable
from math import sqrt
from typing import ClassVar

from desk.events import Event, Signal
from desk.gaps import Moves
from desk.series import Bars, Gate, Settings, Symbols, completed_bar, sign, signals
from desk.service import Program, run

SERVICE = "mean-reversion"
FLAT = 1e-9
CANCELLED = 1e-6


class RollingMoments:
    """Mean and population variance of the last `size` values, O(1) amortised per value.

    Welford's update (1962, Technometrics 4(3)) applied to the pair leaving and entering, which
    avoids the cancellation of mean(x^2) - mean(x)^2. The sums are computed afresh from the window
    once per `size` values and whenever most of the squared sum left with an outlier, so rounding
    errors can't pile up.
    """

    __slots__ = ("_largest", "_next", "_size", "_squares", "_values", "mean")

    def __init__(self, size: int) -> None:
        self._size = size
        self._values = array("d")
        self._next = 0
        self._squares = 0.0
        self._largest = 0.0
        self.mean = 0.0

    def add(self, value: float) -> None:
        """Take the next value, dropping the oldest of a full window."""
        before = self.mean
        if len(self._values) < self._size:
            self._values.append(value)
            self.mean += (value - before) / len(self._values)
            self._squares += (value - before) * (value - self.mean)
            self._largest = self._squares
            return
        old, self._values[self._next] = self._values[self._next], value
        self._next = (self._next + 1) % self._size
        self.mean += (value - old) / self._size
        self._squares += (value - old) * (value - self.mean + old - before)
        self._largest = max(self._largest, self._squares)
        if self._next == 0 or self._squares < CANCELLED * self._largest:
            self._refresh()

    def _refresh(self) -> None:
        count = len(self._values)
        origin = self._values[0]
        mean = origin + sum(value - origin for value in self._values) / count
        self.mean = mean
        self._squares = self._largest = sum((value - mean) ** 2 for value in self._values)

    @property
    def is_full(self) -> bool:
        """True once `size` values were seen."""
        return len(self._values) == self._size

    @property
    def deviation(self) -> float:
        """Population standard deviation of the window."""
        return sqrt(max(0.0, self._squares) / len(self._values)) if self._values else 0.0


class _Series:
    """Closes of the last bars; those without a trade lie on the line between their neighbours.

    `unseen` holds the variance that they are expected to have about that line: s^2 j (k - j) / k at
    the j-th of k bars (desk.gaps), less the share that moves the window's mean along.
    """

    __slots__ = ("_moves", "_size", "bars", "closes", "gate", "unseen")

    def __init__(self, bars: Bars, size: int, gate: Gate) -> None:
        self.bars = bars
        self.gate = gate
        self.closes = RollingMoments(size)
        self.unseen = RollingMoments(size)
        self._size = size
        self._moves = Moves()

    def add(self, close: float) -> None:
        """Take the close of the bar that was completed."""
        move = self._moves.add(close, self.bars.elapsed)
        bars, change, variance = move or (1, 0.0, 0.0)
        about_mean = variance * (1.0 - min(bars, self._size) / (2.0 * self._size))
        for left in reversed(range(min(bars, self._size))):
            self.closes.add(close - left * change)
            self.unseen.add(about_mean * left * (bars - left) / bars)

    @property
    def deviation(self) -> float:
        """Standard deviation of the closes, including that expected of bars without a trade."""
        return sqrt(self.closes.deviation**2 + max(0.0, self.unseen.mean))


class MeanReversion:
    """%b and z-score of Bollinger's bands.

    Bands = mean +- k s over the last n closes with the population deviation s (n = 20, k = 2);
    %b = (close - lower) / (upper - lower) = 1/2 + z / (2 k), z = (close - mean) / s (Bollinger
    2001, "Bollinger on Bollinger Bands", chapters 7 and 8). Outside the bands the direction is
    back towards the mean; confidence is |z| over its bound for n values, sqrt(n - 1)
    (Shiffler 1988, The American Statistician 42(1)). A flat window has no z-score.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        self._length = settings.whole("LENGTH", 20, 3, 5_000)
        self._bands = settings.number("BANDS", 2.0, 0.1, 10.0)
        if self._bands >= sqrt(self._length - 1):
            raise settings.refuse(
                "BANDS", f"({self._bands}) can't be reached with LENGTH ({self._length})"
            )
        bar_ms, interval_ms = settings.bar_ms(), settings.interval_ms()
        self._symbols = Symbols(
            lambda: _Series(Bars(bar_ms), self._length, Gate(interval_ms)),
            settings.symbol_limit(),
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal when it completes a bar and the symbol's gate opens."""
        completed = completed_bar(self._symbols, event)
        if completed is None:
            return ()
        trade, series, close = completed
        series.add(close)
        closes, deviation = series.closes, series.deviation
        if not closes.is_full or deviation <= FLAT * closes.mean:
            return ()
        z_score = (close - closes.mean) / deviation
        direction = -sign(z_score, self._bands)
        if not series.gate.opens(direction, trade.time_ms):
            return ()
        confidence = abs(z_score) / sqrt(self._length - 1)
        return signals(
            SERVICE,
            trade.symbol,
            trade.time_ms,
            ("z_score", z_score, direction, confidence),
            ("percent_b", 0.5 + z_score / (2.0 * self._bands), 0, confidence),
        )


PROGRAM = Program(SERVICE, MeanReversion)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
