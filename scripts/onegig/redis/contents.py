"""An audit's part on what keys contain, and what techniques would save of it."""

from collections.abc import Sequence
from dataclasses import replace

from redis.exceptions import RedisError

from onegig.errors import OnegigError
from onegig.model.measured import Missing, Unknown
from onegig.model.redis import RedisAudit, Saving
from onegig.redis.groups import Group
from onegig.redis.replay import predict, replay
from onegig.redis.samples import Client
from onegig.text import plain


def add_contents(
    client: Client, document: RedisAudit, groups: Sequence[Group], *, replays: bool, image: str
) -> RedisAudit:
    """Return the audit with its savings: predicted, or `replays` measured in a scratch server.

    Where there is no server to measure in, they are predicted, and a gap says why. `image` has the
    audited server's programs, where they are not installed here.
    """
    gaps: list[str] = []
    savings: tuple[Saving, ...] | Missing
    try:
        savings = _find_savings(client, document, groups, gaps, image if replays else None)
    except RedisError as error:
        savings = Unknown(reason=f"contents cannot be read: {plain(str(error))}")
    coverage = replace(document.coverage, gaps=(*document.coverage.gaps, *gaps))
    return replace(document, savings=savings, coverage=coverage)


def _find_savings(
    client: Client,
    document: RedisAudit,
    groups: Sequence[Group],
    gaps: list[str],
    image: str | None,
) -> tuple[Saving, ...]:
    if image is not None:
        try:
            return replay(client, document, groups, image=image)
        except OnegigError as error:
            gaps.append(f"savings are predicted, not replayed: {error.message}")
    return predict(client, document, groups)
