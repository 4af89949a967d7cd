"""The direction in which the price gains speed: MACD, confirmed by Wilder's RSI, on time bars."""

from collections.abc import Iterable
from typing import ClassVar

from desk.events import Event, Signal
from desk.gaps import Moves
from desk.series import (
    Bars,
    Ewma,
    Gate,
    Settings,
    Symbols,
    completed_bar,
    sign,
    signals,
)
from desk.service import Program, run

SERVICE = "momentum"


class WilderRsi:
    """Relative strength index with Wilder's smoothing.

    RSI = 100 - 100 / (1 + G / L): G and L start as the plain means of the first n gains and
    losses, then G = (G (n - 1) + gain) / n (Wilder 1978, "New Concepts in Technical Trading
    Systems", section VI). Written as 100 (G / (G + L)), so that no division by zero losses arises.
    Bars without a trade have the gains and losses to be expected (desk.gaps).
    """

    __slots__ = ("_count", "_gain", "_length", "_loss", "_moves")

    def __init__(self, length: int) -> None:
        self._length = length
        self._moves = Moves()
        self._count = 0
        self._gain = 0.0
        self._loss = 0.0

    def add(self, close: float, bars: int = 1) -> None:
        """Take the close that came so many bars after the last."""
        move = self._moves.add(close, bars)
        if move is None:
            return
        gain, loss = move.rise_and_fall()
        missing = min(bars, self._length - self._count)
        self._count += missing
        share = missing / self._count
        if bars > missing:
            share = 1.0 - (1.0 - share) * (1.0 - 1.0 / self._length) ** (bars - missing)
        self._gain += (gain - self._gain) * share
        self._loss += (loss - self._loss) * share

    @property
    def value(self) -> float | None:
        """0 to 100, 50 for a flat price; None before n changes were seen."""
        if self._count < self._length:
            return None
        total = self._gain + self._loss
        return 100.0 * (self._gain / total) if total > 0.0 else 50.0


class Macd:
    """Moving average convergence/divergence.

    MACD = EMA_fast - EMA_slow, signal line = EMA of MACD, histogram = MACD - signal line, each
    EMA with weight 2 / (length + 1) (Appel 1979, "The Moving Average Convergence-Divergence
    Trading Method"). The closes of bars without a trade lie on the line between their neighbours;
    of a gap that outlasts the averages only the end is filled in.
    """

    __slots__ = ("_close", "_fast", "_longest_gap", "_missing", "_signal", "_slow", "histogram")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self._fast = Ewma(1.0 - 2.0 / (fast + 1))
        self._slow = Ewma(1.0 - 2.0 / (slow + 1))
        self._signal = Ewma(1.0 - 2.0 / (signal + 1))
        self._missing = slow + signal - 1
        self._longest_gap = 5 * (slow + signal)
        self._close: float | None = None
        self.histogram = 0.0

    def add(self, close: float, bars: int = 1) -> None:
        """Take the close that came so many bars after the last."""
        previous, self._close = self._close, close
        if previous is None:
            self._add_bar(close)
            return
        change = (close - previous) / bars
        for left in reversed(range(min(bars, self._longest_gap))):
            self._add_bar(close - left * change)

    def _add_bar(self, close: float) -> None:
        self._fast.add(close)
        self._slow.add(close)
        macd = self._fast.value - self._slow.value
        self._signal.add(macd)
        self.histogram = macd - self._signal.value
        self._missing = max(0, self._missing - 1)

    @property
    def is_ready(self) -> bool:
        """True once slow + signal - 1 closes were seen, the usual warm-up."""
        return self._missing == 0


class _Series:
    __slots__ = ("bars", "gate", "macd", "rsi")

    def __init__(self, bars: Bars, macd: Macd, rsi: WilderRsi, gate: Gate) -> None:
        self.bars = bars
        self.macd = macd
        self.rsi = rsi
        self.gate = gate


class Momentum:
    """Direction where the MACD histogram and the RSI agree; confidence |RSI - 50| / 50.

    The histogram is published in basis points of the price, so symbols compare.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        fast = settings.whole("FAST", 12, 1, 1_000)
        slow = settings.whole("SLOW", 26, 2, 2_000)
        signal = settings.whole("SIGNAL", 9, 1, 1_000)
        if fast >= slow:
            raise settings.refuse("FAST", f"({fast}) is not less than SLOW ({slow})")
        length = settings.whole("RSI_LENGTH", 14, 2, 1_000)
        bar_ms, interval_ms = settings.bar_ms(), settings.interval_ms()
        self._band = settings.number("RSI_BAND", 5.0, 0.001, 50.0)
        self._symbols = Symbols(
            lambda: _Series(
                Bars(bar_ms), Macd(fast, slow, signal), WilderRsi(length), Gate(interval_ms)
            ),
            settings.symbol_limit(),
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal when it completes a bar and the symbol's gate opens."""
        completed = completed_bar(self._symbols, event)
        if completed is None:
            return ()
        trade, series, close = completed
        series.macd.add(close, series.bars.elapsed)
        series.rsi.add(close, series.bars.elapsed)
        rsi = series.rsi.value
        if rsi is None or not series.macd.is_ready:
            return ()
        histogram = series.macd.histogram
        direction = sign(rsi - 50.0, self._band)
        if direction * histogram <= 0.0:
            direction = 0
        if not series.gate.opens(direction, trade.time_ms):
            return ()
        confidence = abs(rsi - 50.0) / 50.0
        return signals(
            SERVICE,
            trade.symbol,
            trade.time_ms,
            ("macd_bps", 10_000.0 * histogram / close, direction, confidence),
            ("rsi", rsi, 0, confidence),
        )


PROGRAM = Program(SERVICE, Momentum)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
