"""Services as processes: nothing lost, quick to stop, healthy only when they work."""

import signal
import time
from functools import partial

import pytest

from desk.events import Trade
from desk.redis import Redis
from desk.streams import SIGNALS, TRADES, add
from running import (
    SERVICES,
    STAND_INS,
    Launch,
    RedisServer,
    counters,
    events,
    eventually,
    has_acknowledged,
)

ECHO = STAND_INS / "echo.py"


def publish(redis: Redis, numbers: range, symbol: str = "BTCUSDT") -> None:
    now_ms = int(time.time() * 1000)
    trades = [
        Trade(symbol, 100.0 + number % 7, 1.0, bool(number % 3), now_ms + number, number)
        for number in numbers
    ]
    redis.pipeline([add(TRADES, trade) for trade in trades])


def echoed(redis: Redis) -> list[int]:
    """Return the numbers of the trades that were answered, in order."""
    return [int(signal.value) for signal in events(redis, SIGNALS)]


def has_echoed(redis: Redis, count: int) -> bool:
    return bool(redis.call("XLEN", SIGNALS) >= count)


def test_an_intelligence_service_publishes_signals_and_acknowledges(
    redis: Redis, launch: Launch
) -> None:
    publish(redis, range(2_000))
    launch(SERVICES / "aggressor" / "aggressor.py")
    eventually(lambda: has_echoed(redis, 1))
    eventually(lambda: has_acknowledged(redis, TRADES, "aggressor"))
    assert events(redis, SIGNALS)[-1].service == "aggressor"


def test_every_trade_is_answered_once_though_the_service_is_killed_again_and_again(
    redis: Redis, launch: Launch
) -> None:
    total = 0
    for round_number in range(4):
        service = launch(ECHO)
        for _ in range(10):
            publish(redis, range(total, total + 300))
            total += 300
        eventually(partial(has_echoed, redis, round_number * 2_000 + 1))
        service.kill()
    launch(ECHO)
    eventually(lambda: has_echoed(redis, total))
    assert echoed(redis) == list(range(total))
    eventually(lambda: has_acknowledged(redis, TRADES, "echo"))


def test_the_service_outlives_redis_and_goes_on(
    redis: Redis, redis_server: RedisServer, launch: Launch
) -> None:
    service = launch(ECHO)
    publish(redis, range(10))
    eventually(lambda: has_echoed(redis, 10))
    redis_server.kill()
    redis.close()
    service.says("trying again")
    eventually(lambda: not service.is_healthy())
    redis_server.start()
    publish(redis, range(100, 120))
    eventually(lambda: has_echoed(redis, 20))
    assert echoed(redis) == list(range(100, 120))
    eventually(service.is_healthy)
    assert service.process.poll() is None


def test_a_redis_that_hung_for_a_while_loses_nothing(
    redis: Redis, redis_server: RedisServer, launch: Launch
) -> None:
    service = launch(ECHO)
    publish(redis, range(10))
    eventually(lambda: has_echoed(redis, 10))
    redis_server.send_signal(signal.SIGSTOP)
    service.says("the connection broke")
    redis_server.send_signal(signal.SIGCONT)
    publish(redis, range(10, 20))
    eventually(lambda: has_echoed(redis, 20))
    assert sorted(set(echoed(redis))) == list(range(20))


def test_a_vanished_group_is_created_again(redis: Redis, launch: Launch) -> None:
    launch(ECHO, FEATURES="momentum, echo")
    publish(redis, range(5))
    eventually(lambda: has_echoed(redis, 5))
    redis.call("DEL", TRADES)
    publish(redis, range(5, 8))
    eventually(lambda: has_echoed(redis, 8))
    assert echoed(redis) == list(range(8))


def test_refused_writes_are_made_up_for(redis: Redis, launch: Launch) -> None:
    redis.call("SET", SIGNALS, "not a stream")
    publish(redis, range(5))
    service = launch(ECHO)
    service.says("WRONGTYPE")
    assert not service.is_healthy()
    redis.call("DEL", SIGNALS)
    eventually(lambda: has_echoed(redis, 5))
    assert echoed(redis) == list(range(5))
    eventually(lambda: has_acknowledged(redis, TRADES, "echo"))


def test_poison_is_counted_acknowledged_and_skipped(redis: Redis, launch: Launch) -> None:
    publish(redis, range(1))
    redis.call("XADD", TRADES, "*", "2", "BTCUSDT", "f", 0, "a", "NaN")
    redis.call("XADD", TRADES, "*", "nonsense", b"\xff\x00")
    publish(redis, range(1, 2), symbol="FAILS")
    publish(redis, range(2, 3))
    service = launch(ECHO)
    eventually(lambda: echoed(redis) == [0, 2])
    eventually(lambda: has_acknowledged(redis, TRADES, "echo"))
    eventually(lambda: counters(redis, "echo").get("bad") == 2)
    assert counters(redis, "echo").items() >= {("failed", 1), ("processed", 2)}
    assert "price" in service.output
    assert "asked to fail" in service.output
    assert 0 < redis.call("TTL", "stats:echo") <= 60


def test_it_stops_at_once_under_load(redis: Redis, launch: Launch) -> None:
    publish(redis, range(20_000))
    service = launch(ECHO)
    eventually(lambda: has_echoed(redis, 1))
    assert service.stop() == 0
    launch(ECHO)
    eventually(lambda: has_echoed(redis, 20_000))
    assert echoed(redis) == list(range(20_000))


@pytest.mark.parametrize("number", [None, signal.SIGSTOP, signal.SIGKILL])
def test_it_stops_at_once_while_waiting_with_and_without_redis(
    redis_server: RedisServer, launch: Launch, number: int | None
) -> None:
    service = launch(ECHO)
    eventually(service.is_healthy)
    if number:
        redis_server.send_signal(number)
        service.says("trying again")
    assert service.stop() == 0
    service.says("echo stops")


def test_it_is_not_healthy_before_it_reached_redis(
    redis_server: RedisServer, launch: Launch
) -> None:
    redis_server.kill()
    service = launch(ECHO)
    service.says("cannot connect")
    assert not service.is_healthy()
    redis_server.start()
    eventually(service.is_healthy)


def test_a_service_switched_off_is_healthy_idles_in_a_shell_and_stops(
    redis: Redis, launch: Launch
) -> None:
    publish(redis, range(3))
    service = launch(ECHO, FEATURES="momentum, risk")
    eventually(service.is_healthy)
    assert service.state == "disabled"
    assert redis.call("EXISTS", SIGNALS) == 0
    assert service.stop() == 0


def test_an_address_that_is_not_valid_ends_it_with_a_reason(launch: Launch) -> None:
    launch(ECHO, REDIS_ADDRESS="redis:zero").refuses("REDIS_ADDRESS")


def test_entries_a_dead_consumer_left_are_processed(redis: Redis, launch: Launch) -> None:
    publish(redis, range(6))
    redis.call("XGROUP", "CREATE", TRADES, "echo", "0")
    redis.call("XREADGROUP", "GROUP", "echo", "that-one", "COUNT", 4, "STREAMS", TRADES, ">")
    launch(ECHO, ABANDONED_MS="-1")
    eventually(lambda: sorted(echoed(redis)) == list(range(6)))
    eventually(lambda: has_acknowledged(redis, TRADES, "echo"))
