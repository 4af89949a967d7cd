"""The windows of one measurement: whether they suffice to judge by, and whether memory rises.

Two windows of one stack differ by noise. Where a limit lies within that noise one window can't
tell on which side the stack is: more are taken, and the limit is not loosened.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from onegig.judge.words import listed, span
from onegig.model.budgets import Budgets
from onegig.model.memory import WindowTotals

NOISE_SHARE = 0.01  # of the limit: what two windows of the same stack may differ by
MORE_WINDOWS = 2  # taken beyond those planned, at most
ENOUGH_TO_RISE = 3  # windows that must each be higher than the one before


def doubt(budgets: Budgets, services: Sequence[str], windows: Sequence[WindowTotals]) -> str:
    """Why the windows so far don't tell whether a limit is kept; "" where they do.

    `services` are the names in the order of `WindowTotals.services`.
    """
    return next(_doubts(budgets, services, windows), "")


def rise(windows: Sequence[WindowTotals], system_bytes: int) -> str:
    """What to say of memory that grew from window to window; "" where it did not.

    Low and high must both grow every time, and by more than noise in the end.
    """
    highs = [window.high_bytes + system_bytes for window in windows]
    if len(windows) < ENOUGH_TO_RISE or highs[-1] - highs[0] <= NOISE_SHARE * highs[-1]:
        return ""
    grew = (
        before.low_bytes < after.low_bytes and before.high_bytes < after.high_bytes
        for before, after in pairwise(windows)
    )
    if not all(grew):
        return ""
    return f"memory rose from window to window ({listed(highs)}): a leak, or caches that still fill"


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
    """Whether a limit is exceeded by no more than noise, and not all of the time."""
    return low <= limit and 0 < high - limit <= limit * NOISE_SHARE


def is_close(low: int, high: int, limit: int) -> bool:
    """Whether the limit lies inside the spread, or no further than noise from its upper end."""
    return low <= limit < high or abs(high - limit) <= NOISE_SHARE * limit
