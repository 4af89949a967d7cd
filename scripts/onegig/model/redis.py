"""Results of auditing a Redis or Valkey server: where its memory goes, and what would save some.

Bytes are the server's own (`MEMORY USAGE`, `INFO memory`). Names of keys, patterns and fields come
from whoever wrote to the server: binary names are written as text by `onegig.text.escaped`, and
whoever prints them uses `plain`.
"""

from dataclasses import dataclass
from typing import Literal

from onegig.model.measured import Missing, Skipped

NOT_ASKED = Skipped(reason="not asked for")


MOST_FULL = 100_000  # keys that are all read unless asked otherwise
DEFAULT_SAMPLE = 20_000  # keys that are read of more


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A number and its 95 % interval; where everything was counted, all three are the same."""

    value: int
    low: int
    high: int

    @classmethod
    def exact(cls, value: int) -> "Estimate":
        """Return a number that was counted."""
        return cls(value=value, low=value, high=value)

    @property
    def is_exact(self) -> bool:
        """Return whether everything was counted."""
        return self.low == self.high


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Seconds over the keys of a pattern: the shortest, the median and the longest."""

    least_seconds: int
    median_seconds: int
    most_seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """Keys of a pattern by how the server stores them ("listpack", "embstr", "raw")."""

    name: str
    keys: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """Keys of one type whose names were learned to be alike: "price:{symbol}:{date}".

    Numbers are those of the whole database, estimated where the keys were sampled.
    """

    name: str
    type: str  # string, hash, list, set, zset, stream, or a module's own
    database: int = 0
    keys: Estimate
    bytes: Estimate  # value, name and entry: MEMORY USAGE and what that leaves out
    measured_keys: int  # of them, those that were looked at
    encodings: tuple[Encoding, ...]  # of the keys looked at, the most frequent first
    expiring_keys: int  # with a time to live
    expiring_bytes: int
    ttl: Spread | Missing  # of those keys
    idle: Spread | Missing  # since a key was last read or written
    largest: str  # the name of the largest key seen
    largest_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFacts:
    """One stream: its entries, and what they would take with uniform fields and full nodes."""

    key: str
    pattern: str = ""  # the name of the pattern it belongs to
    entries: int
    bytes: int
    nodes: int  # of its radix tree: listpacks with entries
    bytes_per_entry: float
    ideal_bytes_per_entry: float  # with uniform fields, in full nodes, without holes
    field_sets: int  # of the entries looked at: different names of fields, or another order
    uniform_share: float  # of entries that share their node's names of fields
    node_fill: float  # live bytes of a node by its limit
    hole_bytes: int  # of entries deleted that still take room
    groups: int  # consumer groups
    pending: int  # entries delivered to a group and not acknowledged
    pending_bytes: int
    lag: int | None  # entries not delivered yet, of the group furthest behind; None: not known
    sampled_entries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueFacts:
    """Contents of a pattern's values: bytes of a sample that say little, by reason.

    A byte may count for several of them.
    """

    pattern: str = ""
    type: str = ""
    sampled: int  # keys
    sampled_bytes: int  # of their contents, without the server's overhead
    json_bytes: int  # of it in JSON
    field_name_bytes: int  # names of JSON members
    number_text_bytes: int  # numbers written as text, beyond their binary size
    duplicate_bytes: int  # values that another key has, too
    compressible_bytes: int  # saved by compression


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """Memory of the server that is in no key: "replication backlog", "table of keys"."""

    name: str
    bytes: int
    note: str = ""  # where the number comes from, or how to make it smaller


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A setting of the server's that costs memory, and a better value."""

    name: str  # "repl-backlog-size"
    value: str
    better: str
    reason: str
    saved_bytes: int | Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisServer:
    """One server (of a cluster: one primary) as INFO states it."""

    product: Literal["redis", "valkey"]
    version: str
    mode: str  # standalone, cluster, sentinel
    role: str  # master, slave
    uptime_seconds: int
    keys: int
    used_bytes: int  # used_memory: what the allocator gave out
    rss_bytes: int  # used_memory_rss: what the operating system gave
    peak_bytes: int  # used_memory_peak
    max_bytes: int  # maxmemory; 0: no limit
    policy: str  # maxmemory-policy
    allocator: str
    fragmentation_bytes: int  # free inside the allocator's pages
    overheads: tuple[Overhead, ...]  # the largest first

    @property
    def overhead_bytes(self) -> int:
        """Return the memory that is in no key."""
        return sum(overhead.bytes for overhead in self.overheads)


@dataclass(frozen=True, kw_only=True, slots=True)
class Saving:
    """A technique and the memory it saves, applied together with those before it.

    Measured with a sample in a server of the same version and configuration, or predicted by the
    sizes of encodings.
    """

    technique: str  # "compact-entries"
    title: str  # "Write stream entries with positional fields"
    patterns: tuple[str, ...]  # it applies to
    saved_bytes: int  # by it alone of those that are left, given those before
    low_bytes: int  # the 95 % interval of `saved_bytes`
    high_bytes: int
    cumulative_bytes: int  # saved with all before, measured together
    left_bytes: int  # used memory after
    advice: str  # what to change
    measured: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Keys that were looked at, and what could not be looked at."""

    keys: int  # in the databases
    examined_keys: int
    bytes: int  # of the keys examined
    is_sampled: bool
    gaps: tuple[str, ...] = ()  # "OBJECT IDLETIME is denied: idle times are unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisAudit:
    """One audited server or cluster.

    Patterns, overheads and the unexplained add up to its used memory.
    """

    schema: str = "onegig/redis/1"
    target: str  # the service or the URL, without its password
    seconds: float  # that the audit took
    latency_ms: float  # 99 of 100 batches of the audit were answered faster, beyond a PING
    servers: tuple[RedisServer, ...]  # one; of a cluster, every primary; none where INFO is denied
    coverage: Coverage
    patterns: tuple[Pattern, ...]  # the largest first
    unexplained_bytes: int  # used memory in neither keys nor overheads; below 0: counted twice
    streams: tuple[StreamFacts, ...] | Missing = NOT_ASKED  # the largest first
    values: tuple[ValueFacts, ...] | Missing = NOT_ASKED
    settings: tuple[Setting, ...] = ()
    savings: tuple[Saving, ...] | Missing = NOT_ASKED  # in the order of application
    limit_bytes: int = 0  # that used memory is held against; 0: none
    notes: tuple[str, ...] = ()

    @property
    def used_bytes(self) -> int:
        """Return used_memory, of all servers together; that of keys where INFO is denied."""
        return sum(server.used_bytes for server in self.servers) or self.key_bytes

    @property
    def key_bytes(self) -> int:
        """Return the bytes of all patterns."""
        return sum(pattern.bytes.value for pattern in self.patterns)

    @property
    def overhead_bytes(self) -> int:
        """Return the memory that is in no key, of all servers together."""
        return sum(server.overhead_bytes for server in self.servers)

    @property
    def is_over(self) -> bool:
        """Return whether used memory is over the limit."""
        return bool(self.limit_bytes) and self.used_bytes > self.limit_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRedis:
    """The Redis of a service of the stack, audited at the end of the window."""

    service: str
    audit: RedisAudit | Missing


NO_REDIS = Skipped(reason="budgets.yml does not ask for an audit (`redis:`)")
