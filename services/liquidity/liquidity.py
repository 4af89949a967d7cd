"""The cost of trading and the side with more depth, from the order book."""

from collections.abc import Iterable
from typing import ClassVar

from desk.events import Book, Event, Signal
from desk.series import Ewma, Gate, Settings, Symbols, is_amount, sign, signals
from desk.service import Program, run

SERVICE = "liquidity"
WIDE = 3


class _Quotes:
    """Averages over time: a book counts for as long as it stands."""

    __slots__ = ("_imbalance", "_latest", "_spread", "_time_ms", "books", "gate")

    def __init__(self, spread_decay: float, depth_decay: float, gate: Gate) -> None:
        self._spread = Ewma(spread_decay)
        self._imbalance = Ewma(depth_decay)
        self._latest = (0.0, 0.0)
        self._time_ms = 0
        self.books = 0
        self.gate = gate

    def add(self, spread: float, imbalance: float, time_ms: int) -> None:
        """Take a book's spread and imbalance; the book before it has stood until now."""
        if self.books:
            seconds = (time_ms - self._time_ms) / 1_000.0
            self._spread.add(self._latest[0], seconds)
            self._imbalance.add(self._latest[1], seconds)
        self._latest = (spread, imbalance)
        self._time_ms = time_ms
        self.books += 1

    @property
    def weight(self) -> float:
        """Weight of the time seen in the average spread, 0 to 1."""
        return self._spread.weight

    @property
    def spread(self) -> float:
        """Average spread in basis points."""
        return self._spread.value if self._spread.weight else self._latest[0]

    @property
    def imbalance(self) -> float:
        """Average depth imbalance, -1 to 1."""
        value = self._imbalance.value if self._imbalance.weight else self._latest[1]
        return max(-1.0, min(1.0, value))


def relative_spread_bps(book: Book) -> float | None:
    """Return the quoted spread in basis points of the middle, None for an unusable book.

    10000 (ask - bid) / ((ask + bid) / 2), as in Chordia, Roll & Subrahmanyam 2000, "Commonality
    in Liquidity", Journal of Financial Economics 56(1), table 1. A crossed book is unusable.
    """
    if not book.bids or not book.asks:
        return None
    bid, ask = book.bids[0][0], book.asks[0][0]
    if not (is_amount(bid) and is_amount(ask)) or ask < bid:
        return None
    return 10_000.0 * (ask - bid) / ((ask + bid) / 2.0)


def depth_imbalance(book: Book, levels: int) -> float | None:
    """Return (bid depth - ask depth) / (bid depth + ask depth) over the best levels, -1 to 1.

    As in Cao, Hansch & Wang 2009, "The Information Content of an Open Limit-order Book", Journal
    of Futures Markets 29(1). None if a quantity is unusable.
    """
    bid = ask = 0.0
    for _, quantity in book.bids[:levels]:
        if not is_amount(quantity):
            return None
        bid += quantity
    for _, quantity in book.asks[:levels]:
        if not is_amount(quantity):
            return None
        ask += quantity
    total = bid + ask
    return (bid - ask) / total if total > 0.0 else None


class Liquidity:
    """Relative quoted spread and depth imbalance.

    Both are averaged with weights that decay per second (SPREAD_DECAY, DEPTH_DECAY). The state
    turns wide when the spread exceeds a multiple of its own slow average; the direction is the
    side with more depth, and its confidence is the averaged imbalance.
    """

    streams: ClassVar[tuple[str, ...]] = ("books",)

    def __init__(self, settings: Settings) -> None:
        self._levels = settings.whole("LEVELS", 10, 1, 1_000)
        self._wide_ratio = settings.number("WIDE_RATIO", 2.0, 1.01, 1_000.0)
        self._threshold = settings.number("THRESHOLD", 0.3, 0.001, 1.0)
        self._warmup = settings.whole("WARMUP_BOOKS", 20, 1, 10_000)
        spread_decay = settings.number("SPREAD_DECAY", 0.97, 0.5, 0.99999)
        depth_decay = settings.number("DEPTH_DECAY", 0.7, 0.0, 0.9999)
        interval_ms = settings.interval_ms()
        self._symbols = Symbols(
            lambda: _Quotes(spread_decay, depth_decay, Gate(interval_ms)),
            settings.symbol_limit(),
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a book; signal when the symbol's gate opens."""
        if not isinstance(event, Book):
            return ()
        spread = relative_spread_bps(event)
        imbalance = depth_imbalance(event, self._levels)
        if spread is None or imbalance is None:
            return ()
        quotes = self._symbols.at(event.symbol, event.time_ms)
        if quotes is None:
            return ()
        quotes.add(spread, imbalance, event.time_ms)
        if quotes.books < self._warmup:
            return ()
        smooth = quotes.imbalance
        direction = sign(smooth, self._threshold)
        is_wide = spread > self._wide_ratio * quotes.spread
        if not quotes.gate.opens(direction + (WIDE if is_wide else 0), event.time_ms):
            return ()
        return signals(
            SERVICE,
            event.symbol,
            event.time_ms,
            ("relative_spread_bps", spread, 0, quotes.weight),
            ("depth_imbalance", smooth, direction, abs(smooth)),
        )


PROGRAM = Program(SERVICE, Liquidity)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
