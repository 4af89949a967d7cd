"""Memory pressure of a box over a window, by the kernel's counters from first to last pass."""

from collections.abc import Sequence

from onegig.machine.sampler import Pass
from onegig.model.measured import Unknown
from onegig.model.memory import Faults, Stall

ONE_SAMPLE = Unknown(reason="only one sample was taken")


def measure_stall(window: Sequence[Pass]) -> Stall | Unknown:
    """Return how long processes waited for memory; Unknown if the kernel does not record it."""
    first, last = window[0].pressure, window[-1].pressure
    if first is None or last is None:
        return Unknown(reason="this kernel does not record memory pressure (PSI)")
    if window[-1].time <= window[0].time:
        return ONE_SAMPLE
    stalled = last.since(first)
    return Stall(
        some_seconds=stalled.some / 1e6, full_seconds=stalled.full / 1e6, of_host=stalled.of_host
    )


def count_faults(window: Sequence[Pass]) -> Faults | Unknown:
    """Return the box's major faults and refaults per second; Unknown for a single pass."""
    first, last = window[0], window[-1]
    seconds = last.time - first.time
    if seconds <= 0:
        return ONE_SAMPLE
    major = last.box.major_faults - first.box.major_faults
    refaults = last.box.refaults - first.box.refaults
    return Faults(
        major_per_second=round(major / seconds, 2), refaults_per_second=round(refaults / seconds, 2)
    )
