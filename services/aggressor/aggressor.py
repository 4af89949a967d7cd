"""The side that crosses the spread: imbalance of taker flow over volume buckets."""

from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from desk.events import Event, Signal, Trade
from desk.series import Ewma, Gate, Settings, Symbols, is_amount, sign, signals
from desk.service import Program, run

SERVICE = "aggressor"
MEAN_TRADE_DECAY = 0.99
FULL = 1.0 - 1e-9


class _Flow:
    """Volume buckets of one symbol; each bucket's size is fixed when it opens."""

    __slots__ = ("_buckets", "_filled", "_mean", "_signed", "_size", "_trades", "gate")

    def __init__(self, bucket_count: int, bucket_trades: int, gate: Gate) -> None:
        self._buckets: deque[tuple[float, float]] = deque(maxlen=bucket_count)
        self._trades = bucket_trades
        self._mean = Ewma(MEAN_TRADE_DECAY)
        self._size = 0.0
        self._filled = 0.0
        self._signed = 0.0
        self.gate = gate

    def add(self, notional: float, side: int) -> bool:
        """Pour a trade into the buckets; return whether it completed any.

        The mean includes the trade before new buckets are sized, so even the largest trade fills
        no more than about 1 / ((1 - decay) * trades per bucket) of them.
        """
        self._mean.add(notional)
        self._size = self._size or self._trades * self._mean.value
        completed = False
        while self._filled + notional >= self._size * FULL:
            poured = self._size - self._filled
            self._buckets.append((self._signed + side * poured, self._size))
            notional = max(0.0, notional - poured)
            self._filled = self._signed = 0.0
            self._size = self._trades * self._mean.value
            completed = True
        self._filled += notional
        self._signed += side * notional
        return completed

    def imbalances(self) -> tuple[float, float, float]:
        """Return signed imbalance (-1..1), VPIN (0..1) and how full the window is (0..1)."""
        volume = sum(size for _, size in self._buckets)
        signed = sum(net for net, _ in self._buckets) / volume
        toxicity = sum(abs(net) for net, _ in self._buckets) / volume
        fullness = len(self._buckets) / (self._buckets.maxlen or 1)
        return max(-1.0, min(1.0, signed)), min(1.0, toxicity), fullness


class Aggressor:
    """Trade imbalance and VPIN.

    VPIN = sum |V_buy - V_sell| / (n V) over the last n volume buckets (Easley, Lopez de Prado &
    O'Hara 2012, "Flow Toxicity and Liquidity in a High-frequency World", Review of Financial
    Studies 25(5), equation 8). The exchange names the taker's side, so no bulk classification is
    needed. The same sum without the absolute value is the signed imbalance. Volume is price times
    quantity; a bucket holds a set number of average trades, which makes both figures independent
    of the symbol's scale (with equal buckets the formula is the paper's).
    """

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        count = settings.whole("BUCKETS", 20, 1, 500)
        trades = settings.whole("BUCKET_TRADES", 20, 2, 10_000)
        interval_ms = settings.interval_ms()
        self._threshold = settings.number("THRESHOLD", 0.2, 0.001, 1.0)
        self._symbols = Symbols(
            lambda: _Flow(count, trades, Gate(interval_ms)), settings.symbol_limit()
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a trade; signal when it completes a bucket and the symbol's gate opens."""
        if not isinstance(event, Trade):
            return ()
        if not (is_amount(event.price) and is_amount(event.quantity)):
            return ()
        flow = self._symbols.at(event.symbol, event.time_ms)
        if flow is None:
            return ()
        if not flow.add(event.price * event.quantity, 1 if event.taker_is_buyer else -1):
            return ()
        imbalance, vpin, fullness = flow.imbalances()
        direction = sign(imbalance, self._threshold)
        if not flow.gate.opens(direction, event.time_ms):
            return ()
        return signals(
            SERVICE,
            event.symbol,
            event.time_ms,
            ("trade_imbalance", imbalance, direction, abs(imbalance) * fullness),
            ("vpin", vpin, 0, fullness),
        )


PROGRAM = Program(SERVICE, Aggressor)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
