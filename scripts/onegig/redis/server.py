"""A server as INFO, MEMORY STATS and CONFIG state it: memory that is in no key, and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from onegig.model.measured import Skipped
from onegig.model.redis import Overhead, RedisServer, Setting
from onegig.model.sizes import format_mb
from onegig.redis.connect import Session
from onegig.redis.uncounted import ENTRY, OBJECT, POINTER, Uncounted

HISTOGRAM = 24_576 + 96  # bytes: 1 ns to 1 s with two digits, for each command (hdr_histogram.c)
WORTH_BYTES = 1 << 20  # of a setting's saving
CLIENT_BYTES = 16 << 20  # of clients' buffers that are worth a look
SETTINGS = ("activedefrag", "repl-backlog-size", "maxmemory", "maxmemory-clients")


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """A server's description of itself. `info` is empty where INFO is denied."""

    info: Mapping[str, str]
    databases: Mapping[int, tuple[int, int]]  # keys and those of them that expire
    histograms: int  # of latencies, one for each command that was ever called
    clients_bytes: int  # buffers of clients, ours included
    tables_bytes: int  # buckets of the hash tables of keys and of times to live
    config: Mapping[str, str]
    gaps: tuple[str, ...] = ()
    uncounted: Uncounted

    @property
    def is_valkey(self) -> bool:
        """Return whether this is Valkey."""
        return "valkey_version" in self.info

    @property
    def version(self) -> str:
        """Return the version of the product."""
        return self.info.get("valkey_version") or self.info.get("redis_version", "")

    @property
    def is_cluster(self) -> bool:
        """Return whether this server is a part of a cluster."""
        return "cluster" in (self.info.get("redis_mode"), self.info.get("server_mode"))

    def number(self, name: str) -> int:
        """Return a number of INFO; 0 where the version lacks it."""
        return _number(self.info, name)


def read_facts(session: Session) -> Facts:
    """Ask a server about itself; what is denied is a gap."""
    gaps: list[str] = []
    info = _info(session, gaps)
    databases = {
        int(name[2:]): _keyspace(text)
        for name, text in info.items()
        if name.startswith("db") and name[2:].isdecimal()
    }
    if not info and isinstance(keys := session.ask("DBSIZE"), int):
        databases = {0: (keys, 0)} if keys else {}
    stats = _stats(session, gaps)
    clients = max(_number(info, "mem_clients_normal"), int(stats.get("clients.normal", 0)))
    return Facts(
        histograms=_histograms(session),
        clients_bytes=clients,
        info=info,
        databases=databases,
        tables_bytes=_tables(stats, databases),
        config=_config(session, gaps),
        gaps=tuple(gaps),
        uncounted=_uncounted(info, _quantum(session)),
    )


def _uncounted(info: Mapping[str, str], quantum: int) -> Uncounted:
    valkey = info.get("valkey_version")
    numbers = (valkey or info.get("redis_version", "")).split(".")[:2]
    release = tuple(int(number) for number in numbers if number.isdecimal())
    # without INFO, nothing is added
    return Uncounted(is_valkey=bool(valkey), release=release or (9, 9), quantum=quantum)


def _info(session: Session, gaps: list[str]) -> dict[str, str]:
    reply = session.ask("INFO")
    if isinstance(reply, ResponseError):
        gaps.append("INFO is denied: used memory and the server's overhead are unknown")
        return {}
    lines = bytes(reply).decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and line[0] != "#")


def _number(info: Mapping[str, str], name: str) -> int:
    text = info.get(name, "0")
    return int(text) if text.lstrip("-").isdigit() else 0


def _keyspace(text: str) -> tuple[int, int]:
    """Return the numbers of "keys=3,expires=1,avg_ttl=0"."""
    pairs = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    return int(pairs.get("keys", 0)), int(pairs.get("expires", 0))


def _histograms(session: Session) -> int:
    reply = session.ask("INFO", "latencystats")
    return reply.count(b"latency_percentiles_usec_") if isinstance(reply, bytes) else 0


def _stats(session: Session, gaps: list[str]) -> dict[str, Any]:
    reply = session.ask("MEMORY", "STATS")
    if isinstance(reply, ResponseError):
        gaps.append("MEMORY STATS is denied: the size of the tables of keys is computed")
        return {}
    return _mapping(reply)


def _tables(stats: Mapping[str, Any], databases: Mapping[int, tuple[int, int]]) -> int:
    """Return the bytes of the tables' buckets (getMemoryOverheadData, object.c).

    Newer servers state them; older ones count the entries in, and an object for each key.
    """
    if not stats:
        powers = (1 << (n - 1).bit_length() for pair in databases.values() for n in pair if n)
        return POINTER * sum(powers)
    if "overhead.db.hashtable.lut" in stats:
        return int(stats["overhead.db.hashtable.lut"])
    total = 0
    for number, (keys, expiring) in databases.items():
        tables = _mapping(stats.get(f"db.{number}", []))
        total += int(tables.get("overhead.hashtable.main", 0)) - keys * (ENTRY + OBJECT)
        total += int(tables.get("overhead.hashtable.expires", 0)) - expiring * ENTRY
    return max(0, total)


def _config(session: Session, gaps: list[str]) -> dict[str, str]:
    reply = session.ask("CONFIG", "GET", "*")
    if isinstance(reply, ResponseError):
        gaps.append("CONFIG GET is denied: settings are unknown")
        return {}
    named = _mapping(reply)
    return {name: _decoded(named[name]) for name in SETTINGS if name in named}


def _quantum(session: Session) -> int:
    """Return the distance of jemalloc's small classes: 8 in the one that Redis brings along."""
    reply = session.ask("MEMORY", "MALLOC-STATS")
    return 16 if isinstance(reply, bytes) and b"Quantum size: 16\n" in reply else 8


def _mapping(reply: Any) -> dict[str, Any]:
    flat = list(reply) if isinstance(reply, list | tuple) else []
    return {_decoded(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


# ---- the document's parts -----------------------------------------------------------------------


def describe_server(facts: Facts) -> RedisServer:
    """Return a server's part of the document."""
    return RedisServer(
        product="valkey" if facts.is_valkey else "redis",
        version=facts.version,
        mode=facts.info.get("server_mode") or facts.info.get("redis_mode", ""),
        role=facts.info.get("role", ""),
        uptime_seconds=facts.number("uptime_in_seconds"),
        keys=sum(keys for keys, _ in facts.databases.values()),
        used_bytes=facts.number("used_memory"),
        rss_bytes=facts.number("used_memory_rss"),
        peak_bytes=facts.number("used_memory_peak"),
        max_bytes=facts.number("maxmemory"),
        policy=facts.info.get("maxmemory_policy", ""),
        allocator=facts.info.get("mem_allocator", ""),
        fragmentation_bytes=max(0, facts.number("allocator_frag_bytes")),
        overheads=_overheads(facts),
    )


def _overheads(facts: Facts) -> tuple[Overhead, ...]:
    expiring = 0 if facts.uncounted.embeds_keys else sum(n for _, n in facts.databases.values())
    numbers = (
        ("server at its start", facts.number("used_memory_startup"), ""),
        ("tables of keys", facts.tables_bytes, "buckets, of times to live as well"),
        ("entries of times to live", ENTRY * expiring, f"{ENTRY} bytes for each key that expires"),
        ("replication backlog", facts.number("mem_replication_backlog"), "repl-backlog-size"),
        ("buffers of replicas", facts.number("mem_clients_slaves"), ""),
        ("buffers of clients", facts.clients_bytes, "maxmemory-clients limits them"),
        ("buffer of the append-only file", facts.number("mem_aof_buffer"), ""),
        ("links of the cluster", facts.number("mem_cluster_links"), ""),
        ("histograms of latencies", HISTOGRAM * facts.histograms, "latency-tracking no frees them"),
        ("scripts and functions", facts.number("used_memory_scripts"), ""),
    )
    parts = (Overhead(name=name, bytes=size, note=note) for name, size, note in numbers if size)
    return tuple(sorted(parts, key=lambda part: -part.bytes))


def advise_settings(facts: Facts) -> tuple[Setting, ...]:
    """Return the settings that cost memory, or leave it without a limit."""
    return tuple(
        each
        for each in (_defragment(facts), _backlog(facts), _clients(facts), _limit(facts))
        if each
    )


def _defragment(facts: Facts) -> Setting | None:
    free = facts.number("allocator_frag_bytes")
    if facts.config.get("activedefrag") != "no" or free < max(
        10 * WORTH_BYTES, facts.number("used_memory") // 10
    ):
        return None
    return Setting(
        name="activedefrag",
        value="no",
        better="yes",
        reason="holes inside the allocator's pages keep them from the system",
        saved_bytes=free,
    )


def _backlog(facts: Facts) -> Setting | None:
    size = facts.number("mem_replication_backlog")
    if size < WORTH_BYTES or facts.number("connected_slaves"):
        return None
    return Setting(
        name="repl-backlog-size",
        value=facts.config.get("repl-backlog-size", str(size)),
        better=str(WORTH_BYTES),
        reason="no replica is connected that would catch up from it",
        saved_bytes=max(0, size - WORTH_BYTES),
    )


def _clients(facts: Facts) -> Setting | None:
    size = facts.clients_bytes
    if size < CLIENT_BYTES or facts.config.get("maxmemory-clients") != "0":
        return None
    return Setting(
        name="maxmemory-clients",
        value="0",
        better="5%",
        reason=f"buffers of {facts.number('connected_clients')} clients take {format_mb(size)}",
        saved_bytes=Skipped(reason="it depends on what the clients do"),
    )


def _limit(facts: Facts) -> Setting | None:
    if not facts.info or facts.number("maxmemory"):
        return None
    return Setting(
        name="maxmemory",
        value="0",
        better="a limit below the machine's memory",
        reason="without a limit the kernel kills the server when the machine is full",
        saved_bytes=Skipped(reason="it limits memory, and saves none"),
    )
