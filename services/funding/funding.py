"""The cost of holding a perpetual, and its extremes: funding rate and basis."""

from collections.abc import Iterable
from typing import ClassVar

from desk.events import Event, Signal
from desk.events import Funding as FundingEvent
from desk.series import Gate, Settings, SortedWindow, Symbols, is_amount, signals
from desk.service import Program, run

SERVICE = "funding"
HOURS_PER_YEAR = 24 * 365
LARGEST_RATE = 1.0


class _Rates:
    """Rates of one symbol, sampled so that the window spans time and not messages."""

    __slots__ = ("_sample_ms", "_sampled", "gate", "window")

    def __init__(self, sample_ms: int, window: SortedWindow, gate: Gate) -> None:
        self._sample_ms = sample_ms
        self._sampled: int | None = None
        self.window = window
        self.gate = gate

    def sample(self, rate: float, time_ms: int) -> None:
        """Take the first rate of each sampling period into the window."""
        period = time_ms // self._sample_ms
        if period != self._sampled:
            self._sampled = period
            self.window.add(rate)


class Funding:
    """Annualised funding, basis, and a direction against the crowd at the extremes.

    Annualised = rate * payments per year, not compounded; basis = (mark - index) / index. Positive
    funding is paid by longs (Shiller 1993, "Measuring Asset Values for Cash Settlement in
    Derivative Markets", Journal of Finance 48(3), the perpetual future; He et al. 2022,
    "Fundamentals of Perpetual Futures", section 2). A rate in the top tail of the last hours'
    samples that longs pay points down, one in the bottom tail that shorts pay points up, with
    the percentile's distance from one half as confidence.
    """

    streams: ClassVar[tuple[str, ...]] = ("funding",)

    def __init__(self, settings: Settings) -> None:
        hours = settings.number("HOURS", 8.0, 0.25, 168.0)
        sample_ms = settings.whole("SAMPLE_MS", 60_000, 100, 86_400_000)
        size = settings.whole("WINDOW", 480, 10, 100_000)
        interval_ms = settings.interval_ms(30_000)
        self._payments_per_year = HOURS_PER_YEAR / hours
        self._tail = settings.number("TAIL", 0.05, 0.001, 0.5)
        self._warmup = settings.whole("WARMUP_SAMPLES", 20, 1, 100_000)
        if self._warmup > size:
            raise settings.refuse("WARMUP_SAMPLES", f"({self._warmup}) exceeds WINDOW ({size})")
        self._symbols = Symbols(
            lambda: _Rates(sample_ms, SortedWindow(size), Gate(interval_ms)),
            settings.symbol_limit(),
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a funding update; signal when the symbol's gate opens."""
        if not isinstance(event, FundingEvent) or not abs(event.rate) <= LARGEST_RATE:
            return ()
        if not (is_amount(event.mark_price) and is_amount(event.index_price)):
            return ()
        rates = self._symbols.at(event.symbol, event.time_ms)
        if rates is None:
            return ()
        rank = rates.window.rank(event.rate) if len(rates.window) >= self._warmup else 0.5
        rates.sample(event.rate, event.time_ms)
        direction = self._direction(event.rate, rank)
        if not rates.gate.opens(direction, event.time_ms):
            return ()
        basis = (event.mark_price - event.index_price) / event.index_price
        return signals(
            SERVICE,
            event.symbol,
            event.time_ms,
            (
                "annualised_funding",
                event.rate * self._payments_per_year,
                direction,
                abs(2.0 * rank - 1.0),
            ),
            ("basis_bps", 10_000.0 * basis, 0, 1.0),
        )

    def _direction(self, rate: float, rank: float) -> int:
        if rank >= 1.0 - self._tail and rate > 0.0:
            return -1
        return 1 if rank <= self._tail and rate < 0.0 else 0


PROGRAM = Program(SERVICE, Funding)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
