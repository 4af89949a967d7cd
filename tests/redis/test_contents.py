"""Facts of streams and values, on a real server."""

import json

import pytest

from onegig.model.redis import StreamFacts, ValueFacts
from onegig.redis.audit import audit
from onegig.redis.connect import Address
from onegig.redis.samples import Sample
from onegig.redis.scratch import product_of, read_config, settings_of
from onegig.redis.streams import examine_stream
from onegig.redis.values import examine_values
from servers import Server

ENTRIES = 2_000
START = 1_700_000_000_000


def fill(server: Server, names: tuple[tuple[str, ...], ...]) -> list[str]:
    """Write a stream whose entries have these fields in turn; return its ids."""
    pipeline = server.client.pipeline(transaction=False)
    for n in range(ENTRIES):
        fields = {name: str(n * 37) for name in names[n % len(names)]}
        pipeline.xadd("stream", fields, id=f"{START + n * 40}-0")
    return [each.decode() for each in pipeline.execute()]


def examine(server: Server) -> StreamFacts:
    settings = settings_of(*product_of(server.client.info("server")), read_config(server.client))
    facts = examine_stream(server.client, b"stream", settings)
    assert facts is not None
    return facts


def test_a_uniform_stream_is_near_its_ideal(server: Server) -> None:
    fill(server, (("price", "quantity", "side"),))
    facts = examine(server)
    assert (facts.entries, facts.field_sets, facts.uniform_share) == (ENTRIES, 1, 1.0)
    assert facts.hole_bytes == 0
    share = 0.12 if server.client.info("server").get("valkey_version") else 0.25  # guessed trees
    assert facts.bytes_per_entry == pytest.approx(facts.ideal_bytes_per_entry, rel=share)


def test_varying_fields_cost_their_names(server: Server) -> None:
    fill(server, (("price", "quantity"), ("quantity", "price"), ("price", "quantity", "side")))
    facts = examine(server)
    assert facts.field_sets == 3
    assert facts.uniform_share == pytest.approx(1 / 3, abs=0.02)
    assert facts.bytes_per_entry > 1.4 * facts.ideal_bytes_per_entry


def test_deleted_entries_take_room_until_their_node_is_empty(server: Server) -> None:
    ids = fill(server, (("price", "quantity", "side"),))
    server.client.xdel("stream", *ids[::2])
    facts = examine(server)
    assert facts.entries == ENTRIES // 2
    assert facts.hole_bytes == pytest.approx(facts.bytes / 2, rel=0.2)
    assert facts.node_fill < 0.6


def test_pending_entries_of_groups_are_counted_apart(server: Server) -> None:
    fill(server, (("price",),))
    alone = server.client.memory_usage("stream")
    server.client.xgroup_create("stream", "readers", id="0")
    server.client.xreadgroup("readers", "one", {"stream": ">"}, count=1_500)
    facts = examine(server)
    assert (facts.groups, facts.pending) == (1, 1_500)
    assert facts.lag in {500, None}
    grown = server.client.memory_usage("stream") - alone
    assert facts.hole_bytes == 0
    if server.client.info("server").get("valkey_version"):  # others guess at trees
        assert facts.pending_bytes == pytest.approx(grown, rel=0.25)


def test_pending_entries_are_nothing_that_a_rewritten_stream_saves(server: Server) -> None:
    fill(server, (("price",),))
    for n in range(5):
        server.client.xgroup_create("stream", f"group{n}", id="0")
        server.client.xreadgroup(f"group{n}", "one", {"stream": ">"})
    report = audit(Address(url=f"unix://{server.socket}"))
    assert isinstance(report.streams, tuple)
    assert isinstance(report.savings, tuple)
    contents = report.streams[0].bytes - report.streams[0].pending_bytes
    assert "rewrite-streams" not in {saving.technique for saving in report.savings}
    assert sum(saving.saved_bytes for saving in report.savings) < max(1, contents)


def string(name: str, value: object) -> tuple[str, Sample]:
    text = value if isinstance(value, str) else json.dumps(value)
    return "p", Sample(name=name.encode(), type="string", content=(text.encode(),))


LONG = {"name": "x" * 20, "price": 1234.5}
CASES = {
    "numbers of JSON": (
        [string("a", {"price": 1234.5})],
        {"field_name_bytes": 8, "number_text_bytes": 3},
    ),
    "a plain number": ([string("a", "1234567.25")], {"json_bytes": 0, "number_text_bytes": 5}),
    "no number": ([string("a", "1.2.3")], {"number_text_bytes": 0}),
    "the same value twice": (
        [string("a", "v" * 30), string("b", "v" * 30)],
        {"duplicate_bytes": 30},
    ),
    "the same document": ([string("a", LONG), string("b", LONG)], {"duplicate_bytes": 46}),
    "a member of both": (
        [string("a", {"m": LONG, "n": 1}), string("b", {"m": LONG, "n": 2})],
        {"duplicate_bytes": 46},
    ),
    "short values": ([string("a", "v"), string("b", "v")], {"duplicate_bytes": 0}),
    "binary": ([("p", Sample(name=b"a", type="string", content=(b"\xff{",)))], {"json_bytes": 0}),
}


@pytest.mark.parametrize("case", CASES)
def test_values(case: str) -> None:
    samples, expected = CASES[case]
    (facts,) = examine_values(samples)
    assert {name: getattr(facts, name) for name in expected} == expected


LARGE = "x" * 100_000
COLLECTIONS = {
    "hash": lambda client, n: client.hset("large", str(n), LARGE),
    "set": lambda client, n: client.sadd("large", f"{n}{LARGE}"),
    "list": lambda client, n: client.rpush("large", LARGE),
    "stream": lambda client, n: client.xadd("large", {"field": LARGE}),
}


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_of_large_elements_only_a_few_are_read(server: Server, kind: str) -> None:
    for n in range(300):
        COLLECTIONS[kind](server.client, n)
    server.client.config_resetstat()
    audit(Address(url=f"unix://{server.socket}"))
    assert server.client.info("stats")["total_net_output_bytes"] < 4_000_000


def test_an_audit_has_the_facts_of_contents(server: Server) -> None:
    fill(server, (("price", "quantity"),))
    for n in range(50):
        server.client.set(f"meta:{n}", json.dumps({"source": "websocket", "number": n}))
    report = audit(Address(url=f"unix://{server.socket}"))
    assert isinstance(report.streams, tuple)
    assert [(each.key, each.pattern) for each in report.streams] == [("stream", "stream")]
    assert isinstance(report.values, tuple)
    values: dict[str, ValueFacts] = {each.type: each for each in report.values}
    assert values["string"].sampled == 50
    assert values["string"].json_bytes == values["string"].sampled_bytes


def test_a_user_who_may_not_read_contents_gets_a_gap(server: Server) -> None:
    fill(server, (("price",),))
    rules = ["+@read", "+info", "+select", "+ping", "-xrange", "+@connection"]
    server.client.execute_command("ACL", "SETUSER", "few", "on", "nopass", "~*", *rules)
    report = audit(Address(url=f"unix://{server.socket}", username="few", password="x"))
    assert report.savings == ()
    assert any("stream" in gap and "XRANGE" in gap.upper() for gap in report.coverage.gaps)
