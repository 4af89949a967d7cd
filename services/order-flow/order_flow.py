"""Pressure at the best quotes: order flow imbalance over a sliding window."""

import os
from array import array
from collections.abc import Iterable, Mapping
from typing import ClassVar

from desk.events import Book, Event, Signal
from desk.log import warn
from desk.series import Gate, SettingError, Settings, Symbols, is_amount, sign, signals
from desk.service import run

SERVICE = "order-flow"
SLOTS = 10

Quote = tuple[float, float, float, float]


def best_quote(book: Book) -> Quote | None:
    """Return bid, bid quantity, ask, ask quantity; None when empty, crossed or not finite."""
    if not book.bids or not book.asks:
        return None
    (bid, bid_quantity), (ask, ask_quantity) = book.bids[0], book.asks[0]
    amounts = (bid, bid_quantity, ask, ask_quantity)
    return amounts if bid <= ask and all(map(is_amount, amounts)) else None


def flow(before: Quote, now: Quote) -> float:
    """Return what one book update adds to the order flow imbalance, in units of quantity.

    e_n = [b_n >= b_(n-1)] qb_n - [b_n <= b_(n-1)] qb_(n-1)
        - [a_n <= a_(n-1)] qa_n + [a_n >= a_(n-1)] qa_(n-1)
    (Cont, Kukanov & Stoikov 2014, "The Price Impact of Order Book Events", Journal of Financial
    Econometrics 12(1), section 2.2).
    """
    bid_before, bid_quantity_before, ask_before, ask_quantity_before = before
    bid, bid_quantity, ask, ask_quantity = now
    change = 0.0
    if bid >= bid_before:
        change += bid_quantity
    if bid <= bid_before:
        change -= bid_quantity_before
    if ask <= ask_before:
        change -= ask_quantity
    if ask >= ask_before:
        change += ask_quantity_before
    return change


class _Window:
    """Sums per time slot; the window is the last SLOTS complete slots.

    The totals are added up afresh from the slots whenever one completes: nothing is ever
    subtracted, so no rounding error outlives its slot.
    """

    __slots__ = ("_depth", "_gross", "_net", "_slot", "_slot_ms", "_updates", "gate", "quote")

    def __init__(self, slot_ms: int, gate: Gate) -> None:
        self._slot_ms = slot_ms
        self._slot: int | None = None
        self._net = array("d", bytes(8 * SLOTS))
        self._gross = array("d", bytes(8 * SLOTS))
        self._depth = array("d", bytes(8 * SLOTS))
        self._updates = array("d", bytes(8 * SLOTS))
        self.quote: Quote | None = None
        self.gate = gate

    def add(self, quote: Quote, time_ms: int) -> tuple[float, float, float] | None:
        """Take the best quotes; return net flow, gross flow and mean depth when a slot completes.

        Depth is the mean of the two best quantities, averaged over the window's updates.
        """
        totals = self._advance(time_ms // self._slot_ms)
        index = time_ms // self._slot_ms % SLOTS
        before, self.quote = self.quote, quote
        if before is not None:
            change = flow(before, quote)
            self._net[index] += change
            self._gross[index] += abs(change)
        self._depth[index] += (quote[1] + quote[3]) / 2.0
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
        self._net[index] = self._gross[index] = 0.0
        self._depth[index] = self._updates[index] = 0.0

    def _totals(self) -> tuple[float, float, float] | None:
        updates = sum(self._updates)
        if updates == 0.0:
            return None
        return sum(self._net), sum(self._gross), sum(self._depth) / updates


class OrderFlow:
    """Order flow imbalance in units of the average depth, which is what moves the price.

    The paper's model is price change = OFI / (2 depth) in ticks (equation 4), so the value is
    OFI / depth. Confidence is |sum e_n| / sum |e_n|: 1 when every update pushed the same way.
    """

    streams: ClassVar[tuple[str, ...]] = ("books",)

    def __init__(self, settings: Settings) -> None:
        window_ms = settings.whole("WINDOW_MS", 10_000, 1_000, 3_600_000)
        interval_ms = settings.interval_ms()
        self._threshold = settings.number("THRESHOLD", 0.3, 0.001, 1.0)
        self._symbols = Symbols(
            lambda: _Window(window_ms // SLOTS, Gate(interval_ms)), settings.symbol_limit()
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "OrderFlow":
        """Build from ORDER_FLOW_* variables; raises SettingError."""
        return cls(Settings(environ, "ORDER_FLOW"))

    def update(self, event: Event) -> Iterable[Signal]:
        """Take a book; signal when it completes a slot and the symbol's gate opens."""
        if not isinstance(event, Book):
            return ()
        quote = best_quote(event)
        window = self._symbols.at(event.symbol, event.time_ms) if quote else None
        totals = window.add(quote, event.time_ms) if quote and window else None
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


def main() -> int:
    """Run the service until it is told to stop; return the exit code, 2 for a bad setting."""
    try:
        indicator = OrderFlow.from_env(os.environ)
    except SettingError as error:
        warn(str(error))
        return 2
    return run(SERVICE, indicator)


if __name__ == "__main__":
    raise SystemExit(main())
