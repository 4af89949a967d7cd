"""Pressure at the best quotes: order flow imbalance over a sliding window."""

from array import array
from collections.abc import Iterable
from typing import ClassVar

from desk.events import Book, Event, Level, Signal
from desk.series import Gate, Settings, Symbols, is_amount, sign, signals
from desk.service import Program, run

SERVICE = "order-flow"
SLOTS = 10
LEVELS = 20

Side = tuple[Level, ...]
Quotes = tuple[Side, Side]


def usable(book: Book) -> Quotes | None:
    """Return the best bids and asks; None when a side is empty, crossed or not finite at the best.

    Levels below the best that are not finite or hold nothing are left out.
    """
    bids, asks = (
        tuple(level for level in side[:LEVELS] if all(map(is_amount, level)))
        for side in (book.bids, book.asks)
    )
    if not bids or not asks or bids[0] != book.bids[0] or asks[0] != book.asks[0]:
        return None
    return (bids, asks) if bids[0][0] <= asks[0][0] else None


def flow(before: Quotes, now: Quotes) -> float:
    """Return what one book update adds to the order flow imbalance, in units of quantity.

    e_n = [b_n >= b_(n-1)] qb_n - [b_n <= b_(n-1)] qb_(n-1)
        - [a_n <= a_(n-1)] qa_n + [a_n >= a_(n-1)] qa_(n-1)
    (Cont, Kukanov & Stoikov 2014, "The Price Impact of Order Book Events", Journal of Financial
    Econometrics 12(1), section 2.2). Where the best price moved past several levels between two
    updates, q is the sum over all of them: the paper's formula for a move of one level at a time.
    """
    (bids_before, asks_before), (bids, asks) = before, now
    return _side_flow(bids_before, bids, 1.0) - _side_flow(asks_before, asks, -1.0)


def _side_flow(before: Side, now: Side, upwards: float) -> float:
    """Return the quantity that one side gained at its best; `upwards` is the sign of better."""
    best_before, best = before[0][0], now[0][0]
    if best == best_before:
        return now[0][1] - before[0][1]
    if (best - best_before) * upwards > 0.0:
        return sum(quantity for price, quantity in now if (price - best_before) * upwards > 0.0)
    return -sum(quantity for price, quantity in before if (price - best) * upwards > 0.0)


class _Window:
    """Sums per time slot; the window is the last SLOTS complete slots.

    The totals are added up afresh from the slots whenever one completes: nothing is ever
    subtracted, so no rounding error outlives its slot.
    """

    __slots__ = ("_depth", "_net", "_quotes", "_slot", "_slot_ms", "_updates", "gate")

    def __init__(self, slot_ms: int, gate: Gate) -> None:
        self._slot_ms = slot_ms
        self._slot: int | None = None
        self._net = array("d", bytes(8 * SLOTS))
        self._depth = array("d", bytes(8 * SLOTS))
        self._updates = array("d", bytes(8 * SLOTS))
        self._quotes: Quotes | None = None
        self.gate = gate

    def add(self, quotes: Quotes, time_ms: int) -> tuple[float, float, float] | None:
        """Take a book; return net flow, gross flow and mean depth when a slot completes.

        Gross is the sum of the slots' net flows without their signs. Depth is the mean of the two
        best quantities, averaged over the window's updates.
        """
        totals = self._advance(time_ms // self._slot_ms)
        index = time_ms // self._slot_ms % SLOTS
        before, self._quotes = self._quotes, quotes
        if before is not None:
            self._net[index] += flow(before, quotes)
        self._depth[index] += (quotes[0][0][1] + quotes[1][0][1]) / 2.0
        self._updates[index] += 1.0
        return totals

    def _advance(self, slot: int) -> tuple[float, float, float] | None:
        previous, self._slot = self._slot, slot
        if previous is None or slot == previous:
            return None
        for empty in range(max(previous + 1, slot - SLOTS), slot):
            self._clear(empty)
        totals = self._totals()
        self._clear(slot)
        return totals

    def _clear(self, slot: int) -> None:
        index = slot % SLOTS
        self._net[index] = self._depth[index] = self._updates[index] = 0.0

    def _totals(self) -> tuple[float, float, float] | None:
        updates = sum(self._updates)
        if updates == 0.0:
            return None
        return sum(self._net), sum(map(abs, self._net)), sum(self._depth) / updates


class OrderFlow:
    """Order flow imbalance in units of the average depth, which is what moves the price.

    The paper's model is price change = OFI / (2 depth) in ticks (equation 4), so the value is
    OFI / depth. Confidence is net over gross flow: 1 when every slot pushed the same way. It
    compares slots rather than updates, of which a slower feed shows fewer.
    """

    streams: ClassVar[tuple[str, ...]] = ("books",)

    def __init__(self, settings: Settings) -> None:
        window_ms = settings.whole("WINDOW_MS", 10_000, 1_000, 3_600_000)
        interval_ms = settings.interval_ms()
        self._threshold = settings.number("THRESHOLD", 0.6, 0.001, 1.0)
        self._symbols = Symbols(
            lambda: _Window(window_ms // SLOTS, Gate(interval_ms)), settings.symbol_limit()
        )

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a book; signal when it completes a slot and the symbol's gate opens."""
        if not isinstance(event, Book):
            return ()
        quotes = usable(event)
        window = self._symbols.at(event.symbol, event.time_ms) if quotes else None
        totals = window.add(quotes, event.time_ms) if quotes and window else None
        if window is None or totals is None:
            return ()
        net, gross, depth = totals
        agreement = abs(net) / gross if gross > 0.0 else 0.0
        direction = sign(net, 0.0) if agreement >= self._threshold else 0
        if not window.gate.opens(direction, event.time_ms):
            return ()
        return signals(
            SERVICE,
            event.symbol,
            event.time_ms,
            ("order_flow_imbalance", net / depth, direction, agreement),
        )


PROGRAM = Program(SERVICE, OrderFlow)

if __name__ == "__main__":
    raise SystemExit(run(PROGRAM))
