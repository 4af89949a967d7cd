"""Market data: from an exchange or the replay into the streams trades, books and funding."""

import gc
import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from desk.ballast import hold
from desk.counters import Counters
from desk.features import idle, is_enabled
from desk.heartbeat import Heartbeat
from desk.log import info, warn
from desk.redis import Redis
from desk.settings import Common, read_common
from desk.shutdown import Shutdown, Stopped
from desk.streams import add
from exchange import STREAM_OF, subscription
from publisher import Publisher
from sources import ReplaySource, Source, WebSocketSource

SERVICE = "market-data"
DEFAULT_URL = "wss://fstream.binance.com/stream"
DEFAULT_SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT,XRPUSDT"
POLL_SECONDS = 0.5
PAUSE_SECONDS = 0.05
COUNTERS_SECONDS = 5.0
MOST_SYMBOLS = 64


class MarketSettings(NamedTuple):
    """The market to publish, and its source."""

    source: str
    url: str
    symbols: tuple[str, ...]
    rate: float
    seed: int


def read_settings(environ: Mapping[str, str]) -> MarketSettings:
    """Read MARKET_SOURCE, MARKET_URL, SYMBOLS, REPLAY_RATE and REPLAY_SEED; raises ValueError."""
    source = environ.get("MARKET_SOURCE") or "websocket"
    if source not in ("websocket", "replay"):
        raise ValueError(f"MARKET_SOURCE={source!r} is neither websocket nor replay")
    listed = (environ.get("SYMBOLS") or DEFAULT_SYMBOLS).upper().split(",")
    symbols = tuple(dict.fromkeys(part.strip() for part in listed if part.strip()))
    if not all(name.isascii() and name.isalnum() for name in symbols):
        raise ValueError(f"SYMBOLS={','.join(symbols)!r} is not a list like BTCUSDT,ETHUSDT")
    if not 0 < len(symbols) <= MOST_SYMBOLS:
        raise ValueError(f"SYMBOLS names {len(symbols)} symbols; 1 to {MOST_SYMBOLS} are possible")
    return MarketSettings(
        source=source,
        url=environ.get("MARKET_URL") or DEFAULT_URL,
        symbols=symbols,
        rate=_number(environ, "REPLAY_RATE", 50.0, 0.1, 100_000.0),
        seed=int(_number(environ, "REPLAY_SEED", 1, 0, 1 << 31)),
    )


def make_source(settings: MarketSettings, counters: Counters) -> Source:
    """Return the source the settings name; raises ValueError for an invalid URL."""
    if settings.source == "replay":
        return ReplaySource(settings.seed, settings.symbols, settings.rate, counters)
    from websocket_client import WebSocket, parse_url  # 7 MiB that a replay doesn't need

    address = parse_url(subscription(settings.url, settings.symbols))
    return WebSocketSource(lambda: WebSocket(address), counters)


class MarketData:
    """Moves events from a source to Redis in turns of a twentieth of a second."""

    def __init__(
        self, source: Source, publisher: Publisher, heartbeat: Heartbeat, shutdown: Shutdown
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._heartbeat = heartbeat
        self._shutdown = shutdown
        self._next_counters = 0.0

    def run(self) -> None:
        """Work until told to stop, then publish what has arrived."""
        gc.freeze()
        try:
            while not self._shutdown.requested:
                self._turn()
        except Stopped:
            pass
        self._publisher.flush()

    def _turn(self) -> None:
        with self._shutdown.interrupts():
            events, more = self._source.poll(POLL_SECONDS)
        for event in events:
            self._publisher.offer(add(STREAM_OF[type(event)], event))
        self._publisher.flush()
        if time.monotonic() >= self._next_counters:
            self._next_counters = time.monotonic() + COUNTERS_SECONDS
            self._publisher.write_counters()
        problem = self._publisher.problem or self._source.problem
        if problem:
            self._heartbeat.fail(problem)
        else:
            self._heartbeat.beat()
        if not more:
            self._shutdown.sleep(PAUSE_SECONDS)


def main() -> int:
    """Run the service until it is told to stop; return the exit code."""
    counters = Counters(SERVICE, "received", "published", "bad", "dropped", "connections")
    try:
        common: Common = read_common(os.environ)
        settings = read_settings(os.environ)
        if not is_enabled(SERVICE, os.environ):
            info(f"{SERVICE} is switched off by FEATURES")
            idle(common.heartbeat_path)
        source = make_source(settings, counters)
        hold(os.environ)
    except ValueError as error:
        warn(str(error))
        return 2
    shutdown = Shutdown()
    shutdown.listen()
    info(f"{SERVICE} publishes {','.join(settings.symbols)} from {_describe(settings)}")
    publisher = Publisher(Redis(common.redis, SERVICE), counters)
    MarketData(source, publisher, Heartbeat(common.heartbeat_path), shutdown).run()
    info(f"{SERVICE} stops: {counters}")
    return 0


def _describe(settings: MarketSettings) -> str:
    if settings.source == "replay":
        return f"the replay, {settings.rate:g} messages/s, seed {settings.seed}"
    return settings.url


def _number(
    environ: Mapping[str, str], name: str, default: float, low: float, high: float
) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
        if low <= value <= high:
            return value
    except ValueError:
        pass
    raise ValueError(f"{name}={text!r} is not a number from {low:g} to {high:g}")


if __name__ == "__main__":
    raise SystemExit(main())
