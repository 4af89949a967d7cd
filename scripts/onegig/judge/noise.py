"""What two runs of the same commit may differ by, and so says nothing about a change.

The reference stack's total came to between 494 and 506 MB in runs on a quiet machine, 2.4 % apart,
and to between 493 and 520 MB in eight windows on a busy one, although its services stood still:
health checks start processes in the engine of 10 MB each, and as many as happen to overlap are in
the peak. The floor is for the quiet machine: a change shown that is none costs less than a service
of 20 MB that is hidden.
"""

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
