"""What two runs of the same commit may differ by, and so says nothing about a change.

The reference stack's total came out between 494 and 506 MB in repeated runs of the same images:
2.4 % apart, because garbage collection, page reclaim and the moment of the samples differ.
"""

from onegig.model.verdict import Unit

MEMORY_SHARE = 0.03  # of the larger value: a little more than those 2.4 %
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
