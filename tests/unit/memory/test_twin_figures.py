"""From passes over a virtual machine to its figures: before, at the peak, at the least, swapped."""

from dataclasses import replace

import pytest

from onegig.machine.machine import Start, TwinFacts
from onegig.machine.processes import Usage
from onegig.machine.sampler import Pass
from onegig.memory.figures import Observation, take_figures
from onegig.memory.totals import total_of
from onegig.memory.twin import summarise_twin
from onegig.model.budgets import Budgets, Metric
from onegig.model.memory import Start as StartReport
from onegig.model.stack import Stack
from twins import GUEST, MIB, machine_pass

BUDGETS = Budgets(path="budgets.yml", compose="compose.yml", zram_bytes=512 * MIB)
STACK = Stack(name="demo", directory="/demo", files=(), services=(), config_json="{}")


def with_engine(sample: Pass, pss: int) -> Pass:
    """The same with an engine that takes so many MiB."""
    engine = {"dockerd": Usage(processes=1, rss=pss * MIB, pss=pss * MIB)}
    return replace(sample, engine=engine)


@pytest.mark.parametrize(("engine", "total"), [(100, 300), (350, 350)], ids=["lost", "counted"])
def test_the_larger_of_lost_and_counted_is_the_total(engine: int, total: int) -> None:
    sample = with_engine(machine_pass(1, available=500), engine)
    assert total_of(sample, Metric.COST) == total * MIB
    assert total_of(sample, Metric.RSS) == engine * MIB


def test_each_moment_is_kept_apart() -> None:
    start = machine_pass(1, available=200, swapped=60)  # less than later
    window = (machine_pass(2, available=400), with_engine(machine_pass(3, available=350), 90))
    seen = Observation(
        passes=(machine_pass(0, available=100), start, *window),  # the first: before compose up
        windows=(window,),
        containers=(),
        answered=True,
        restarts_before={},
        logs={},
        start=Start(report=StartReport(seconds=1.0), began=0.5),
    )
    before, idle = machine_pass(0, available=800), machine_pass(0, available=700)
    facts = TwinFacts(guest=GUEST, before=before, idle=idle)
    twin = summarise_twin(take_figures(seen, STACK, Metric.COST), facts, BUDGETS, 1024 * MIB)
    readings = (twin.before, twin.idle, twin.peak, twin.lowest)
    assert [each.available_bytes // MIB for each in readings] == [800, 700, 350, 200]
    assert (twin.fell_bytes, twin.counted_bytes) == (450 * MIB, 90 * MIB)
    assert (twin.swap_kind, twin.swap_peak_bytes) == ("zram", 60 * MIB)
    assert twin.held_bytes == 660 * MIB
    assert twin.reserve_bytes == 64 * MIB
    assert twin.system_bytes == 224 * MIB
