"""A recording gives back every pass as it was, and an hour of them takes little memory."""

import tracemalloc

import pytest

from onegig.machine.recording import BLOCK
from onegig.machine.watch import Watch
from onegig.model.budgets import Metric
from streams import MIB, observe, passes, record, summarise

HOUR = 36_000  # passes at 10 Hz
UNPACKED_BYTES = 3 * MIB  # one block and its JSON, however long it takes


def test_a_recording_is_the_sequence_that_was_added() -> None:
    whole = list(passes(3 * BLOCK + 5, services=2))
    recording = record(whole)
    assert (len(recording), list(recording)) == (len(whole), whole)
    assert [recording[at] for at in (0, BLOCK, -1)] == [whole[0], whole[BLOCK], whole[-1]]
    part = slice(BLOCK - 3, 2 * BLOCK + 7)
    assert list(recording[part]) == whole[part]
    assert list(recording[part][5:20]) == whole[part][5:20]
    assert list(recording.between(whole[3].time, whole[90].time)) == whole[3:91]
    assert list(recording.between(0.0, 1.0)) == []
    with pytest.raises(IndexError):
        recording[len(whole)]


@pytest.mark.parametrize("metric", Metric)
def test_a_report_of_packed_passes_is_that_of_the_passes(metric: Metric) -> None:
    whole = list(passes(400, services=3))
    recording = record(whole)
    packed = summarise(*observe(recording, recording[30:200], recording[210:]), metric)
    assert packed == summarise(*observe(whole, whole[30:200], whole[210:]), metric)


def test_what_is_sampled_in_a_pause_does_not_count() -> None:
    watch, (before, during, after) = Watch(), passes(3, services=1)
    watch.add(before)
    with watch.pause():
        during.time = watch.pauses[-1][0] + 1
        watch.add(during)
    after.time = during.time + 3600
    watch.add(after)
    assert list(watch.between(0, after.time)) == [before, after]


def test_an_hour_takes_less_than_50_mb() -> None:
    """A part of it is replayed: what it takes grows no faster than its length."""
    part = 40
    tracemalloc.start()
    try:
        summarise(*observe(record(passes(HOUR // part, services=15))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - UNPACKED_BYTES < 50 * MIB / part
