"""Streams: what their entries take, against the same entries with uniform fields in full nodes.

Only a few windows of entries are read. Entries that were deleted inside of nodes show as bytes that
the entries left do not explain: the server does not count them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from onegig.model.redis import StreamFacts
from onegig.redis.consumers import pending_bytes, read_backlog
from onegig.redis.encodings import Entry, Settings, StreamNodes
from onegig.redis.groups import escaped_name
from onegig.redis.samples import Client, most_elements, read_windows

MOST_ENTRIES = 300  # of a window
NOISE = 0.1  # of a stream's bytes that its windows may not show


def examine_stream(
    client: Client, key: bytes, settings: Settings, pattern: str = ""
) -> StreamFacts | None:
    """Return the facts of a stream, None where it is gone or empty. Raises redis.RedisError."""
    usage, length = client.memory_usage(key), int(client.xlen(key))
    if not usage or not length:
        return None
    info = client.xinfo_stream(key)
    a_few = min(MOST_ENTRIES, most_elements(int(usage), length))
    windows = read_windows(client, key, length, a_few)
    entries = [entry for window in windows for entry in window]
    if not entries:
        return None
    backlog = read_backlog(client, key)
    nodes = int(info["radix-tree-keys"])
    in_groups = pending_bytes(backlog, entries)
    filled = _nodes(windows, settings)
    expected = sum(each.closed_bytes for each in filled) * length / len(entries)
    holes = usage - in_groups - expected
    field_sets = Counter(content[::2] for _, content in entries)
    most = settings.stream_node_max_bytes
    return StreamFacts(
        key=escaped_name(key),
        pattern=pattern,
        entries=length,
        bytes=int(usage),
        nodes=nodes,
        bytes_per_entry=round(usage / length, 1),
        ideal_bytes_per_entry=round(_ideal_bytes(windows, settings) / len(entries), 1),
        field_sets=len(field_sets),
        uniform_share=round(sum(each.uniform for each in filled) / len(entries), 4),
        node_fill=round(min(1.0, expected / nodes / most), 4) if most else 1.0,
        hole_bytes=round(holes) if holes > NOISE * usage and _was_deleted(info) else 0,
        groups=backlog.groups,
        pending=backlog.pending,
        pending_bytes=round(in_groups),
        lag=backlog.lag,
        sampled_entries=len(entries),
    )


def _nodes(windows: Sequence[Sequence[Entry]], settings: Settings) -> tuple[StreamNodes, ...]:
    """Return the nodes that the entries of each window make."""
    return tuple(_fill(StreamNodes(settings), window) for window in windows)


def _ideal_bytes(windows: Sequence[Sequence[Entry]], settings: Settings) -> int:
    """Return the bytes of the entries read if all of them had the same fields."""
    filled = (_fill(StreamNodes(settings, unify=True), window) for window in windows)
    return sum(nodes.closed_bytes for nodes in filled)


def _fill(nodes: StreamNodes, window: Sequence[Entry]) -> StreamNodes:
    for entry_id, content in window:
        nodes.add(entry_id, content)
    return nodes


def _was_deleted(info: Mapping[str, Any]) -> bool:
    """Return whether entries were deleted one by one: Redis 7 and later know the newest of them."""
    newest = info.get("max-deleted-entry-id", b"")
    return newest not in {b"0-0", "0-0"}
