"""What two runs of the same commit may differ by, and so says nothing about a change.

Eight windows of 15 s of the reference stack peaked between 493 and 520 MB on a busy machine, 5 %
apart, although its services stood still: health checks start processes in the engine of 10 MB each,
and as many of these as happen to overlap are in the peak.
"""

from onegig.model.verdict import Unit

MEMORY_SHARE = 0.05  # of the larger value: those 5 %
MEMORY_BYTES = 1024**2  # a small service moves by some hundred pages without any cause
STORAGE_SHARE = 0.005  # the same Dockerfile built again: package indexes and caches differ
STORAGE_BYTES = 100_000
SHARE_POINTS = 0.005  # half a per cent point: what dive's rounded figure can't tell


def noise_floor(unit: Unit, one: float, other: float) -> float:
    """How far apart two values of the same thing may be and still count as equal."""
    larger = max(abs(one), abs(other))
    if unit is Unit.MEMORY:
        return max(MEMORY_BYTES, MEMORY_SHARE * larger)
    if unit is Unit.STORAGE:
        return max(STORAGE_BYTES, STORAGE_SHARE * larger)
    return SHARE_POINTS if unit is Unit.SHARE else 0.0


def differs(unit: Unit, one: float, other: float) -> bool:
    """Whether two values are further apart than noise explains."""
    return abs(one - other) > noise_floor(unit, one, other)
