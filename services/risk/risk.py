"""How much could be lost and how much to hold: value at risk, expected shortfall, drawdown."""

import os
from array import array
from collections import deque
from collections.abc import Iterable, Mapping
from math import sqrt
from typing import ClassVar

from desk.events import Event, Signal, Trade
from desk.log import warn
from desk.series import (
    Bars,
    Gate,
    SettingError,
    Settings,
    SortedWindow,
    Symbols,
    completed_bar,
    signals,
)
from desk.service import run

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
    """Returns in order of size, and the closes they came from."""

    __slots__ = ("_closes", "_peak", "bars", "gate", "returns")

    def __init__(self, bars: Bars, window: int, gate: Gate) -> None:
        self.bars = bars
        self.gate = gate
        self.returns = SortedWindow(window)
        self._closes: deque[float] = deque(maxlen=window + 1)
        self._peak = 0.0

    def add(self, close: float) -> None:
        """Take the next close."""
        closes = self._closes
        if closes:
            self.returns.add(close / closes[-1] - 1.0)
        leaving = closes[0] if len(closes) == closes.maxlen else 0.0
        closes.append(close)
        self._peak = max(closes) if leaving >= self._peak else max(self._peak, close)

    @property
    def drawdown(self) -> float:
        """Share lost since the highest close of the window, 0 to 1."""
        return 1.0 - self._closes[-1] / self._peak


class Risk:
    """Historical value at risk and expected shortfall, drawdown and the position they allow.

    Losses of one bar are scaled to the horizon by the square root of time (J.P. Morgan 1996,
    "RiskMetrics - Technical Document", 4th edition, section 5.2). The position limit is the share
    of the equity whose expected shortfall equals the budget, at most 1. A drawdown beyond its
    limit is a change of state and points down.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        window = settings.whole("WINDOW", 500, 10, 100_000)
        self._warmup = settings.whole("WARMUP_BARS", 20, 2, 100_000)
        if self._warmup > window:
            raise settings.refuse("WARMUP_BARS", f"({self._warmup}) exceeds WINDOW ({window})")
        self._tail = settings.number("TAIL", 0.05, 0.0001, 0.5)
        self._horizon = sqrt(settings.whole("HORIZON_BARS", 300, 1, 1_000_000))
        self._budget = settings.number("BUDGET", 0.01, 0.00001, 1.0)
        self._drawdown_limit = settings.number("DRAWDOWN_LIMIT", 0.05, 0.0001, 1.0)
        bar_ms, interval_ms = settings.bar_ms(), settings.interval_ms(10_000)
        self._symbols = Symbols(
            lambda: _Series(Bars(bar_ms), window, Gate(interval_ms)), settings.symbol_limit()
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Risk":
        """Build from RISK_* variables; raises SettingError."""
        return cls(Settings(environ, "RISK"))

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
            min(1.0, loss * self._horizon) for loss in tail_losses(returns, self._tail)
        )
        limit = min(1.0, self._budget / shortfall) if shortfall > 0.0 else 1.0
        return signals(
            SERVICE,
            event.symbol,
            event.time_ms,
            ("value_at_risk", at_risk, 0, 1.0),
            ("expected_shortfall", shortfall, 0, 1.0),
            ("drawdown", drawdown, direction, drawdown),
            ("position_limit", limit, 0, 1.0),
        )


def main() -> int:
    """Run the service until it is told to stop; return the exit code, 2 for a bad setting."""
    try:
        indicator = Risk.from_env(os.environ)
    except SettingError as error:
        warn(str(error))
        return 2
    return run(SERVICE, indicator)


if __name__ == "__main__":
    raise SystemExit(main())
