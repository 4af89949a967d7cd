"""Savings: predicted, replayed on a sample and applied to everything come to the same."""

import json
import random
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from onegig.errors import MeasureError
from onegig.model.redis import RedisAudit, Saving
from onegig.redis.audit import AuditOptions, audit
from onegig.redis.connect import Address
from onegig.redis.samples import Sample, read_sample, read_windows, write_samples
from onegig.redis.scratch import Scratch, product_of, read_config, start_scratch
from onegig.redis.techniques import configure, rewrite
from servers import Server

COUNT = 1_600


def trades() -> Iterator[Sample]:
    """Yield a stream of JSON trades, results without a time to live, and small strings."""
    dice = random.Random(7)
    start = 1_700_000_000
    entries = []
    for n in range(COUNT):
        trade = {
            "exchange": "binance",
            "symbol": dice.choice(["BTCUSDT", "ETHUSDT"]),
            "price": round(dice.uniform(1_000, 70_000), 2),
            "quantity": round(dice.random(), 4),
            "metadata": {"source": "websocket", "region": "eu-central-1", "version": "1.4.2"},
        }
        entries.append((((start + n) * 1000, 0), (b"data", json.dumps(trade).encode())))
    yield Sample(name=b"trades", type="stream", entries=tuple(entries))
    for n in range(COUNT // 4):
        result = {"signal": "buy", "score": dice.random(), "reasons": {"rsi": dice.random()}}
        name, value = f"result:{start + n * 20}", json.dumps(result).encode()
        yield Sample(name=name.encode(), type="string", content=(value,))
        yield Sample(name=b"user:%d" % n, type="string", content=(b"v%d" % dice.randrange(9**6),))


def by_name(report: RedisAudit) -> dict[str, Saving]:
    assert isinstance(report.savings, tuple)
    return {saving.technique: saving for saving in report.savings}


def read_whole(server: Server) -> list[Sample]:
    """Return all that a server holds; a stream by its windows."""
    names = sorted(server.client.scan_iter(count=1000))
    kinds = [server.client.type(name).decode() for name in names]
    whole = []
    for name, kind in zip(names, kinds, strict=True):
        if kind == "stream":
            windows = read_windows(server.client, name, COUNT, COUNT)
            whole.append(Sample(name=name, type=kind, entries=windows[0]))
        else:
            whole += read_sample(server.client, name, kind)
    return whole


def test_predicted_replayed_and_applied_agree(server: Server) -> None:
    write_samples(server.client, trades())
    address = Address(url=f"unix://{server.socket}")
    predicted = by_name(audit(address, options=AuditOptions()))
    replayed = by_name(audit(address, options=AuditOptions(replay=True)))
    assert {"compact-entries", "deduplicate", "ttl"} <= replayed.keys() & predicted.keys()
    for one, other in zip(replayed.values(), predicted.values(), strict=False):
        if one.technique != other.technique:
            break  # two that save about the same come in either order
        assert abs(one.cumulative_bytes - other.cumulative_bytes) <= 0.03 * one.cumulative_bytes
    last, guess = list(replayed.values())[-1], list(predicted.values())[-1]
    assert abs(last.cumulative_bytes - guess.cumulative_bytes) <= 0.05 * last.cumulative_bytes
    slack = 0.01 * server.used_bytes()  # tables and last nodes matter in data as small as this
    whole, before = read_whole(server), 0
    for number, saving in enumerate(replayed.values(), 1):
        applied = apply(server, whole, list(replayed.values())[:number])
        low, high = saving.low_bytes - slack, saving.high_bytes + slack
        assert low <= applied - before <= high, saving
        before = applied
    assert abs(before - last.cumulative_bytes) <= 0.08 * last.cumulative_bytes, last


def apply(server: Server, whole: list[Sample], savings: Collection[Saving]) -> int:
    """Return the bytes that the techniques save on all of a server's data; it is empty then."""
    scratch = Scratch(server.socket, *product_of(server.client.info("server")))
    config = read_config(server.client)
    groups: dict[bytes, list[Sample]] = {}
    for sample in whole:
        groups.setdefault(sample.name.split(b":")[0], []).append(sample)
    before = scratch.measure([sample for group in groups.values() for sample in group], {})
    after: list[Sample] = []
    for prefix, group in groups.items():
        start = prefix.decode()
        names = {s.technique for s in savings if any(p.startswith(start) for p in s.patterns)}
        after += [replace(s, name=prefix + s.name) for s in rewrite(group, frozenset(names))]
    techniques = frozenset(saving.technique for saving in savings)
    size = scratch.measure(after, configure(techniques, config))
    scratch.close()
    return before - size


def test_the_audited_server_is_only_read(server: Server) -> None:
    write_samples(server.client, islice(trades(), 80))
    keys = server.client.dbsize()
    server.client.config_resetstat()
    audit(Address(url=f"unix://{server.socket}"), options=AuditOptions(replay=True))
    called = {name.removeprefix("cmdstat_") for name in server.client.info("commandstats")}
    commands = server.client.command()
    writers = {name for name, command in commands.items() if "write" in command["flags"]}
    assert "memory|usage" in called
    assert called & writers == set()
    assert server.client.dbsize() == keys


def test_a_scratch_server_is_gone_afterwards(server: Server) -> None:
    product, version = product_of(server.client.info("server"))
    seen: list[Path] = []

    def fail() -> None:
        with start_scratch(product, version, {}) as scratch:
            seen.append(scratch.socket)
            assert scratch.socket.exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not seen[0].parent.exists()


def test_without_a_program_of_the_version_nothing_is_replayed() -> None:
    with pytest.raises(MeasureError, match=r"no redis-server 5\.0"):
        start_scratch("redis", "5.0", {}).__enter__()
