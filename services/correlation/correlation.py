"""Symbols that move together: exponentially weighted correlation of bar returns."""

from collections.abc import Iterable
from itertools import combinations
from math import log, sqrt
from typing import ClassVar

from desk.events import Event, Signal, Trade
from desk.series import Gate, Settings, Symbols, is_amount, sign, signals
from desk.service import Program, run

SERVICE = "correlation"
STILL = 1e-15


class Pair:
    """Exponentially weighted co-moments of two return series with zero means.

    rho = cov / (dev_1 dev_2) with cov_t = d cov_(t-1) + (1 - d) r_1 r_2 and the variances alike
    (J.P. Morgan 1996, "RiskMetrics - Technical Document", 4th edition, section 5.2.2); the common
    factor cancels. Two symbols rarely trade in the same bar where trades are few, and returns cut
    at common times would then miss most of what they share (Epps 1979). So every return of one is
    multiplied by all returns of the other that overlap it (Hayashi & Yoshida 2005, "On Covariance
    Estimation of Non-synchronously Observed Diffusion Processes", Bernoulli 11(2), definition
    3.1). A round ends once both have traded; its sums then enter with the next weight, so that
    the weights count observations, and a symbol's silence changes nothing.
    """

    __slots__ = ("_ahead", "_decay", "_round", "_sums", "_traded", "count", "gate", "published")

    def __init__(self, decay: float, gate: Gate) -> None:
        self._decay = decay
        self._sums = (0.0, 0.0, 0.0)  # of r_1 r_2, r_1^2 and r_2^2
        self._round = (0.0, 0.0, 0.0)
        self._ahead = (0.0, 0.0)  # each one's return since the other last traded
        self._traded = (False, False)
        self.count = 0
        self.published = 0
        self.gate = gate

    def add(self, first: float | None, second: float | None) -> None:
        """Take both symbols' returns since their last trades; None without a trade in this bar."""
        cross, first_square, second_square = self._round
        ahead, second_ahead = self._ahead
        if first is not None:
            cross += first * second_ahead
            first_square += first * first
        if second is not None:
            cross += second * (ahead + (first or 0.0))
            second_square += second * second
        self._round = cross, first_square, second_square
        self._ahead = (
            0.0 if second is not None else ahead + (first or 0.0),
            0.0 if first is not None else second_ahead + (second or 0.0),
        )
        self._traded = (self._traded[0] or first is not None, self._traded[1] or second is not None)
        if all(self._traded):
            self._end_round()

    def _end_round(self) -> None:
        decay = self._decay
        new = zip(self._sums, self._round, strict=True)
        cross, first, second = (decay * total + (1.0 - decay) * value for total, value in new)
        self._sums = cross, first, second
        self._round = (0.0, 0.0, 0.0)
        self._traded = (False, False)
        self.count += 1

    @property
    def value(self) -> float | None:
        """Correlation from -1 to 1; None while either stands still."""
        cross, first, second = self._sums[0], sqrt(self._sums[1]), sqrt(self._sums[2])
        if first <= STILL or second <= STILL:
            return None
        return max(-1.0, min(1.0, cross / first / second))


class _Leg:
    """One symbol's latest price, and its close when it last traded; 0 before that."""

    __slots__ = ("close", "has_traded", "price")

    def __init__(self) -> None:
        self.close = 0.0
        self.price = 0.0
        self.has_traded = False

    def take_return(self) -> float | None:
        """Close the bar; return the log return since the last trade, None without a trade."""
        if not self.has_traded:
            return None
        before, self.close, self.has_traded = self.close, self.price, False
        return log(self.close / before) if before > 0.0 else None


class _Market:
    """Latest prices of all symbols, closed together at the end of each bar."""

    __slots__ = ("_bar_ms", "_decay", "_index", "_interval_ms", "_legs", "pairs")

    def __init__(self, bar_ms: int, limit: int, decay: float, interval_ms: int) -> None:
        self._bar_ms = bar_ms
        self._index: int | None = None
        self._legs = Symbols(_Leg, limit)
        self._decay = decay
        self._interval_ms = interval_ms
        self.pairs: dict[tuple[str, str], Pair] = {}

    def add(self, symbol: str, price: float, time_ms: int) -> bool:
        """Take a trade's price; return whether its time completed a bar."""
        index = time_ms // self._bar_ms
        previous = index if self._index is None else self._index
        if index > previous:
            self._close()
        self._index = max(index, previous)
        leg = self._legs.at(symbol, time_ms)
        if leg is not None:
            leg.price = price
            leg.has_traded = True
        return index > previous

    def _close(self) -> None:
        returns: list[tuple[str, float | None]] = []
        for symbol, leg in sorted(self._legs.items()):
            is_known = leg.close > 0.0
            change = leg.take_return()
            if is_known:
                returns.append((symbol, change))
        live: dict[tuple[str, str], Pair] = {}
        for (name, first), (peer, second) in combinations(returns, 2):
            names = (name, peer)
            live[names] = self.pairs.get(names) or Pair(self._decay, Gate(self._interval_ms))
            live[names].add(first, second)
        self.pairs = live


class Correlation:
    """Correlation of every pair of symbols; a signal's symbol is `FIRST/SECOND` by name.

    Confidence is the weight of what was seen, 1 - d^n. A correlation has no direction; crossing
    the threshold (0.7) either way is a change of state. A pair stays silent until both symbols
    have traded again.
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
        is_news = pair.count >= self._warmup and pair.count > pair.published
        rho = pair.value if is_news else None
        if rho is None or not pair.gate.opens(sign(rho, self._threshold), time_ms):
            return ()
        pair.published = pair.count
        confidence = 1.0 - self._decay**pair.count
        return signals(SERVICE, symbol, time_ms, ("correlation", rho, 0, confidence))


PROGRAM = Program(SERVICE, Correlation)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
