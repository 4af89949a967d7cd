"""The size of the price's moves: RiskMetrics' exponentially weighted variance of bar returns."""

from collections.abc import Iterable
from math import log, sqrt
from typing import ClassVar

from desk.events import Event, Signal
from desk.series import (
    DAY_MS,
    Bars,
    Ewma,
    Gate,
    Settings,
    Symbols,
    completed_bar,
    signals,
)
from desk.service import Program, run

SERVICE = "volatility"
YEAR_MS = 365 * DAY_MS


class _Series:
    __slots__ = ("bars", "close", "fast", "gate", "slow")

    def __init__(self, bars: Bars, fast: Ewma, slow: Ewma, gate: Gate) -> None:
        self.bars = bars
        self.close: float | None = None
        self.fast = fast
        self.slow = slow
        self.gate = gate

    def add(self, close: float) -> None:
        """Take the next close; a return over several bars counts as variance per bar."""
        previous, self.close = self.close, close
        if previous is None:
            return
        variance = log(close / previous) ** 2 / self.bars.elapsed
        self.fast.add(variance)
        self.slow.add(variance)


class Volatility:
    """Annualised volatility and its ratio to the slower average.

    var_t = d var_(t-1) + (1 - d) r_t^2 with zero mean, d = 0.94 fast and 0.97 slow (J.P. Morgan
    1996, "RiskMetrics - Technical Document", 4th edition, section 5.2). Scaled by the square root
    of time to a year of 365 days, since the market never closes. The state is calm, usual or
    stressed by the ratio of fast to slow; none says where the price goes, so the direction is 0.
    Confidence is the weight of what was seen, 1 - d^t. The weights decay per return, whatever time
    it spans, so that the figure is as precise for a symbol that trades rarely.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        fast = settings.number("FAST_DECAY", 0.94, 0.5, 0.9999)
        slow = settings.number("SLOW_DECAY", 0.97, 0.5, 0.99999)
        if fast >= slow:
            raise settings.refuse("FAST_DECAY", f"({fast}) is not less than SLOW_DECAY ({slow})")
        self._stress = settings.number("STRESS_RATIO", 1.25, 1.001, 100.0)
        self._warmup = settings.whole("WARMUP_BARS", 10, 1, 10_000)
        bar_ms, interval_ms = settings.bar_ms(), settings.interval_ms()
        self._least_weight = 1.0 - fast**self._warmup
        self._bars_per_year = YEAR_MS / bar_ms
        self._symbols = Symbols(
            lambda: _Series(Bars(bar_ms), Ewma(fast), Ewma(slow), Gate(interval_ms)),
            settings.symbol_limit(),
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal when it completes a bar and the symbol's gate opens."""
        completed = completed_bar(self._symbols, event)
        if completed is None:
            return ()
        trade, series, close = completed
        series.add(close)
        if series.fast.weight < self._least_weight * (1.0 - 1e-9):
            return ()
        ratio = self._ratio(series)
        if not series.gate.opens(self._state(ratio), trade.time_ms):
            return ()
        annual = sqrt(series.fast.value * self._bars_per_year)
        weight = series.fast.weight
        return signals(
            SERVICE,
            trade.symbol,
            trade.time_ms,
            ("annualised_volatility", annual, 0, weight),
            ("volatility_ratio", ratio, 0, weight),
        )

    @staticmethod
    def _ratio(series: _Series) -> float:
        slow = series.slow.value
        return sqrt(series.fast.value / slow) if slow > 0.0 else 1.0

    def _state(self, ratio: float) -> int:
        if ratio >= self._stress:
            return 1
        return -1 if ratio <= 1.0 / self._stress else 0


PROGRAM = Program(SERVICE, Volatility)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
