"""Telegram: sends fused signals to a chat and answers /status there.

Without a token it logs what it would send. A signal is acknowledged once its message was sent,
so a crash repeats a message rather than losing it.
"""

import gc
import os
import time
from collections import deque
from typing import Protocol

from bot_settings import BotSettings, read_settings
from desk.backoff import Backoff
from desk.ballast import hold
from desk.consumer import BATCH, Consumer
from desk.counters import Counters
from desk.events import BadMessage, Signal
from desk.features import idle, is_enabled
from desk.heartbeat import Heartbeat
from desk.log import info, warn
from desk.redis import Command, CommandError, Redis, RedisError
from desk.settings import Common, read_common
from desk.shutdown import Shutdown, Stopped
from desk.streams import FUSED, Entry
from limits import Limits
from outbox import MOST_SYMBOLS, REPEAT_SECONDS, Message, Outbox
from status import read_status

SERVICE = "telegram-bot"
WAIT_MS = 1_000
BUSY_WAIT_MS = 100
MAINTENANCE_SECONDS = 5.0
LONGEST_TEXT = 4_096


class Sender(Protocol):
    """The way a message leaves the bot."""

    def send(self, chat: int, text: str) -> float:
        """Send a text; return the seconds to hold back, 0 when it was taken or refused for good."""
        ...


class LogSender:
    """Logs what would be sent."""

    def send(self, chat: int, text: str) -> float:
        """Log the text."""
        info(f"no Telegram token; would send: {text}")
        return 0.0


class Bot:
    """From the stream of fused signals to the chat, as fast as Telegram allows."""

    def __init__(
        self,
        common: Common,
        settings: BotSettings,
        sender: Sender,
        questions: deque[int],
        shutdown: Shutdown,
    ) -> None:
        self._chat = settings.chat
        self._sender = sender
        self._questions = questions
        self._shutdown = shutdown
        self._redis = Redis(common.redis, SERVICE)
        self._consumer = Consumer(self._redis, SERVICE, common.consumer, (FUSED,))
        self._heartbeat = Heartbeat(common.heartbeat_path)
        self._counters = Counters(SERVICE, "read", "sent", "bad", "stale", "answers")
        self._outbox = Outbox(settings.least_confidence)
        self._limits = Limits()
        self._latest: dict[str, tuple[int, float]] = {}
        self._next_maintenance = 0.0

    def run(self) -> None:
        """Work until told to stop, through any failure of Redis or Telegram."""
        backoff = Backoff()
        gc.freeze()
        while not self._shutdown.requested:
            try:
                try:
                    self._step()
                    backoff.reset()
                except RedisError as error:
                    self._recover(error, backoff)
            except Stopped:
                break
        info(f"{SERVICE} stops: {self._counters}")

    def _step(self) -> None:
        with self._shutdown.interrupts():
            if self._consumer.attach():
                self._outbox.clear()
                info(f"{SERVICE} reads {FUSED}")
            is_busy = bool(self._outbox or self._questions)
            batch = self._consumer.read(BUSY_WAIT_MS if is_busy else WAIT_MS)
        self._take(batch)
        self._send_next()
        self._answer_next()
        if time.monotonic() >= self._next_maintenance:
            self._maintain()
        self._heartbeat.beat()
        if len(batch) < BATCH and is_busy:
            self._shutdown.sleep(BUSY_WAIT_MS / 1000)

    def _take(self, batch: list[Entry]) -> None:
        """Put signals into the outbox; acknowledge those that will never be a message."""
        done: list[Entry] = []
        for entry in batch:
            self._counters.add("read")
            try:
                signal = entry.event()
            except BadMessage as error:
                self._counters.add("bad")
                warn(f"skipped {FUSED} {entry.id.decode()}: {error}")
                done.append(entry)
                continue
            if isinstance(signal, Signal):
                direction = self._latest_direction(signal.symbol)
                done += self._outbox.offer(Message(signal=signal, entry=entry), direction)
        self._redis.transaction(self._consumer.acknowledge(done))

    def _latest_direction(self, symbol: str) -> int:
        """Return the direction last sent for a symbol; 0 if none, or too long ago.

        Redis remembers over restarts of the bot, the bot over restarts of Redis.
        """
        direction, until = self._latest.get(symbol, (0, 0.0))
        if time.monotonic() < until:
            return direction
        return int(self._redis.call("GET", f"sent:{symbol}") or 0)

    def _send_next(self) -> None:
        message, stale = self._outbox.next(int(time.time() * 1000))
        self._counters.add("stale", len(stale))
        self._redis.transaction(self._consumer.acknowledge(stale))
        if message is None or not self._may_send():
            return
        if not self._send(message.text):
            return
        self._outbox.remove(message)
        self._counters.add("sent")
        signal = message.signal
        if len(self._latest) >= MOST_SYMBOLS:
            self._latest.clear()
        self._latest[signal.symbol] = (signal.direction, time.monotonic() + REPEAT_SECONDS)
        command: Command = ("SET", f"sent:{signal.symbol}", signal.direction, "EX", REPEAT_SECONDS)
        self._redis.transaction([command, *self._consumer.acknowledge([message.entry])])

    def _answer_next(self) -> None:
        if not self._questions or not self._may_send():
            return
        text = read_status(self._redis, int(time.time() * 1000))
        if self._send(text[:LONGEST_TEXT]):
            self._questions.popleft()
            self._counters.add("answers")

    def _may_send(self) -> bool:
        return self._limits.wait_seconds(self._chat, time.monotonic()) <= 0.0

    def _send(self, text: str) -> bool:
        """Send, unless told to stop; return whether the text is done with."""
        with self._shutdown.interrupts():
            retry_seconds = self._sender.send(self._chat, text)
        now = time.monotonic()
        if retry_seconds:
            self._limits.refused(self._chat, retry_seconds, now)
            return False
        self._limits.sent(self._chat, now)
        return True

    def _maintain(self) -> None:
        self._next_maintenance = time.monotonic() + MAINTENANCE_SECONDS
        self._redis.transaction(self._counters.commands())
        self._take(self._consumer.adopt())

    def _recover(self, error: RedisError, backoff: Backoff) -> None:
        """Log the error and wait; the next step connects and finds its place again."""
        if isinstance(error, CommandError) and error.code == "NOGROUP":
            self._consumer.detach()
            return
        seconds = backoff.seconds()
        warn(f"{error}; trying again in {seconds:.1f} s")
        self._heartbeat.fail(str(error))
        self._shutdown.sleep(seconds)


def main() -> int:
    """Run the service until it is told to stop; return the exit code."""
    try:
        common = read_common(os.environ)
        settings = read_settings(os.environ)
        if not is_enabled(SERVICE, os.environ):
            info(f"{SERVICE} is switched off by FEATURES")
            idle(common.heartbeat_path)
        sender, questions = _connect(settings)
        hold(os.environ)
    except ValueError as error:
        warn(str(error))
        return 2
    shutdown = Shutdown()
    shutdown.listen()
    Bot(common, settings, sender, questions, shutdown).run()
    return 0


def _connect(settings: BotSettings) -> tuple[Sender, deque[int]]:
    """Return the sender and the queue of questions; without a token only a log and no questions."""
    if not settings.token:
        return LogSender(), deque()
    from telegram import start  # 7 MiB that only a bot with a token needs

    return start(settings.url, settings.token, settings.chat)


if __name__ == "__main__":
    raise SystemExit(main())
