"""Market events on their way into Redis: bounded in memory, nothing lost while Redis restarts."""

import time
from collections import deque

from desk.backoff import Backoff
from desk.counters import Counters
from desk.log import info, warn
from desk.redis import Command, Redis, RedisError

CAPACITY = 20_000
CHUNK = 500


class Publisher:
    """Holds commands until Redis has run them; drops the oldest when it is full."""

    def __init__(self, redis: Redis, counters: Counters, capacity: int = CAPACITY) -> None:
        self._redis = redis
        self._counters = counters
        self._waiting: deque[Command] = deque()
        self._capacity = capacity
        self._backoff = Backoff()
        self._next_attempt = 0.0
        self.problem = ""

    def offer(self, command: Command) -> None:
        """Queue a command to run as soon as Redis can."""
        self._waiting.append(command)
        if len(self._waiting) > self._capacity:
            self._waiting.popleft()
            self._counters.add("dropped")

    def flush(self) -> None:
        """Publish the queue, unless Redis failed a moment ago."""
        if time.monotonic() < self._next_attempt:
            return
        try:
            while self._waiting:
                self._publish_chunk()
        except RedisError as error:
            self._hold_back(error)

    def write_counters(self) -> None:
        """Write the counters to Redis, which also shows whether Redis is there."""
        if time.monotonic() < self._next_attempt:
            return
        try:
            self._redis.transaction(self._counters.commands())
        except RedisError as error:
            self._hold_back(error)

    def _publish_chunk(self) -> None:
        size = min(CHUNK, len(self._waiting))
        self._redis.transaction([self._waiting[place] for place in range(size)])
        for _ in range(size):
            self._waiting.popleft()
        self._counters.add("published", size)
        self._backoff.reset()
        if self.problem:
            info("Redis takes events again")
            self.problem = ""

    def _hold_back(self, error: RedisError) -> None:
        seconds = self._backoff.seconds()
        self._next_attempt = time.monotonic() + seconds
        self.problem = str(error)
        waiting = len(self._waiting)
        warn(f"{error}; {waiting} events wait, trying again in {seconds:.1f} s")
