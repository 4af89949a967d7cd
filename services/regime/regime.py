"""Trend or range: Kaufman's efficiency ratio on time bars."""

from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from desk.events import Event, Signal
from desk.gaps import Moves
from desk.series import Bars, Gate, Settings, Symbols, completed_bar, sign, signals
from desk.service import Program, run

SERVICE = "regime"


class EfficiencyRatio:
    """Net change over path length of the last n bars.

    ER = |c_t - c_(t-n)| / sum |c_i - c_(i-1)| (Kaufman 1995, "Smarter Trading", chapter 7): 1 for
    a straight line, near 0 for noise. The path is added up afresh per bar from its n steps; bars
    without a trade have the steps to be expected (desk.gaps).
    """

    __slots__ = ("_changes", "_moves", "_path")

    def __init__(self, length: int) -> None:
        self._changes: deque[float] = deque(maxlen=length)
        self._path: deque[float] = deque(maxlen=length)
        self._moves = Moves()

    def add(self, close: float, bars: int = 1) -> None:
        """Take the close that came so many bars after the last."""
        move = self._moves.add(close, bars)
        if move is not None:
            count = min(bars, self._changes.maxlen or 1)
            self._changes.extend([move.change] * count)
            self._path.extend([sum(move.rise_and_fall())] * count)

    @property
    def value(self) -> float | None:
        """Signed ratio, -1 (straight down) to 1 (straight up), 0 if flat; None before n changes."""
        if len(self._changes) != self._changes.maxlen:
            return None
        path = sum(self._path)
        return max(-1.0, min(1.0, sum(self._changes) / path)) if path > 0.0 else 0.0


class _Series:
    __slots__ = ("bars", "gate", "ratio", "trend")

    def __init__(self, bars: Bars, ratio: EfficiencyRatio, gate: Gate) -> None:
        self.bars = bars
        self.ratio = ratio
        self.trend = 0
        self.gate = gate


class Regime:
    """Trending up, trending down or ranging.

    A trend starts where the ratio reaches ENTER and lasts until it falls below LEAVE or turns
    around, so that the regime doesn't flicker. The value is the unsigned ratio; confidence is the
    ratio in a trend and its complement in a range.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        length = settings.whole("LENGTH", 20, 2, 5_000)
        self._enter = settings.number("ENTER", 0.5, 0.01, 1.0)
        self._leave = settings.number("LEAVE", 0.3, 0.005, 1.0)
        if self._leave > self._enter:
            raise settings.refuse("LEAVE", f"({self._leave}) exceeds ENTER ({self._enter})")
        bar_ms, interval_ms = settings.bar_ms(), settings.interval_ms()
        self._symbols = Symbols(
            lambda: _Series(Bars(bar_ms), EfficiencyRatio(length), Gate(interval_ms)),
            settings.symbol_limit(),
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal when it completes a bar and the symbol's gate opens."""
        completed = completed_bar(self._symbols, event)
        if completed is None:
            return ()
        trade, series, close = completed
        series.ratio.add(close, series.bars.elapsed)
        ratio = series.ratio.value
        if ratio is None:
            return ()
        entered = sign(ratio, self._enter)
        stays = series.trend != 0 and sign(ratio, self._leave) == series.trend
        series.trend = entered or (series.trend if stays else 0)
        if not series.gate.opens(series.trend, trade.time_ms):
            return ()
        efficiency = abs(ratio)
        confidence = efficiency if series.trend else 1.0 - efficiency
        return signals(
            SERVICE,
            trade.symbol,
            trade.time_ms,
            ("efficiency_ratio", efficiency, series.trend, confidence),
        )


PROGRAM = Program(SERVICE, Regime)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
