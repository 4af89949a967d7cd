"""One opinion per symbol: all services' directions fused by confidence-weighted log-odds."""

from collections.abc import Iterable
from math import exp2, log, tanh
from typing import ClassVar

from desk.events import Event, Signal
from desk.series import Gate, Settings, Symbols, sign, signals
from desk.service import Program, run

SERVICE = "signal-fusion"
OUTPUT = "fused"
SOURCE_LIMIT = 64
SUREST = 0.98

Source = tuple[str, str]


class _Opinions:
    """The latest directional signal of each source, (service, name), about one symbol."""

    __slots__ = ("_latest", "_now_ms", "gate")

    def __init__(self, gate: Gate) -> None:
        self._latest: dict[Source, tuple[float, int]] = {}
        self._now_ms: int | None = None
        self.gate = gate

    def add(self, source: Source, log_odds: float, time_ms: int) -> int:
        """Take an opinion unless the source has a newer one; 0 withdraws. Return the time now."""
        now_ms = time_ms if self._now_ms is None else max(self._now_ms, time_ms)
        self._now_ms = now_ms
        known = self._latest.get(source)
        if known is not None and time_ms < known[1]:
            return now_ms
        if log_odds == 0.0:
            self._latest.pop(source, None)
        elif known is not None or len(self._latest) < SOURCE_LIMIT:
            self._latest[source] = (log_odds, time_ms)
        return now_ms

    def pool(self, now_ms: int, half_life_ms: int, age_limit_ms: int) -> tuple[float, float]:
        """Return the sums of weighted log-odds and of weights, forgetting what is too old."""
        total = weights = 0.0
        for source, (log_odds, time_ms) in tuple(self._latest.items()):
            age_ms = now_ms - time_ms
            if age_ms > age_limit_ms:
                del self._latest[source]
                continue
            weight = exp2(-age_ms / half_life_ms)
            total += weight * log_odds
            weights += weight
        return total, weights


def log_odds(direction: int, confidence: float) -> float:
    """Return logit p for the probability p = (1 + direction * confidence) / 2 of a rise.

    Confidence is held at 0.98, so that no single service can outvote all others for good.
    """
    lean = direction * min(confidence, SUREST)
    return log((1.0 + lean) / (1.0 - lean))


class SignalFusion:
    """Probability of a rise from all opinions that are still fresh.

    logit p = a * sum w_i logit p_i / (1 + sum w_i): the weighted mean of the log-odds (a
    logarithmic opinion pool, Genest & Zidek 1986, "Combining Probability Distributions",
    Statistical Science 1(1)) made more extreme by a, since services see partly different things
    (Satopaa et al. 2014, "Combining Multiple Probability Predictions Using a Simple Logit Model",
    International Journal of Forecasting 30(2); their a is about 2). The 1 is one undecided
    opinion, so few voices count for less than many. w_i halves per half-life of a signal's age;
    a signal without direction withdraws its source's opinion. The value is p, the confidence
    |2 p - 1|.
    """

    streams: ClassVar[tuple[str, ...]] = ("signals",)

    def __init__(self, settings: Settings) -> None:
        self._half_life_ms = settings.whole("HALF_LIFE_MS", 15_000, 100, 86_400_000)
        self._age_limit_ms = settings.whole("AGE_LIMIT_MS", 120_000, 100, 86_400_000)
        self._extremity = settings.number("EXTREMITY", 2.0, 0.1, 10.0)
        self._threshold = settings.number("THRESHOLD", 0.2, 0.001, 1.0)
        interval_ms = settings.interval_ms()
        self._symbols = Symbols(
            lambda: _Opinions(Gate(interval_ms)),
            settings.symbol_limit(),
            tolerance_ms=self._age_limit_ms,
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a service's signal; signal the fused opinion when the symbol's gate opens."""
        if not isinstance(event, Signal) or event.service == SERVICE:
            return ()
        if event.direction not in (-1, 0, 1) or not 0.0 <= event.confidence <= 1.0:
            return ()
        if event.direction == 0 and event.symbol not in self._symbols:
            return ()
        opinions = self._symbols.at(event.symbol, event.time_ms)
        if opinions is None:
            return ()
        source = (event.service, event.name)
        now_ms = opinions.add(source, log_odds(event.direction, event.confidence), event.time_ms)
        total, weights = opinions.pool(now_ms, self._half_life_ms, self._age_limit_ms)
        lean = tanh(self._extremity * total / (1.0 + weights) / 2.0)
        direction = sign(lean, self._threshold)
        is_news = weights > 0.0 or opinions.gate.state != 0
        if not is_news or not opinions.gate.opens(direction, now_ms):
            return ()
        reading = ("probability_up", (1.0 + lean) / 2.0, direction, abs(lean))
        return signals(SERVICE, event.symbol, now_ms, reading)


PROGRAM = Program(SERVICE, SignalFusion, OUTPUT)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
