"""Which symbols move together: exponentially weighted correlation of bar returns."""

import os
from collections.abc import Iterable, Mapping
from itertools import combinations
from math import log, sqrt
from typing import ClassVar

from desk.events import Event, Signal, Trade
from desk.log import warn
from desk.series import Gate, SettingError, Settings, Symbols, is_amount, sign, signals
from desk.service import run

SERVICE = "correlation"
STILL = 1e-15


class Pair:
    """Exponentially weighted co-moments of two return series with zero means.

    rho = cov / (dev_1 dev_2) with cov_t = d cov_(t-1) + (1 - d) r_1 r_2 and the variances alike
    (J.P. Morgan 1996, "RiskMetrics - Technical Document", 4th edition, section 5.2.2). All three
    sums weigh the same observations, so that Cauchy-Schwarz holds |rho| <= 1, and their common
    factor cancels.
    """

    __slots__ = ("_cross", "_decay", "_first", "_second", "count", "gate")

    def __init__(self, decay: float, gate: Gate) -> None:
        self._decay = decay
        self._cross = 0.0
        self._first = 0.0
        self._second = 0.0
        self.count = 0
        self.gate = gate

    def add(self, first: float, second: float) -> None:
        """Take both symbols' returns over the same bar."""
        decay, weight = self._decay, 1.0 - self._decay
        self._cross = decay * self._cross + weight * first * second
        self._first = decay * self._first + weight * first * first
        self._second = decay * self._second + weight * second * second
        self.count += 1

    @property
    def value(self) -> float | None:
        """Correlation from -1 to 1; None while one of the two stands still."""
        first, second = sqrt(self._first), sqrt(self._second)
        if first <= STILL or second <= STILL:
            return None
        return max(-1.0, min(1.0, self._cross / first / second))


class _Leg:
    __slots__ = ("close", "price")

    def __init__(self) -> None:
        self.close = 0.0
        self.price = 0.0


class _Market:
    """Latest prices of all symbols, closed together at the end of each bar.

    A symbol without a trade in the bar keeps its price (previous-tick interpolation, Dacorogna et
    al. 2001, "An Introduction to High-Frequency Finance", section 3.2.1): returns of all symbols
    cover the same time, also after a gap in the stream.
    """

    __slots__ = ("_bar_ms", "_decay", "_index", "_interval_ms", "_legs", "pairs")

    def __init__(self, bar_ms: int, limit: int, decay: float, interval_ms: int) -> None:
        self._bar_ms = bar_ms
        self._index: int | None = None
        self._legs = Symbols(_Leg, limit)
        self._decay = decay
        self._interval_ms = interval_ms
        self.pairs: dict[tuple[str, str], Pair] = {}

    def add(self, symbol: str, price: float, time_ms: int) -> bool:
        """Take a trade's price; say whether its time completed a bar."""
        index = time_ms // self._bar_ms
        previous = index if self._index is None else self._index
        if index > previous:
            self._close()
        self._index = max(index, previous)
        leg = self._legs.at(symbol, time_ms)
        if leg is not None:
            leg.price = price
        return index > previous

    def _close(self) -> None:
        returns: list[tuple[str, float]] = []
        for symbol, leg in self._legs.items():
            if leg.close > 0.0:
                returns.append((symbol, log(leg.price / leg.close)))
            leg.close = leg.price
        returns.sort()
        live: dict[tuple[str, str], Pair] = {}
        for (one, first), (other, second) in combinations(returns, 2):
            pair = self.pairs.get((one, other))
            if pair is None:
                pair = Pair(self._decay, Gate(self._interval_ms))
            pair.add(first, second)
            live[one, other] = pair
        self.pairs = live


class Correlation:
    """Correlation of every pair of symbols; a signal's symbol is `FIRST/SECOND` by name.

    Confidence is the weight of what was seen, 1 - d^n. A correlation has no direction; crossing
    the threshold (0.7) either way is a change of state.
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        bar_ms = settings.bar_ms()
        limit = settings.whole("SYMBOL_LIMIT", 8, 2, 64)
        interval_ms = settings.interval_ms(30_000)
        self._decay = settings.number("DECAY", 0.97, 0.5, 0.99999)
        self._warmup = settings.whole("WARMUP_BARS", 20, 2, 100_000)
        self._threshold = settings.number("THRESHOLD", 0.7, 0.001, 1.0)
        self._market = Symbols(
            lambda: _Market(bar_ms, limit, self._decay, interval_ms), 1, tolerance_ms=bar_ms
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Correlation":
        """Build from CORRELATION_* variables; raises SettingError."""
        return cls(Settings(environ, "CORRELATION"))

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal every pair whose gate opens when it completes a bar."""
        if not isinstance(event, Trade) or not is_amount(event.price):
            return ()
        market = self._market.at("", event.time_ms)
        if market is None or not market.add(event.symbol, event.price, event.time_ms):
            return ()
        return tuple(
            signal
            for names, pair in market.pairs.items()
            for signal in self._signals("/".join(names), pair, event.time_ms)
        )

    def _signals(self, symbol: str, pair: Pair, time_ms: int) -> tuple[Signal, ...]:
        rho = pair.value if pair.count >= self._warmup else None
        if rho is None or not pair.gate.opens(sign(rho, self._threshold), time_ms):
            return ()
        confidence = 1.0 - self._decay**pair.count
        return signals(SERVICE, symbol, time_ms, ("correlation", rho, 0, confidence))


def main() -> int:
    """Run the service until it is told to stop; return the exit code, 2 for a bad setting."""
    try:
        indicator = Correlation.from_env(os.environ)
    except SettingError as error:
        warn(str(error))
        return 2
    return run(SERVICE, indicator)


if __name__ == "__main__":
    raise SystemExit(main())
