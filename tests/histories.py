"""Entries of a history, one a minute: commit 1 is pushed first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from factories import MIB, make_environment
from onegig.model.measured import Unknown
from onegig.model.state import State
from onegig.model.verdict import Baseline, PastCheck, ServiceNumbers

FIRST = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
NOT_MEASURED = Unknown(reason="the box was killed")


def commit(number: int) -> str:
    """The SHA of the commit with that number."""
    return f"{number:040x}"


def entry(number: int, total_mb: float = 612, **changes: object) -> Baseline:
    """What was measured of commit `number`, by default with plenty of headroom."""
    total = round(total_mb * MIB)
    baseline = Baseline(
        commit=commit(number),
        created=(FIRST + timedelta(minutes=number)).isoformat(timespec="seconds"),
        state=State.GO,
        metric="rss",
        total_bytes=total,
        limit_bytes=1024 * MIB,
        spread_bytes=(total - 9 * MIB, total),
        marks=(
            PastCheck(
                id="memory.total",
                subject="stack",
                value=float(total),
                limit=1024.0 * MIB,
                state=State.GO,
            ),
        ),
        services=(
            ServiceNumbers(name="redis", memory_bytes=12 * MIB, image_bytes=13_000_000),
            ServiceNumbers(name="web", memory_bytes=total - 12 * MIB, image_bytes=20_000_000),
        ),
        environment=make_environment(),
    )
    return replace(baseline, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def incomplete(number: int) -> Baseline:
    """A run of commit `number` that could not measure the memory."""
    return entry(
        number,
        state=State.INCOMPLETE,
        total_bytes=NOT_MEASURED,
        spread_bytes=NOT_MEASURED,
        marks=(),
        services=(),
    )
