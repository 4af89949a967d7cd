"""Audits of real servers: the sum, the patterns, samples, and that nothing is changed."""

import random
from uuid import UUID

from onegig.model.codec import from_json, to_json
from onegig.model.redis import RedisAudit
from onegig.redis.audit import AuditOptions, audit
from onegig.redis.connect import Address
from redis import Redis
from servers import Server


def address(server: Server, **more: str) -> Address:
    return Address(url=f"unix://{server.socket}", **more)


def fill(client: Redis, keys: int = 10_000, seed: int = 1) -> None:
    """A desk's keys: prices, sessions that expire, users, queues, ranks, tags and a few streams."""
    some = random.Random(seed)
    pipe = client.pipeline(transaction=False)
    for number in range(keys):
        match some.randrange(8):
            case 0 | 1 | 2:
                symbol = some.choice(("BTCUSDT", "ETHUSDT", "SOLEUR", "ADAUSD", "XRPUSD", "LTCEUR"))
                pipe.set(f"price:{symbol}:{1_700_000_000 + number}", f'{{"p": {some.random()}}}')
            case 3 | 4:
                name = f"session:{UUID(int=some.getrandbits(128))}"
                pipe.set(
                    name, "x" * int(some.lognormvariate(4, 1)), ex=some.randrange(3600, 90_000)
                )
            case 5:
                pipe.hset(f"user:{number}", mapping={"name": f"user {number}", "age": 42})
            case 6:
                pipe.zadd(f"rank:{number}:day", {str(n): some.random() for n in range(5)})
            case 7:
                pipe.rpush(f"queue:{number}:items", *(some.random() for _ in range(5)))
        if number % 1000 == 0:
            pipe.xadd("stream:ticks", {"price": number, "side": "buy"})
            pipe.execute()
    pipe.execute()


def by_name(document: RedisAudit) -> dict[str, int]:
    return {pattern.name: pattern.keys.value for pattern in document.patterns}


def test_patterns_and_overhead_add_up_to_used_memory(server: Server) -> None:
    fill(server.client)
    document = audit(address(server))
    assert document.used_bytes == (
        document.key_bytes + document.overhead_bytes + document.unexplained_bytes
    )
    assert abs(document.unexplained_bytes) < 0.05 * document.used_bytes
    assert document.coverage.examined_keys == server.client.dbsize()
    assert by_name(document).keys() == {
        *("price:{symbol}:{time}", "session:{uuid}", "user:{n}", "rank:{n}:day"),
        *("queue:{n}:items", "stream:ticks"),
    }
    sessions = next(p for p in document.patterns if p.name == "session:{uuid}")
    assert sessions.expiring_keys == sessions.keys.value
    assert sessions.expiring_bytes == sessions.bytes.value
    assert from_json(RedisAudit, to_json(document), "audit.json") == document


def test_an_audit_neither_writes_nor_counts_as_use(server: Server) -> None:
    fill(server.client, 500)
    server.client.config_resetstat()
    before = server.client.info("all")
    audit(address(server), options=AuditOptions(full=True, contents=False))
    stats = server.client.info("commandstats")
    reading = {"scan", "type", "pttl", "ping", "select", "client", "memory", "object", "config"}
    names = {name.removeprefix("cmdstat_").partition("|")[0] for name in stats}
    assert names <= reading | {"info", "hello", "dbsize"}
    after = server.client.info("all")
    assert after["rdb_changes_since_last_save"] == before["rdb_changes_since_last_save"]


def test_the_interval_of_a_sample_holds_the_truth(server: Server) -> None:
    fill(server.client, 5000)
    truth = {p.name: p for p in audit(address(server)).patterns}
    outside = tries = 0
    for seed in range(8):
        document = audit(address(server), options=AuditOptions(sample=500, seed=seed))
        assert document.coverage.is_sampled
        for pattern in document.patterns:
            exact = truth[pattern.name]
            for guess, right in ((pattern.keys, exact.keys), (pattern.bytes, exact.bytes)):
                tries += 1
                outside += not guess.low <= right.value <= guess.high
    assert tries >= 80
    assert outside <= 0.15 * tries  # 5 % are expected; those of one sample depend on each other


def test_a_single_large_stream_is_never_missed(server: Server) -> None:
    fill(server.client, 3000)
    for number in range(2000):
        server.client.xadd("stream:ticks", {"price": number, "side": "buy"})
    document = audit(address(server), options=AuditOptions(sample=200, seed=1))
    stream = next(p for p in document.patterns if p.name == "stream:ticks")
    assert stream.keys.is_exact
    assert stream.bytes.is_exact


def test_no_key_of_a_sample_counts_twice(server: Server) -> None:
    """Few strings beside many hashes, all of which are read: the sample has room for all."""
    for number in range(900):
        server.client.hset(f"user:{number}", "name", "x")
    for number in range(100):
        server.client.set(f"price:{number}", "x")
    document = audit(address(server), options=AuditOptions(sample=500, contents=False))
    assert by_name(document) == {"user:{n}": 900, "price:{n}": 100}


def test_a_url_may_name_another_database_than_the_one_with_keys(server: Server) -> None:
    server.client.set("price:1", "x")
    document = audit(Address(url=f"unix://{server.socket}?db=1"))
    assert by_name(document) == {"price:{n}": 1}


def test_a_server_that_evicts_the_least_frequently_used_is_read_like_any_other(
    server: Server,
) -> None:
    server.client.config_set("maxmemory-policy", "allkeys-lfu")
    try:
        for number in range(100):
            server.client.set(f"price:{number}", f'{{"price": {number}, "currency": "EUR"}}')
        document = audit(address(server))
    finally:
        server.client.config_set("maxmemory-policy", "noeviction")
    assert by_name(document) == {"price:{n}": 100}
    assert document.coverage.gaps == ()
    assert document.values
