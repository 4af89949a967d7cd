"""examples/before/redis: no technique loses anything, and what is lost would be noticed."""

import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples/before/redis"))

from layout import Layout, Reader, fill, has_expired
from market import results
from shrink import Difference, compare, main, server

from desk.redis import Redis

SCALE = 0.0015
NAMES = ("compact", "ttl", "eliminate", "deduplicate", "hashes")
ALL = Layout(compact=True, ttl=True, eliminate=True, deduplicate=True, nodes=True, hashes=True)


@pytest.fixture(scope="module")
def before() -> Iterator[Redis]:
    """Fill a server with the first layout."""
    if not (shutil.which("valkey-server") or shutil.which("redis-server")):
        pytest.skip("needs valkey-server or redis-server (apt-get install redis-server)")
    with server() as redis:
        fill(redis, Layout(), SCALE)
        yield redis


@pytest.fixture
def other(before: Redis) -> Iterator[Redis]:
    """Start another server, empty."""
    with server() as redis:
        yield redis


def test_every_combination_of_techniques_reads_back_whole(before: Redis, other: Redis) -> None:
    expired = sum(has_expired(key) for key, _ in results(SCALE))
    assert expired > 100
    for chosen in product((False, True), repeat=len(NAMES)):
        layout = Layout(**dict(zip(NAMES, chosen, strict=True)))
        other.call("FLUSHALL")
        fill(other, layout, SCALE)
        readers = Reader(before, Layout()), Reader(other, layout)
        assert compare(*readers, expires=layout.ttl) == (expired if layout.ttl else 0)


def drop_entry(redis: Redis) -> None:
    ((identifier, _),) = redis.call("XREVRANGE", "trades", "+", "-", "COUNT", 1)
    redis.call("XDEL", "trades", identifier)


def drop_candle(redis: Redis) -> None:
    _, keys = redis.call("SCAN", 0, "MATCH", "candles:*", "COUNT", 10_000)
    redis.call("HDEL", keys[0], redis.call("HKEYS", keys[0])[0])


def change_metadata(redis: Redis) -> None:
    redis.call("HSET", "metadata:momentum", 0, '{"service": "momentum", "version": "9.9.9"}')


@pytest.mark.parametrize("damage", [drop_entry, drop_candle, change_metadata])
def test_a_loss_is_noticed(before: Redis, other: Redis, damage: Callable[[Redis], None]) -> None:
    fill(other, ALL, SCALE)
    damage(other)
    with pytest.raises(Difference):
        compare(Reader(before, Layout()), Reader(other, ALL), expires=True)


def test_streams_shrink_and_results_expire(before: Redis, other: Redis) -> None:
    fill(other, ALL, SCALE)
    for stream, most in (("trades", 0.25), ("books", 0.4), ("signals", 0.25)):
        old, new = (
            redis.call("MEMORY", "USAGE", stream, "SAMPLES", 0) for redis in (before, other)
        )
        assert new < most * old
    _, hashes = other.call("SCAN", 0, "MATCH", "results:*", "COUNT", 10_000)
    assert all(other.call("TTL", key) > 0 for key in hashes)
    assert hashes


def test_a_server_with_data_is_left_alone(
    before: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    port = int(before.call("CONFIG", "GET", "port")[1])
    keys = before.call("DBSIZE")
    assert main(["--fill", "before", "--redis", f"127.0.0.1:{port}"]) == 2
    assert "give an empty server" in capsys.readouterr().err
    assert before.call("DBSIZE") == keys
