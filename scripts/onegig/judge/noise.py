"""What two runs of the same commit may differ by, and so says nothing about a change.

The reference stack's total came to between 494 and 506 MB in runs on a quiet machine, 2.4 % apart,
and to between 493 and 520 MB in eight windows on a busy one, although its services stood still:
health checks start processes in the engine of 10 MB each, and as many as happen to overlap are in
the peak. The floor is for the quiet machine: a change shown that is none costs less than a service
of 20 MB that is hidden.

The windows of one measurement: whether they suffice to judge by, and whether memory rises.

Two windows of one stack differ by noise. Where a limit lies within that noise one window can't
tell on which side the stack is: more are taken, and the limit is not loosened.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from onegig.judge.figures import listed, memory, span
from onegig.model.budgets import Budgets
from onegig.model.memory import WindowTotals
from onegig.model.verdict import Unit

MEMORY_SHARE = 0.03  # of the larger value: a little more than those 2.4 %
MEMORY_LEAST = 1024**2  # a small service moves by some hundred pages without any cause
MEMORY_MOST = 32 * 1024**2  # what happens to overlap does not grow with the stack
STORAGE_SHARE = 0.005  # the same Dockerfile built again: package indexes and caches differ
STORAGE_BYTES = 100_000
SHARE_POINTS = 0.005  # half a per cent point: what dive's rounded figure can't tell


def noise_floor(unit: Unit, one: float, other: float) -> float:
    """How far apart two values of the same thing may be and still count as equal."""
    larger = max(abs(one), abs(other))
    if unit is Unit.MEMORY:
        return min(max(MEMORY_LEAST, MEMORY_SHARE * larger), MEMORY_MOST)
    if unit is Unit.STORAGE:
        return max(STORAGE_BYTES, STORAGE_SHARE * larger)
    return SHARE_POINTS if unit is Unit.SHARE else 0.0


def differs(unit: Unit, one: float, other: float) -> bool:
    """Whether two values are further apart than noise explains."""
    return abs(one - other) > noise_floor(unit, one, other)


NOISE_SHARE = 0.01  # of the limit: what two windows of the same stack may differ by
MORE_WINDOWS = 2  # taken beyond those planned, at most
ENOUGH_TO_RISE = 3  # windows that must each be higher than the one before
FEW_WINDOWS = 5  # that a sentence can list


def doubt(budgets: Budgets, services: Sequence[str], windows: Sequence[WindowTotals]) -> str:
    """Say why the windows so far don't tell whether a limit is kept; "" where they do.

    `services` are the names in the order of `WindowTotals.services`.
    """
    return next(_doubts(budgets, services, windows), "")


def rise(windows: Sequence[WindowTotals], services: Sequence[str], system_bytes: int) -> str:
    """Return what to say of memory that grew from window to window; "" where it did not.

    The least that each window took must grow every time, and by more than noise in the end: peaks
    depend on what happens to overlap in them.
    """
    lows = [window.low_bytes + system_bytes for window in windows]
    if len(lows) < ENOUGH_TO_RISE or lows[-1] - lows[0] <= NOISE_SHARE * lows[-1]:
        return ""
    if not all(before < after for before, after in pairwise(lows)):
        return ""
    few = listed(lows) if len(lows) <= FEW_WINDOWS else f"{span(lows[0], lows[-1])}"
    told = f"memory rose from window to window (at least {few})"
    return f"{told}{_most(windows, services)}: a leak, or caches that still fill"


def _most(windows: Sequence[WindowTotals], services: Sequence[str]) -> str:
    """Return the service that grew most, where it can be told."""
    first, last = (window.services for window in (windows[0], windows[-1]))
    grew = [
        (after[0] - before[0], name)
        for before, after, name in zip(first, last, services, strict=False)
    ]
    grown, name = max(grew, default=(0, ""))
    return f", {name} by {memory(grown)}" if grown > 0 else ""


def _doubts(
    budgets: Budgets, services: Sequence[str], windows: Sequence[WindowTotals]
) -> Iterator[str]:
    system = budgets.memory.system_overhead_bytes
    low = min(window.low_bytes for window in windows) + system
    high = max(window.high_bytes for window in windows) + system
    if is_close(low, high, budgets.memory.limit_bytes):
        yield f"the total came to {span(low, high)}, too close to its limit"
    for place, name in enumerate(services):
        limit = budgets.service(name).memory_bytes
        lows, highs = zip(*(window.services[place] for window in windows), strict=True)
        if limit is not None and is_close(min(lows), max(highs), limit):
            yield f"{name} took {span(min(lows), max(highs))}, too close to its limit"


def is_noise(low: int, high: int, limit: int) -> bool:
    """Tell whether a limit is exceeded by no more than noise, and not all of the time."""
    return low <= limit and 0 < high - limit <= limit * NOISE_SHARE


def is_close(low: int, high: int, limit: int) -> bool:
    """Tell whether the limit lies inside the spread, or within noise of its upper end."""
    return low <= limit < high or abs(high - limit) <= NOISE_SHARE * limit
