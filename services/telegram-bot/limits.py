"""Telegram's sending limits: one message a second per chat, thirty a second over all chats.

https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
"""

CHAT_SECONDS = 1.0
TOTAL_SECONDS = 1.0 / 30.0
MOST_CHATS = 1_000


class Limits:
    """The time of the next message, by any clock that never steps back."""

    def __init__(self) -> None:
        self._chats: dict[int, float] = {}
        self._total = 0.0

    def wait_seconds(self, chat: int, now: float) -> float:
        """Return how long to wait before sending to a chat; 0 if it may be done now."""
        return max(0.0, self._total - now, self._chats.get(chat, 0.0) - now)

    def sent(self, chat: int, now: float) -> None:
        """Remember a message that was sent."""
        self._total = max(self._total, now + TOTAL_SECONDS)
        self._hold(chat, now + CHAT_SECONDS, now)

    def refused(self, chat: int, retry_seconds: float, now: float) -> None:
        """Remember that Telegram asked to wait."""
        self._hold(chat, now + retry_seconds, now)

    def _hold(self, chat: int, until: float, now: float) -> None:
        if len(self._chats) >= MOST_CHATS:
            self._chats = {chat_id: time for chat_id, time in self._chats.items() if time > now}
        self._chats[chat] = max(until, self._chats.get(chat, 0.0))
