"""Audits of a Redis, made by hand: the parts add up to what the server uses."""

from dataclasses import replace

from onegig.model.measured import Missing, Skipped
from onegig.model.redis import (
    Coverage,
    Encoding,
    Estimate,
    Overhead,
    Pattern,
    RedisAudit,
    RedisServer,
    Saving,
    Setting,
    Spread,
    StreamFacts,
    ValueFacts,
)

MB = 1024**2
SAVINGS = (  # technique, title, saved, cumulative MB
    ("compact-entries", "Write stream entries with positional fields", 71, 71),
    ("ttl", "Let temporary data expire", 38, 109),
    ("json-fields", "Shorten the names of JSON fields", 31, 140),
    ("deduplicate", "Keep metadata once", 22, 162),
)


def make_pattern(name: str, kind: str, keys: int, size: int, /, **changes: object) -> Pattern:
    """A pattern of `size` bytes, counted in full; `changes` are its fields."""
    made = Pattern(
        name=name,
        type=kind,
        keys=Estimate.exact(keys),
        bytes=Estimate.exact(size),
        measured_keys=keys,
        encodings=(Encoding(name="listpack" if kind == "hash" else kind, keys=keys),),
        expiring_keys=0,
        expiring_bytes=0,
        ttl=Skipped(reason="no key expires"),
        idle=Spread(least_seconds=1, median_seconds=90, most_seconds=7200),
        largest=name.replace("{symbol}", "BTCUSDT"),
        largest_bytes=size // max(1, keys // 2),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # any field


def _patterns(share: float) -> tuple[Pattern, ...]:
    return (
        make_pattern("trades:{symbol}", "stream", 12, int(96 * share)),
        make_pattern("book:{symbol}:{time}", "string", 214_000, int(61 * share)),
        make_pattern(
            "result:{uuid}",
            "string",
            88_000,
            int(38 * share),
            keys=Estimate(value=88_000, low=86_200, high=89_800),
            bytes=Estimate(value=int(38 * share), low=int(36 * share), high=int(40 * share)),
            measured_keys=4_000,
            expiring_keys=29_040,
            expiring_bytes=int(0.6 * share),
            ttl=Spread(least_seconds=12, median_seconds=1_800, most_seconds=3_600),
        ),
        make_pattern("meta:{symbol}", "hash", 41_000, int(26 * share)),
        make_pattern("seen", "set", 1, int(2 * share)),
    )


def _server(used: int) -> RedisServer:
    share = used / 238
    overheads = (
        Overhead(name="table of keys", bytes=int(6 * share), note="a slot and an entry each"),
        Overhead(name="replication backlog", bytes=int(3 * share)),
        Overhead(name="clients", bytes=int(1 * share)),
    )
    return RedisServer(
        product="valkey",
        version="8.1.1",
        mode="standalone",
        role="master",
        uptime_seconds=86_400,
        keys=343_013,
        used_bytes=used,
        rss_bytes=int(used * 1.1),
        peak_bytes=int(used * 1.02),
        max_bytes=256 * MB,
        policy="noeviction",
        allocator="jemalloc-5.3.0",
        fragmentation_bytes=int(9 * share),
        overheads=overheads,
    )


def _savings(used: int) -> tuple[Saving, ...]:
    share = used / 238
    return tuple(
        Saving(
            technique=technique,
            title=title,
            patterns=("trades:{symbol}",),
            saved_bytes=int(saved * share),
            low_bytes=int((saved - 3) * share),
            high_bytes=int((saved + 3) * share),
            cumulative_bytes=int(together * share),
            left_bytes=used - int(together * share),
            advice=f"{title}: `XADD key MAXLEN ~ 10000 * v 1 …`",
            measured=True,
        )
        for technique, title, saved, together in SAVINGS
    )


def make_audit(used: int = 238 * MB, **changes: object) -> RedisAudit:
    """An audit of the mission's coordinator, or of another size; `changes` are its fields."""
    share = used / 238
    patterns, server = _patterns(share), _server(used)
    keys = sum(pattern.bytes.value for pattern in patterns)
    audit = RedisAudit(
        target="redis-coordinator",
        seconds=11.4,
        latency_ms=3.2,
        servers=(server,),
        coverage=Coverage(
            keys=343_013,
            examined_keys=259_013,
            bytes=int(187 * share),
            is_sampled=True,
            gaps=("OBJECT FREQ is denied: access counts are unknown",),
        ),
        patterns=patterns,
        unexplained_bytes=used - keys - server.overhead_bytes,
        streams=(make_stream(int(96 * share)),),
        values=(
            ValueFacts(
                pattern="book:{symbol}:{time}",
                type="string",
                sampled=500,
                sampled_bytes=150_000,
                json_bytes=150_000,
                field_name_bytes=61_000,
                number_text_bytes=33_000,
                duplicate_bytes=4_100,
                compressible_bytes=96_000,
            ),
        ),
        settings=(
            Setting(
                name="stream-node-max-bytes",
                value="4096",
                better="16384",
                reason="fewer nodes, each with fields of its own",
                saved_bytes=int(4 * share),
            ),
            Setting(
                name="activedefrag",
                value="no",
                better="yes",
                reason="9 MB are free inside pages",
                saved_bytes=Skipped(reason="depends on the load"),
            ),
        ),
        savings=_savings(used),
    )
    return replace(audit, **changes)  # type: ignore[arg-type]  # any field


def rename_audit(name: str) -> RedisAudit:
    """An audit in which everything that a stranger could choose has this name."""
    audit = make_audit(8 * MB)
    assert not isinstance(audit.streams, Missing)
    assert not isinstance(audit.values, Missing)
    assert not isinstance(audit.savings, Missing)
    return replace(
        audit,
        target=name,
        servers=tuple(replace(each, version=name, policy=name) for each in audit.servers),
        coverage=replace(audit.coverage, gaps=(name,)),
        patterns=tuple(
            replace(each, name=name, type=name, encodings=(Encoding(name=name, keys=1),))
            for each in audit.patterns
        ),
        streams=tuple(replace(each, key=name, pattern=name) for each in audit.streams),
        values=tuple(replace(each, pattern=name) for each in audit.values),
        settings=tuple(replace(each, value=name, reason=name) for each in audit.settings),
        savings=tuple(replace(each, title=name, advice=name) for each in audit.savings),
        notes=(name,),
    )


def make_stream(size: int) -> StreamFacts:
    """A stream of JSON entries with two sets of fields, half of its nodes empty."""
    return StreamFacts(
        key="trades:BTCUSDT",
        pattern="trades:{symbol}",
        entries=410_000,
        bytes=size,
        nodes=9_800,
        bytes_per_entry=243.5,
        ideal_bytes_per_entry=61.2,
        field_sets=2,
        uniform_share=0.41,
        node_fill=0.52,
        hole_bytes=size // 20,
        groups=2,
        pending=1_204,
        pending_bytes=98_000,
        lag=None,
        sampled_entries=500,
    )
