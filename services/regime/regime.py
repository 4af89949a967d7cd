"""Does the market trend or range: Kaufman's efficiency ratio on time bars."""

import os
from collections import deque
from collections.abc import Iterable, Mapping
from typing import ClassVar

from desk.events import Event, Signal
from desk.log import warn
from desk.series import Bars, Gate, SettingError, Settings, Symbols, completed_bar, sign, signals
from desk.service import run

SERVICE = "regime"


class EfficiencyRatio:
    """Net change over path length of the last n changes.

    ER = |c_t - c_(t-n)| / sum |c_i - c_(i-1)| (Kaufman 1995, "Smarter Trading", chapter 7): 1 for
    a straight line, near 0 for noise. The path is added up afresh per bar from its n steps.
    """

    __slots__ = ("_previous", "_steps")

    def __init__(self, length: int) -> None:
        self._steps: deque[float] = deque(maxlen=length)
        self._previous: float | None = None

    def add(self, close: float) -> None:
        """Take the next close."""
        if self._previous is not None:
            self._steps.append(close - self._previous)
        self._previous = close

    @property
    def value(self) -> float | None:
        """Signed ratio, -1 (straight down) to 1 (straight up), 0 if flat; None before n changes."""
        if len(self._steps) != self._steps.maxlen:
            return None
        path = sum(map(abs, self._steps))
        return max(-1.0, min(1.0, sum(self._steps) / path)) if path > 0.0 else 0.0


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

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Regime":
        """Build from REGIME_* variables; raises SettingError."""
        return cls(Settings(environ, "REGIME"))

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal when it completes a bar and the symbol's gate opens."""
        completed = completed_bar(self._symbols, event)
        if completed is None:
            return ()
        trade, series, close = completed
        series.ratio.add(close)
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


def main() -> int:
    """Run the service until it is told to stop; return the exit code, 2 for a bad setting."""
    try:
        indicator = Regime.from_env(os.environ)
    except SettingError as error:
        warn(str(error))
        return 2
    return run(SERVICE, indicator)


if __name__ == "__main__":
    raise SystemExit(main())
