"""Time limits on a slow machine: they grow with what the engine in the box took to start."""

from typing import cast

import pytest

from judging import BUDGETS
from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.machine.machine import BootPlan
from onegig.machine.patience import allow_time, call_seconds
from onegig.model.stack import Stack

PLAN = BootPlan(
    engine=cast(Engine, None),
    run=cast(Run, None),
    stack=cast(Stack, None),
    budgets=BUDGETS,
    cap_bytes=0,
    memtotal_bytes=0,
    sold_bytes=0,
    say=print,
)


@pytest.mark.parametrize(
    ("start_seconds", "seconds", "stack_seconds"),
    [(2.5, 15, 120), (9.0, 45, 120), (30.0, 120, 360), (3600.0, 120, 1200)],
    ids=["usual", "busy", "a tenth of a processor", "nothing takes for ever"],
)
def test_a_slow_machine_gets_more_time(
    start_seconds: float, seconds: int, stack_seconds: float
) -> None:
    assert call_seconds(start_seconds) == seconds
    plan, remarks = allow_time(PLAN, start_seconds)
    assert plan.budgets.measure.healthy_timeout_seconds == stack_seconds
    assert bool(remarks) is (stack_seconds != 120)
    for remark in remarks:
        assert (
            f"took {start_seconds:.0f} s to start, so the stack got {stack_seconds:.0f} s" in remark
        )
