"""A consumer group loses nothing that was not trimmed, whoever dies."""

import pytest

from desk.consumer import Consumer
from desk.events import BadMessage, Trade
from desk.redis import CommandError, Redis
from desk.streams import TRADES, Entry, add


def publish(redis: Redis, *numbers: int) -> None:
    trades = (Trade("BTCUSDT", 1.0, 1.0, True, 1, number) for number in numbers)
    redis.pipeline([add(TRADES, trade) for trade in trades])


def numbers(entries: list[Entry]) -> list[int]:
    return [event.id for event in (entry.event() for entry in entries) if isinstance(event, Trade)]


def attached(redis: Redis, name: str = "one") -> Consumer:
    consumer = Consumer(redis, "group", name, (TRADES,))
    consumer.attach()
    return consumer


def read_all(consumer: Consumer) -> list[Entry]:
    """Read until nothing more comes: pending entries to their end, then new ones to theirs."""
    entries: list[Entry] = []
    ends = 0
    while ends < 2:
        batch = consumer.read(1)
        ends += not batch
        entries += batch
    return entries


def test_a_new_group_gets_all_that_the_stream_keeps_in_order_over_batches(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.consumer.BATCH", 3)
    publish(redis, *range(10))
    assert numbers(read_all(attached(redis))) == list(range(10))


def test_only_what_was_not_acknowledged_comes_again_after_a_crash(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.consumer.BATCH", 2)
    publish(redis, 1, 2, 3, 4, 5)
    entries = read_all(attached(redis))
    redis.transaction(attached(redis).acknowledge(entries[1:2]))
    publish(redis, 6)
    again = read_all(attached(redis))
    assert numbers(again) == [1, 3, 4, 5, 6]
    redis.transaction(attached(redis).acknowledge(again))
    assert read_all(attached(redis)) == []


def test_what_another_consumer_left_behind_is_adopted_but_not_what_is_its_own(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(redis, 1, 2)
    assert numbers(read_all(attached(redis, "dead"))) == [1, 2]
    survivor = attached(redis)
    assert survivor.adopt() == []
    monkeypatch.setattr("desk.consumer.ABANDONED_MS", -1)
    assert numbers(survivor.adopt()) == [1, 2]
    assert redis.call("XPENDING", TRADES, "group")[3] == [[b"one", b"2"]]
    assert survivor.adopt() == []


def test_consumers_long_silent_with_nothing_left_are_forgotten(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(redis, 1)
    dead = attached(redis, "dead")
    redis.transaction(dead.acknowledge(read_all(dead)))
    survivor = attached(redis)
    survivor.read(1)
    monkeypatch.setattr("desk.consumer.FORGET_MS", -1)
    survivor.adopt()
    names = [info[1] for info in redis.call("XINFO", "CONSUMERS", TRADES, "group")]
    assert names == [b"one"]


def test_an_entry_trimmed_while_pending_is_told_apart(redis: Redis) -> None:
    publish(redis, 1, 2)
    read_all(attached(redis))
    redis.call("XTRIM", TRADES, "MAXLEN", 1)
    first, second = attached(redis).read(1)
    assert first.fields is None
    with pytest.raises(BadMessage, match="trimmed"):
        first.event()
    assert numbers([second]) == [2]


def test_a_vanished_group_is_reported_and_found_again(redis: Redis) -> None:
    consumer = attached(redis)
    redis.call("DEL", TRADES)
    with pytest.raises(CommandError) as raised:
        consumer.read(1)
    assert raised.value.code == "NOGROUP"
    consumer.detach()
    assert consumer.attach()
    publish(redis, 1)
    assert numbers(read_all(consumer)) == [1]


def test_streams_are_trimmed(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desk.streams.LENGTHS", {TRADES: 1_000})
    publish(redis, *range(5_000))
    assert 1_000 <= redis.call("XLEN", TRADES) < 1_500
