"""The Redis client: replies, refusals, transactions, and every way a connection can fail."""

import signal
import socket
import threading

import pytest

from desk.redis import CommandError, ConnectionLost, Redis, parse_address
from running import RedisServer

LARGE = bytes(range(256)) * 4_096  # more than a buffer


def test_replies_have_their_types(redis: Redis) -> None:
    assert redis.call("PING") == b"PONG"
    assert redis.call("INCRBY", "count", 5) == 5
    assert redis.call("GET", "missing") is None
    assert redis.call("RPUSH", "list", "a", b"\x00\xff", 3, 1.5, LARGE) == 5
    assert redis.call("LRANGE", "list", 0, -1) == [b"a", b"\x00\xff", b"3", b"1.5", LARGE]


def test_a_refused_command_says_why_and_the_connection_lives_on(redis: Redis) -> None:
    redis.call("SET", "text", "x")
    with pytest.raises(CommandError) as raised:
        redis.call("INCR", "text")
    assert raised.value.code == "ERR"
    assert redis.is_connected
    refusal, value = redis.pipeline([("INCR", "text"), ("GET", "text")])
    assert isinstance(refusal, CommandError)
    assert value == b"x"


def test_a_transaction_runs_whole_or_raises(redis: Redis) -> None:
    with pytest.raises(CommandError):
        redis.transaction([("SET", "text", 1), ("SET", "no-value")])
    assert redis.call("EXISTS", "text") == 0
    redis.call("SET", "text", "x")
    with pytest.raises(CommandError):
        redis.transaction([("SET", "other", 1), ("INCR", "text")])


@pytest.mark.parametrize("command", ["FLUSHALL", "SHUTDOWN", "CONFIG SET maxmemory 1", "DEBUG"])
def test_what_could_lose_everything_is_not_allowed(redis: Redis, command: str) -> None:
    with pytest.raises(CommandError):
        redis.call(*command.split())


def test_a_killed_server_is_noticed_and_its_successor_used(
    redis_server: RedisServer, redis: Redis
) -> None:
    redis.call("PING")
    redis_server.kill()
    with pytest.raises(ConnectionLost):
        redis.call("PING")
    with pytest.raises(ConnectionLost, match="cannot connect"):
        redis.call("PING")
    redis_server.start()
    assert redis.call("PING") == b"PONG"
    assert redis.connections == 2


def test_a_server_that_hangs_is_given_up(
    redis_server: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.call("PING")
    monkeypatch.setattr("desk.redis.REPLY_SECONDS", 0.05)
    redis_server.send_signal(signal.SIGSTOP)
    with pytest.raises(ConnectionLost):
        redis.call("PING")
    assert not redis.is_connected


def test_a_blocking_command_may_take_its_time(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.redis.REPLY_SECONDS", 0.2)
    assert redis.call("BLPOP", "empty", 0.4, wait_seconds=0.4) is None


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*2\r\n$3\r\nab", b""])
def test_answers_that_make_no_sense_end_the_connection(answer: bytes) -> None:
    def serve() -> None:
        connection, _ = impostor.accept()
        with connection:
            connection.recv(4_096)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as impostor:
        thread = threading.Thread(target=serve)
        thread.start()
        client = Redis(impostor.getsockname(), "test")
        with pytest.raises(ConnectionLost):
            client.call("PING")
        thread.join()
    assert not client.is_connected


def test_a_name_that_does_not_resolve_is_a_lost_connection() -> None:
    with pytest.raises(ConnectionLost, match="no-such-host"):
        Redis(("no-such-host.invalid", 6379), "test").connect()


def test_addresses() -> None:
    assert parse_address("redis") == ("redis", 6379)
    assert parse_address("10.0.0.1:1") == ("10.0.0.1", 1)


@pytest.mark.parametrize("text", ["", ":6379", "redis:0", "redis:70000", "redis:six"])
def test_addresses_that_are_not_valid(text: str) -> None:
    with pytest.raises(ValueError, match="REDIS_ADDRESS"):
        parse_address(text)
