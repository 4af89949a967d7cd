"""The main loop of every intelligence service: read, compute, publish, acknowledge."""

import gc
import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from desk import labels
from desk.backoff import Backoff
from desk.ballast import hold
from desk.consumer import BATCH, Consumer
from desk.counters import Counters
from desk.events import BadMessage
from desk.features import idle, is_enabled
from desk.heartbeat import Heartbeat
from desk.indicator import Indicator
from desk.log import info, warn
from desk.redis import Command, CommandError, Redis, RedisError
from desk.series import Settings
from desk.settings import Common, read_common
from desk.shutdown import Shutdown, Stopped
from desk.streams import SIGNALS, Entry, add

WAIT_MS = 1_000
PAUSE_SECONDS = 0.1
MAINTENANCE_SECONDS = 5.0
LAG_LIMIT_MS = 10_000


class Program(NamedTuple):
    """One intelligence service: its name, its indicator, and the stream that it writes."""

    name: str
    make: Callable[[Settings], Indicator]
    output: str = SIGNALS

    def build(self, environ: Mapping[str, str]) -> Indicator:
        """Return the indicator with the settings that begin with its name; raises ValueError."""
        return self.make(Settings(environ, self.name.upper().replace("-", "_")))


def run(program: Program) -> int:
    """Run a service alone until it is stopped; return the exit code, 2 for a bad setting.

    Where FEATURES switches it off, it idles and counts as healthy.
    """
    try:
        indicator = program.build(os.environ)
        common = read_common(os.environ)
        if not is_enabled(program.name, os.environ):
            info(f"{program.name} is switched off by FEATURES")
            idle(common.heartbeat_path)
        hold(os.environ)
    except ValueError as error:
        warn(str(error))
        return 2
    shutdown = Shutdown()
    shutdown.listen()
    Service(program.name, indicator, program.output, common, shutdown).run()
    return 0


class Service:
    """One indicator between its input streams and its output stream."""

    def __init__(
        self, name: str, indicator: Indicator, output: str, common: Common, shutdown: Shutdown
    ) -> None:
        self._name = name
        self._indicator = indicator
        self._output = output
        self._shutdown = shutdown
        self._redis = Redis(common.redis, name)
        self._consumer = Consumer(self._redis, name, common.consumer, indicator.streams)
        self._heartbeat = Heartbeat(common.heartbeat_path)
        self._counters = Counters(name, "processed", "signals", "bad", "failed", "trimmed")
        self._unsent: list[Command] = []
        self._next_maintenance = 0.0

    def run(self) -> None:
        """Work until told to stop, through any failure of Redis."""
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
        info(f"{self._name} stops: {self._counters}")

    def _step(self) -> None:
        self._prepare()
        with self._shutdown.interrupts():
            batch = self._consumer.read(WAIT_MS)
        self._process(batch)
        if time.monotonic() >= self._next_maintenance:
            self._maintain()
        if self._is_behind(batch):
            self._heartbeat.fail("behind its streams")
        else:
            self._heartbeat.beat()
        if len(batch) < BATCH:
            self._shutdown.sleep(PAUSE_SECONDS)

    def _prepare(self) -> None:
        """Connect if need be, publish what is still unsent, and find the place in the group."""
        with self._shutdown.interrupts():
            self._redis.connect()
        self._publish()
        if self._consumer.attach():
            info(f"{self._name} reads {', '.join(self._indicator.streams)}")

    def _process(self, batch: list[Entry]) -> None:
        """Publish the signals that the entries give rise to and acknowledge them at once."""
        for entry in batch:
            self._unsent += self._react(entry)
        self._unsent += self._consumer.acknowledge(batch)
        self._publish()

    def _react(self, entry: Entry) -> list[Command]:
        """Return the commands that publish an entry's signals; only count an unusable entry."""
        if entry.fields is None:
            self._counters.add("trimmed")
            return []
        try:
            signals = tuple(self._indicator.update(entry.event()))
            added = [add(self._output, signal) for signal in signals]
        except BadMessage as error:
            self._skip("bad", entry, error)
            return []
        except Exception as error:  # one event must never stop all later ones
            self._skip("failed", entry, error)
            return []
        self._counters.add("processed")
        self._counters.add("signals", len(signals))
        return [*labels.explain(signals), *added]

    def _skip(self, counter: str, entry: Entry, error: Exception) -> None:
        """Count a skipped entry; log the 1st, 10th, 100th..."""
        self._counters.add(counter)
        count = self._counters[counter]
        if str(count).rstrip("0") == "1":
            where = f"{entry.stream} {entry.id.decode()}"
            warn(f"skipped {where}: {type(error).__name__}: {error} ({counter}: {count} so far)")

    def _publish(self) -> None:
        if self._unsent:
            self._redis.transaction(self._unsent)
            self._unsent = []

    def _maintain(self) -> None:
        self._next_maintenance = time.monotonic() + MAINTENANCE_SECONDS
        self._redis.transaction(self._counters.commands())
        self._process(self._consumer.adopt())

    def _is_behind(self, batch: list[Entry]) -> bool:
        if len(batch) < BATCH:
            return False
        return time.time() * 1000 - batch[-1].position[0] > LAG_LIMIT_MS

    def _recover(self, error: RedisError, backoff: Backoff) -> None:
        """Log the error and wait; the next step connects and finds its place again."""
        if isinstance(error, CommandError) and error.code == "NOGROUP":
            self._consumer.detach()
            return
        seconds = backoff.seconds()
        warn(f"{error}; trying again in {seconds:.1f} s")
        self._heartbeat.fail(str(error))
        self._shutdown.sleep(seconds)
