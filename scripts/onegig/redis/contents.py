"""An audit's part on what keys contain, and what techniques would save of it."""

from collections.abc import Sequence
from dataclasses import replace

from redis.exceptions import RedisError, ResponseError

from onegig.errors import OnegigError
from onegig.model.measured import Unknown
from onegig.model.redis import RedisAudit, StreamFacts
from onegig.redis.encodings import Settings
from onegig.redis.groups import Group
from onegig.redis.replay import measure, predict
from onegig.redis.samples import Client, select
from onegig.redis.scratch import read_config, settings_of, start_scratch
from onegig.redis.streams import examine_stream
from onegig.redis.units import read_units
from onegig.redis.values import examine_values
from onegig.text import plain

MOST_STREAMS = 30  # the largest, of all patterns
MOST_OF_A_PATTERN = 10


def add_contents(
    client: Client, document: RedisAudit, groups: Sequence[Group], *, replays: bool, image: str
) -> RedisAudit:
    """Return the audit with facts of streams and values, and with savings.

    Those are predicted, or, with `replays`, measured in a scratch server: a program of the same
    version, or that of `image`. Where there is neither they are predicted, and a gap says why.
    """
    product, version = _product(document)
    config = read_config(client)
    settings = settings_of(product, version, config)
    try:
        units, gaps = read_units(client, groups)
        streams = _examine_streams(client, groups, settings, gaps)
    except RedisError as error:
        reason = Unknown(reason=f"contents cannot be read: {plain(str(error))}")
        return replace(document, streams=reason, values=reason, savings=reason)
    samples = ((unit.pattern, sample) for unit in units for sample in unit.samples)
    savings = None
    if replays:
        try:
            with start_scratch(product, version, config, image) as scratch:
                savings = measure(units, scratch, config, document.used_bytes)
        except OnegigError as error:
            gaps.append(f"savings are predicted, not replayed: {error.message}")
    if savings is None:
        savings = predict(units, settings, config, document.used_bytes)
    return replace(
        document,
        streams=streams,
        values=examine_values(samples),
        savings=savings,
        coverage=replace(document.coverage, gaps=(*document.coverage.gaps, *gaps)),
    )


def _product(document: RedisAudit) -> tuple[str, str]:
    """Return product and version; where INFO is denied, those of the oldest encodings."""
    server = next(iter(document.servers), None)
    return (server.product, server.version) if server else ("redis", "6")


def _examine_streams(
    client: Client, groups: Sequence[Group], settings: Settings, gaps: list[str]
) -> tuple[StreamFacts, ...]:
    """Return the facts of the largest streams, the largest first."""
    facts: list[StreamFacts] = []
    for group in groups:
        if group.type != "stream" or len(facts) >= MOST_STREAMS:
            continue
        try:
            select(client, group.pattern.database)
            for name in group.largest[:MOST_OF_A_PATTERN]:
                found = examine_stream(client, name, settings, group.name)
                facts += [found] if found else []
        except ResponseError as error:
            gaps.append(f"{group.name}: streams could not be read ({plain(str(error))})")
    return tuple(sorted(facts, key=lambda stream: -stream.bytes)[:MOST_STREAMS])
