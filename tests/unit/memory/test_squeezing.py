"""A boot in the room of the machine: which boot answers, and how its end becomes the answer."""

from dataclasses import replace
from typing import Any, cast

import pytest

from judging import BUDGETS, MIB, measured, service
from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BootError, EngineError, MeasureError
from onegig.machine.machine import BootPlan
from onegig.memory import squeeze as module
from onegig.memory.boot import NO_ANSWER
from onegig.memory.squeeze import squeeze_stack, summarise_squeeze
from onegig.model.measured import Unknown
from onegig.model.memory import MemoryReport, Squeeze, SqueezePlan, Start
from onegig.model.service import ServiceState
from onegig.model.stack import Stack

ROOM = SqueezePlan(room_bytes=726 * MIB, machine="aws-t3-micro", reason="900 of 911 MB")


def booted(cap_mb: int, **changes: Any) -> MemoryReport:
    """A boot of one service called web in a box of that size."""
    report = measured([service("web", 600 * MIB)])
    return replace(report, box=replace(report.box, cap_bytes=cap_mb * MIB), **changes)


def squeezed(first: MemoryReport, said: list[str]) -> Squeeze | Unknown:
    plan = BootPlan(
        engine=cast(Engine, None),
        run=cast(Run, None),
        stack=cast(Stack, None),
        budgets=BUDGETS,
        cap_bytes=944 * MIB,
        memtotal_bytes=911 * MIB,
        sold_bytes=1024 * MIB,
        say=said.append,
    )
    times = iter((10.0, 52.04))
    return squeeze_stack(plan, first.environment, first, ROOM, clock=lambda: next(times))


def test_a_first_boot_with_no_more_room_has_the_answer() -> None:
    said: list[str] = []
    squeeze = squeezed(booted(726), said)
    assert isinstance(squeeze, Squeeze)
    assert (squeeze.seconds, squeeze.room_bytes, said) == (0.0, 726 * MIB, [])


def test_a_boot_with_just_that_room(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[BootPlan] = []

    def boot(plan: BootPlan, _environment: object) -> MemoryReport:
        plans.append(plan)
        plan.say("1/1 services ready")
        return booted(726)

    monkeypatch.setattr(module, "boot", boot)
    said: list[str] = []
    squeeze = squeezed(booted(944), said)
    assert isinstance(squeeze, Squeeze)
    assert [plan.cap_bytes for plan in plans] == [726 * MIB]
    assert (squeeze.seconds, squeeze.machine) == (42.0, "aws-t3-micro")
    first, second = said
    assert first.startswith(
        "900 of 911 MB: booting again with 726 MB, the memory that aws-t3-micro"
    )
    assert second == "squeeze: 1/1 services ready"


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (BootError("the box did not come up"), "the box did not come up"),
        (MeasureError("the box was gone"), "the box was gone"),
        (EngineError("no such engine"), None),
    ],
)
def test_a_machine_that_does_not_come_up_is_an_answer_and_a_lost_engine_is_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception, problem: str | None
) -> None:
    def boot(*_: object) -> MemoryReport:
        raise error

    monkeypatch.setattr(module, "boot", boot)
    squeeze = squeezed(booted(944), [])
    if problem is None:
        assert squeeze == Unknown(reason="no such engine")
    else:
        assert isinstance(squeeze, Squeeze)
        assert (squeeze.problem, squeeze.services) == (problem, ())


def test_kills_at_a_limit_of_its_own_are_not_the_machines() -> None:
    report = booted(726, incomplete=(NO_ANSWER,), start=Start(seconds=9, crowded=7, parallel=3))
    web = replace(report.services[0], state=ServiceState.OOM_KILLED, oom_kills=3, own_limit_kills=2)
    box = replace(report.box, oom_kills=5)
    squeeze = summarise_squeeze(replace(report, services=(web,), box=box), ROOM, seconds=1.0)
    assert [(ended.oom_kills, ended.state) for ended in squeeze.services] == [
        (1, ServiceState.OOM_KILLED)
    ]
    assert (squeeze.engine_kills, squeeze.crowded, squeeze.problem) == (2, 7, NO_ANSWER)
