"""Fused signals on their way to becoming messages.

One message waits per symbol, always the newest: when sending is slow, old opinions are useless.
The same opinion about a symbol is not repeated within half an hour.
"""

from typing import NamedTuple

from desk.events import Signal
from desk.streams import Entry

REPEAT_SECONDS = 1_800
STALE_MS = 600_000
MOST_SYMBOLS = 1_000
DIRECTIONS = {1: "▲ up", -1: "▼ down", 0: "■ no direction any more"}


class Message(NamedTuple):
    """A signal on its way to the chat, and the stream entry it came from."""

    signal: Signal
    entry: Entry

    @property
    def text(self) -> str:
        """Return the text as the chat shows it."""
        signal = self.signal
        opinion = f"{signal.symbol} {DIRECTIONS[signal.direction]}"
        return f"{opinion}, confidence {signal.confidence:.0%}" if signal.direction else opinion


class Outbox:
    """Messages that wait, oldest symbol first."""

    def __init__(self, least_confidence: float) -> None:
        self._least_confidence = least_confidence
        self._waiting: dict[str, Message] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def clear(self) -> None:
        """Forget what waits; its entries will be read again."""
        self._waiting.clear()

    def offer(self, message: Message, previous: int) -> list[Entry]:
        """Take a signal, given the direction sent before; return the entries that are done with.

        Those are its own entry if it is not worth a message, and that of the message it replaces.
        """
        symbol = message.signal.symbol
        older = self._waiting.pop(symbol, None)
        done = [older.entry] if older else []
        if self._is_news(message.signal, previous) and len(self._waiting) < MOST_SYMBOLS:
            self._waiting[symbol] = message
        else:
            done.append(message.entry)
        return done

    def next(self, now_ms: int) -> tuple[Message | None, list[Entry]]:
        """Return the message to send next, and the entries of those too old to be sent."""
        stale = [
            message
            for message in self._waiting.values()
            if now_ms - message.entry.position[0] > STALE_MS
        ]
        for message in stale:
            del self._waiting[message.signal.symbol]
        first = next(iter(self._waiting.values()), None)
        return first, [message.entry for message in stale]

    def remove(self, message: Message) -> None:
        """Take out a message that was sent or refused."""
        self._waiting.pop(message.signal.symbol, None)

    def _is_news(self, signal: Signal, previous: int) -> bool:
        if signal.direction == previous:
            return False
        return signal.direction == 0 or signal.confidence >= self._least_confidence
