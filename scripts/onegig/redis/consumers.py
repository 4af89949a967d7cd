"""A stream's consumer groups: their backlog, and the memory of entries not acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onegig.redis.encodings import Entry, allocated, id_key, radix_tree_bytes

NACK = allocated(24)  # a pending entry of a group, also known to its consumer (stream.h)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Entries of a stream that its groups have not acknowledged or not read."""

    groups: int
    pending: int
    lag: int | None


def read_backlog(client: Any, key: bytes) -> Backlog:
    """Return the backlog of a stream's groups; servers before Redis 7 do not know their lag."""
    groups = client.xinfo_groups(key)
    lags = [group.get("lag") for group in groups]
    known = [int(lag) for lag in lags if lag is not None]
    return Backlog(
        groups=len(groups),
        pending=sum(int(group["pending"]) for group in groups),
        lag=max(known) if known and len(known) == len(lags) else None,
    )


def pending_bytes(backlog: Backlog, entries: Sequence[Entry]) -> float:
    """Return what pending entries take.

    That is a record each, and an id in the trees of group and consumer, by the ids of successive
    entries (t_stream.c, streamCreateNACK).
    """
    ids = [id_key(entry_id) for entry_id, _ in entries[:100]]
    return backlog.pending * (NACK + 2 * radix_tree_bytes(ids) / len(ids))
