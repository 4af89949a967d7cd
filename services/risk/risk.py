"""Losses to expect and the position they allow: value at risk, expected shortfall, drawdown."""

from array import array
from collections import deque
from collections.abc import Iterable
from math import sqrt
from typing import ClassVar

from desk.events import Event, Signal, Trade
from desk.series import (
    DAY_MS,
    Bars,
    Gate,
    Settings,
    SortedWindow,
    Symbols,
    completed_bar,
    signals,
)
from desk.service import Program, run

SERVICE = "risk"
ROUNDING = 1e-9


def tail_losses(ordered: "array[float]", tail: float) -> tuple[float, float]:
    """Return value at risk and expected shortfall of returns in rising order, as losses >= 0.

    With k = floor(n * tail) worst returns, at least one: VaR is the loss of the k-th, ES the mean
    loss of all k (historical simulation; Acerbi & Tasche 2002, "On the Coherence of Expected
    Shortfall", Journal of Banking & Finance 26(7), section 4).
    """
    worst = max(1, int(len(ordered) * tail + ROUNDING))
    shortfall = -sum(ordered[:worst]) / worst
    return max(0.0, -ordered[worst - 1]), max(0.0, shortfall)


class _Series:
    """Returns per bar in order of size, and the highest close of the last bars."""

    __slots__ = ("_bar", "_close", "_peaks", "_window", "bars", "gate", "returns")

    def __init__(self, bars: Bars, window: int, gate: Gate) -> None:
        self.bars = bars
        self.gate = gate
        self.returns = SortedWindow(window)
        self._window = window
        self._bar = 0
        self._close: float | None = None
        self._peaks: deque[tuple[int, float]] = deque()  # (bar, close): each above all later ones

    def add(self, close: float) -> None:
        """Take the next close; a return over k bars counts as one bar's by the root of k."""
        bars = self.bars.elapsed
        if self._close is not None:
            self.returns.add((close / self._close - 1.0) / sqrt(bars))
        self._close = close
        self._bar += bars
        peaks = self._peaks
        while peaks and peaks[-1][1] <= close:
            peaks.pop()
        peaks.append((self._bar, close))
        while peaks[0][0] < self._bar - self._window:
            peaks.popleft()

    @property
    def drawdown(self) -> float:
        """Share lost since the highest close of the window, 0 to 1."""
        return 1.0 - self._peaks[-1][1] / self._peaks[0][1]


class Risk:
    """Historical value at risk and expected shortfall, drawdown and the position they allow.

    Value at risk and expected shortfall are losses over the horizon, HORIZON_MS (default 300000),
    and their signals' names state it: `value_at_risk_300s`. Each of the last WINDOW returns is
    scaled by the square root of time (J.P. Morgan 1996, "RiskMetrics - Technical Document", 4th
    edition, section 5.2), first from the bars that it spans to one bar, then to the horizon. The
    position limit is the share of the equity whose expected shortfall equals the budget, at most
    1. The drawdown is that of the last WINDOW bars; one beyond its limit is a change of state and
    points down.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        window = settings.whole("WINDOW", 500, 10, 100_000)
        self._warmup = settings.whole("WARMUP_BARS", 20, 2, 100_000)
        if self._warmup > window:
            raise settings.refuse("WARMUP_BARS", f"({self._warmup}) exceeds WINDOW ({window})")
        self._tail = settings.number("TAIL", 0.05, 0.0001, 0.5)
        horizon_ms = settings.whole("HORIZON_MS", 300_000, 1_000, 365 * DAY_MS)
        self._budget = settings.number("BUDGET", 0.01, 0.00001, 1.0)
        self._drawdown_limit = settings.number("DRAWDOWN_LIMIT", 0.05, 0.0001, 1.0)
        bar_ms, interval_ms = settings.bar_ms(), settings.interval_ms(10_000)
        self._scale = sqrt(horizon_ms / bar_ms)
        self._horizon = f"{horizon_ms / 1_000:g}s"
        self._symbols = Symbols(
            lambda: _Series(Bars(bar_ms), window, Gate(interval_ms)), settings.symbol_limit()
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal when it completes a bar and the symbol's gate opens."""
        completed = completed_bar(self._symbols, event)
        if completed is None:
            return ()
        trade, series, close = completed
        series.add(close)
        if len(series.returns) < self._warmup:
            return ()
        drawdown = series.drawdown
        direction = -1 if drawdown >= self._drawdown_limit else 0
        if not series.gate.opens(direction, trade.time_ms):
            return ()
        return self._signals(trade, series.returns.ordered, drawdown, direction)

    def _signals(
        self, event: Trade, returns: "array[float]", drawdown: float, direction: int
    ) -> tuple[Signal, ...]:
        at_risk, shortfall = (
            min(1.0, loss * self._scale) for loss in tail_losses(returns, self._tail)
        )
        limit = min(1.0, self._budget / shortfall) if shortfall > 0.0 else 1.0
        return signals(
            SERVICE,
            event.symbol,
            event.time_ms,
            (f"value_at_risk_{self._horizon}", at_risk, 0, 1.0),
            (f"expected_shortfall_{self._horizon}", shortfall, 0, 1.0),
            ("drawdown", drawdown, direction, drawdown),
            ("position_limit", limit, 0, 1.0),
        )


PROGRAM = Program(SERVICE, Risk)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
