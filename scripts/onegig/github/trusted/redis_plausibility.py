"""Check whether a stranger's audits of Redis servers can be true: names, sums, lengths of lists."""

from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass

from onegig.model.redis import RedisAudit, ServiceRedis

MOST_ITEMS = 1_000  # patterns, streams, savings, servers or gaps of one audit
MOST_TEXT = 5_000  # names of keys are cut by the audit
Audits = tuple[ServiceRedis, ...]


def doubt_redis(audits: Audits, services: Collection[str]) -> Iterator[str]:
    """Yield contradictions in the audits of a stack with these services."""
    names = [each.service for each in audits]
    if len(set(names)) < len(names) or not set(names) <= set(services):
        yield "has an audit of another service, or two of one"
        return
    for each in audits:
        if isinstance(each.audit, RedisAudit):
            yield from _doubt_audit(each.audit)


def _doubt_audit(audit: RedisAudit) -> Iterator[str]:
    if not _is_bounded(audit):
        yield f"has an audit with a list or a text that is too long ({MOST_ITEMS:,}, {MOST_TEXT:,})"
        return
    parts = audit.key_bytes + audit.overhead_bytes + audit.unexplained_bytes
    if audit.servers and parts != audit.used_bytes:
        yield "has an audit whose parts do not add up to its used memory"
    if any(pattern.bytes.low > pattern.bytes.high for pattern in audit.patterns):
        yield "has an audit with an interval whose lower end is the higher one"


def _is_bounded(value: object) -> bool:
    """Return whether every text and list in a document is of a length that can be shown."""
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    if isinstance(value, tuple):
        return len(value) <= MOST_ITEMS and all(map(_is_bounded, value))
    if is_dataclass(value):
        return all(_is_bounded(getattr(value, each.name)) for each in fields(value))
    return True
