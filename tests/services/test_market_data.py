"""Market data from the feed or the replay into Redis, through failures on either side."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from desk.counters import Counters
from desk.redis import Redis
from desk.streams import BOOKS, FUNDING, TRADES
from market_data import read_settings
from publisher import Publisher
from running import ENVIRONMENT, SERVICES, Launch, RedisServer, counters, events, eventually
from sources import ReplaySource, WebSocketSource
from websocket_client import Address, parse_url

MARKET_DATA = SERVICES / "market-data" / "market_data.py"
FEED = SERVICES / "market-data" / "feed.py"
TRADE_TEXT = (
    '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","s":"BTCUSDT","a":%d,'
    '"p":"1.5","q":"2","T":1700000000000,"m":true}}'
)


class Feed:
    """The stand-in exchange as a process."""

    def __init__(self, port: int = 0, rate: int = 500) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-u", str(FEED), "--host", "127.0.0.1", "--port", str(port)),
                *("--rate", str(rate), "--seed", "3", "--symbols", "BTCUSDT,ETHUSDT"),
            ],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        found = re.search(r" on 127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        assert found, "the feed did not start"
        self.port = int(found[1])
        self.url = f"ws://127.0.0.1:{self.port}/stream"

    def stop(self) -> int:
        """End it as the engine would."""
        self.process.terminate()
        code = self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def feed() -> Iterator[Feed]:
    """A running feed."""
    feed = Feed()
    yield feed
    feed.stop()


def length(redis: Redis, stream: str = TRADES) -> Any:
    return redis.call("XLEN", stream)


def has_all_streams(redis: Redis) -> bool:
    return all(length(redis, stream) for stream in (TRADES, BOOKS, FUNDING))


def assert_complete(redis: Redis) -> None:
    """Assert that no trade is missing and none out of order."""
    ids = [trade.id for trade in events(redis, TRADES) if trade.symbol == "BTCUSDT"]
    assert ids == list(range(1, len(ids) + 1))


def test_the_replay_reaches_every_stream(redis: Redis, launch: Launch) -> None:
    service = launch(MARKET_DATA, MARKET_SOURCE="replay", REPLAY_RATE="500")
    eventually(lambda: has_all_streams(redis))
    eventually(service.is_healthy)
    eventually(lambda: counters(redis, "market-data").get("published", 0) > 0)
    assert 0 < redis.call("TTL", "stats:market-data") <= 60
    assert service.stop() == 0


def test_the_feed_reaches_every_stream_complete_and_in_order(
    redis: Redis, launch: Launch, feed: Feed
) -> None:
    service = launch(MARKET_DATA, MARKET_SOURCE="websocket", MARKET_URL=feed.url)
    eventually(lambda: has_all_streams(redis) and length(redis) > 500)
    assert_complete(redis)
    assert service.is_healthy()
    assert service.stop() == 0


def test_a_broken_connection_is_opened_again(redis: Redis, launch: Launch) -> None:
    feed = Feed()
    service = launch(MARKET_DATA, MARKET_SOURCE="websocket", MARKET_URL=feed.url)
    eventually(lambda: length(redis))
    assert feed.stop() == 0
    service.says("connecting again")
    eventually(lambda: not service.is_healthy())
    before = length(redis)
    again = Feed(port=feed.port)
    eventually(lambda: length(redis) > before)
    eventually(service.is_healthy)
    again.stop()


def test_it_stops_at_once_without_an_exchange(launch: Launch) -> None:
    service = launch(MARKET_DATA, MARKET_URL="ws://127.0.0.1:9/stream")
    service.says("connecting again")
    assert not service.is_healthy()
    assert service.stop() == 0


def test_what_comes_while_redis_is_away_is_published_afterwards(
    redis: Redis, redis_server: RedisServer, launch: Launch, feed: Feed
) -> None:
    redis_server.kill()
    service = launch(MARKET_DATA, MARKET_SOURCE="websocket", MARKET_URL=feed.url)
    service.says("events wait")
    assert not service.is_healthy()
    redis_server.start()
    eventually(lambda: length(redis) > 100)
    assert_complete(redis)


BAD_SETTINGS = """MARKET_SOURCE=carrier-pigeon MARKET_URL=https://example.org SYMBOLS=BTC/USDT
    SYMBOLS=, REPLAY_RATE=0 REPLAY_RATE=nan REPLAY_SEED=-1 REDIS_ADDRESS=:1"""


@pytest.mark.parametrize("setting", BAD_SETTINGS.split())
def test_a_setting_that_is_not_valid_ends_it_with_a_reason(launch: Launch, setting: str) -> None:
    name, _, value = setting.partition("=")
    launch(MARKET_DATA, **{name: value}).refuses(name)


def test_the_defaults_follow_the_exchange() -> None:
    settings = read_settings({})
    assert (settings.source, parse_url(settings.url).scheme) == ("websocket", "wss")
    assert "BTCUSDT" in settings.symbols


def test_urls() -> None:
    url = "ws://feed:9400/stream?streams=a"
    assert parse_url(url) == Address("ws", "feed", 9400, "/stream?streams=a")
    assert parse_url("wss://example.org") == Address("wss", "example.org", 443, "/")


class Line:
    """A connection that says what the test wants, then breaks."""

    is_closed = False

    def __init__(self, *turns: list[str] | OSError) -> None:
        self._turns = list(turns)

    def receive(self, timeout_seconds: float) -> tuple[list[str], bool]:
        """Return the next turn."""
        turn = self._turns.pop(0) if self._turns else []
        if isinstance(turn, OSError):
            raise turn
        return turn, False

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


@pytest.fixture
def counted() -> Counters:
    """Counters that start at nothing."""
    return Counters("market-data", "received", "published", "bad", "dropped", "connections")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only the test and sleeping move."""
    now = [1_000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("time.sleep", sleep)
    return now


def poll_until(source: WebSocketSource, holds: Callable[[], bool]) -> list[Any]:
    found: list[Any] = []
    for _ in range(1_000):
        found += source.poll(0.5)[0]
        if holds():
            return found
    pytest.fail("never came true")


@pytest.mark.usefixtures("clock")
def test_bad_messages_are_counted_and_skipped(counted: Counters) -> None:
    turn = [TRADE_TEXT % 1, "{", "nonsense", TRADE_TEXT % 2, '{"result":null}']
    source = WebSocketSource(lambda: Line(turn), counted)
    events = poll_until(source, lambda: counted["received"] == 5)
    assert [event.id for event in events] == [1, 2]
    assert counted["bad"] == 2
    assert source.problem == ""


def test_reconnecting_waits_longer_each_time_and_starts_over_once_messages_come(
    clock: list[float], counted: Counters
) -> None:
    attempts: list[float] = []

    def connect() -> Line:
        attempts.append(clock[0])
        if len(attempts) < 12:
            raise ConnectionRefusedError("refused")
        return Line([TRADE_TEXT % 1], ConnectionResetError("gone"))

    source = WebSocketSource(connect, counted)
    poll_until(source, lambda: len(attempts) == 14)
    waits = [later - earlier for earlier, later in pairwise(attempts)]
    assert all(0.125 * 2**n <= waits[n] + 1e-6 for n in range(7))
    assert all(wait <= 30.6 for wait in waits)
    assert min(waits[8:11]) >= 15.0
    assert max(waits[11:]) <= 1.0


def test_a_silent_connection_is_given_up(clock: list[float], counted: Counters) -> None:
    lines: list[Line] = []

    def connect() -> Line:
        lines.append(Line([TRADE_TEXT % 1]))
        return lines[-1]

    source = WebSocketSource(connect, counted)
    poll_until(source, lambda: counted["received"] == 1)
    clock[0] += 31.0
    poll_until(source, lambda: counted["received"] == 2)
    assert lines[0].is_closed
    assert counted["connections"] == 2


def test_the_replay_makes_up_for_short_delays_only(clock: list[float], counted: Counters) -> None:
    source = ReplaySource(1, ("BTCUSDT",), 100.0, counted)
    clock[0] += 1.0
    assert len(source.poll(0.5)[0]) in (100, 101)
    clock[0] += 3_600.0
    assert len(source.poll(0.5)[0]) <= 501


def test_the_publisher_keeps_the_newest_while_redis_is_away(
    redis_server: RedisServer, redis: Redis, clock: list[float], counted: Counters
) -> None:
    redis_server.kill()
    client = redis_server.client()
    publisher = Publisher(client, counted, capacity=1_000)
    for number in range(1_500):
        publisher.offer(("RPUSH", "events", number))
    publisher.flush()
    assert publisher.problem
    assert counted["dropped"] == 500
    redis_server.start()
    clock[0] += 10.0
    publisher.flush()
    client.close()
    assert not publisher.problem
    assert counted["published"] == 1_000
    assert redis.call("LRANGE", "events", 0, 0) == [b"500"]
    assert redis.call("LLEN", "events") == 1_000


def test_the_feed_refuses_a_rate_of_nothing() -> None:
    command = [sys.executable, str(FEED), "--rate", "0"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--rate" in done.stderr
