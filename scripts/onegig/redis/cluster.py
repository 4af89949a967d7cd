"""A cluster: the addresses of its primaries, and one audit made of theirs."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.exceptions import ResponseError

from onegig.model.measured import Skipped
from onegig.model.redis import Coverage, Encoding, Estimate, Pattern, RedisAudit
from onegig.redis.connect import Address, Session

NOT_EXAMINED = Skipped(reason="contents are not examined in a cluster")


def find_primaries(session: Session) -> tuple[Address, ...]:
    """Return the addresses of all primaries; none where only this one can be reached.

    Through a unix socket the others can't be, nor where CLUSTER SLOTS is denied.
    """
    address = session.address
    if address.url.startswith("unix:"):
        return ()
    reply = session.ask("CLUSTER", "SLOTS")
    if isinstance(reply, ResponseError):
        return ()
    places = dict.fromkeys(_place(address, ranges[2]) for ranges in reply)
    return tuple(_moved(address, host, port) for host, port in places)


def _place(address: Address, node: Sequence[Any]) -> tuple[str, int]:
    """Return a node's host and port; one that does not say its host is where the first is."""
    host = (node[0] or b"").decode("utf-8", "replace")
    return (host if host not in ("", "?") else urlsplit(address.url).hostname or "", int(node[1]))


def _moved(address: Address, host: str, port: int) -> Address:
    parts = urlsplit(address.url)
    user, at, _ = parts.netloc.rpartition("@")
    shown = f"[{host}]" if ":" in host else host
    url = urlunsplit(parts._replace(netloc=f"{user}{at}{shown}:{port}"))
    return replace(address, url=url, name="")


def merge(audits: Sequence[RedisAudit], target: str) -> RedisAudit:
    """Return one audit of several servers: patterns of the same name are added up."""
    first = audits[0]
    patterns = sorted(
        (pattern for each in audits for pattern in each.patterns),
        key=lambda pattern: (pattern.name, pattern.type),
    )
    grouped = groupby(patterns, key=lambda pattern: (pattern.name, pattern.type))
    merged = [_merge_patterns(tuple(group)) for _, group in grouped]
    settings = {setting.name: setting for each in audits for setting in each.settings}
    return replace(
        first,
        target=target,
        latency_ms=max(each.latency_ms for each in audits),
        servers=tuple(server for each in audits for server in each.servers),
        coverage=_merge_coverages([each.coverage for each in audits]),
        patterns=tuple(sorted(merged, key=lambda pattern: -pattern.bytes.value)),
        unexplained_bytes=sum(each.unexplained_bytes for each in audits),
        settings=tuple(settings.values()),
        streams=NOT_EXAMINED,
        values=NOT_EXAMINED,
        savings=NOT_EXAMINED,
    )


def _merge_patterns(patterns: Sequence[Pattern]) -> Pattern:
    """Return the sum; times are those of the server with the most of its keys."""
    most = max(patterns, key=lambda pattern: pattern.keys.value)
    largest = max(patterns, key=lambda pattern: pattern.largest_bytes)
    names = dict.fromkeys(each.name for pattern in patterns for each in pattern.encodings)
    counts = {
        name: sum(e.keys for p in patterns for e in p.encodings if e.name == name) for name in names
    }
    return replace(
        most,
        keys=_add([pattern.keys for pattern in patterns]),
        bytes=_add([pattern.bytes for pattern in patterns]),
        measured_keys=sum(pattern.measured_keys for pattern in patterns),
        encodings=tuple(Encoding(name=name, keys=keys) for name, keys in counts.items()),
        expiring_keys=sum(pattern.expiring_keys for pattern in patterns),
        expiring_bytes=sum(pattern.expiring_bytes for pattern in patterns),
        largest=largest.largest,
        largest_bytes=largest.largest_bytes,
    )


def _add(estimates: Sequence[Estimate]) -> Estimate:
    """Return a sum with an interval that is rather too wide: errors need not be on one side."""
    return Estimate(
        value=sum(each.value for each in estimates),
        low=sum(each.low for each in estimates),
        high=sum(each.high for each in estimates),
    )


def _merge_coverages(coverages: Sequence[Coverage]) -> Coverage:
    return Coverage(
        keys=sum(each.keys for each in coverages),
        examined_keys=sum(each.examined_keys for each in coverages),
        bytes=sum(each.bytes for each in coverages),
        is_sampled=any(each.is_sampled for each in coverages),
        gaps=tuple(dict.fromkeys(gap for each in coverages for gap in each.gaps)),
    )
