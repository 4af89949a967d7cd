"""Telegram itself: sending in the main thread, questions in one beside it."""

import threading
from collections import deque

from api import Api, Refused, SlowDown, TelegramError
from desk.backoff import Backoff
from desk.log import warn
from updates import Updates


class TelegramSender:
    """Sends texts; returns how long to hold back when Telegram asks to, or can't be reached."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._backoff = Backoff(first=1.0, most=60.0)

    def send(self, chat: int, text: str) -> float:
        """Send a text; return the seconds to hold back, 0 when it was taken or refused for good."""
        try:
            self._api.call("sendMessage", {"chat_id": chat, "text": text})
        except SlowDown as error:
            warn(str(error))
            return max(1.0, error.retry_seconds)
        except Refused as error:
            warn(f"{error}; the message is dropped")
        except TelegramError as error:
            seconds = self._backoff.seconds()
            warn(f"{error}; trying again in {seconds:.0f} s")
            return seconds
        self._backoff.reset()
        return 0.0


def start(url: str, token: str, chat: int) -> tuple[TelegramSender, deque[int]]:
    """Start polling for questions; return the sender and where questions appear.

    Raises ValueError for an invalid token or URL.
    """
    updates = Updates(Api(url, token), chat)
    threading.Thread(target=updates.run, name="updates", daemon=True).start()
    return TelegramSender(Api(url, token)), updates.questions
