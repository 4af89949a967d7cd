"""Questions from the chat: long-polls getUpdates in a thread of its own."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from api import Api, SlowDown, TelegramError
from desk.backoff import Backoff
from desk.log import warn

POLL_SECONDS = 25
OLD_SECONDS = 60
MOST_QUESTIONS = 8


class Updates:
    """Puts the chat into `questions` each time someone there asks for /status.

    Other chats get no answer: the bot's name is public, the desk's state is not.
    """

    def __init__(self, api: Api, chat: int) -> None:
        self.questions: deque[int] = deque(maxlen=MOST_QUESTIONS)
        self._api = api
        self._chat = chat
        self._offset = 0
        self._backoff = Backoff(first=1.0, most=60.0)

    def run(self) -> None:
        """Poll for as long as the process lives."""
        while True:
            self.poll()

    def poll(self) -> None:
        """Poll once; after a failure wait instead."""
        arguments: dict[str, Any] = {"timeout": POLL_SECONDS, "allowed_updates": ["message"]}
        if self._offset:
            arguments["offset"] = self._offset
        try:
            updates = self._api.call("getUpdates", arguments, wait_seconds=POLL_SECONDS)
            self._backoff.reset()
            self._read(updates)
        except SlowDown as error:
            time.sleep(error.retry_seconds)
        except TelegramError as error:
            seconds = self._backoff.seconds()
            warn(f"{error}; asking again in {seconds:.0f} s")
            time.sleep(seconds)

    def _read(self, updates: Sequence[dict[str, Any]]) -> None:
        for update in updates or ():
            self._offset = max(self._offset, int(update.get("update_id", 0)) + 1)
            message = update.get("message") or {}
            parts = str(message.get("text", "")).split()
            command = parts[0].partition("@")[0] if parts else ""
            is_fresh = time.time() - float(message.get("date", 0)) < OLD_SECONDS
            chat = (message.get("chat") or {}).get("id")
            if command == "/status" and chat == self._chat and is_fresh:
                self.questions.append(chat)
