"""The stack on a machine without CPU credits, judged beside the same stack with them."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from factories import make_memory, make_service, make_throttled
from judging import checks, judge_stack, limits
from onegig.judge.checks import Case
from onegig.judge.limits import unjudged
from onegig.judge.throttled import plan_throttle
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import (
    NOT_THROTTLED,
    EnginePart,
    MemoryReport,
    SqueezedService,
    Start,
    Throttle,
    Throttled,
)
from onegig.model.service import ServiceState
from onegig.model.state import State
from onegig.model.twin import Guest
from twins import make_twin

MIB = 1024**2
BUDGETS = limits(1024 * MIB, system_overhead_bytes=80 * MIB)
WITHOUT_CREDITS = "without CPU credits aws-t2-micro has 0.1 CPUs: "


def measured(throttled: Throttled | Missing) -> MemoryReport:
    """A stack of two services that takes 408 MB with credits, 21 of them for health checks."""
    web, db = make_service("web", 200), make_service("db", 100)
    engine = (
        EnginePart(name="dockerd", processes=1, rss_bytes=0, pss_bytes=87 * MIB),
        EnginePart(name="runc", processes=2, rss_bytes=0, pss_bytes=21 * MIB),
    )
    report = make_memory((web, db), engine=engine, samples=(), throttled=throttled)
    box = replace(report.box, cost_bytes=408 * MIB)
    return replace(report, box=box, start=Start(seconds=37.5))


def without_credits(mib: int, *states: ServiceState, **changes: Any) -> Throttled:
    """What a throttled boot showed: the highest total, and how `web` and `db` ended."""
    ended = states or (ServiceState.HEALTHY, ServiceState.HEALTHY)
    outcome = Throttled(
        cpus=0.1,
        machine="aws-t2-micro",
        seconds=500.0,
        start=Start(seconds=412.0),
        services=tuple(
            SqueezedService(name=name, state=state, oom_kills=0)
            for name, state in zip(("web", "db"), ended, strict=True)
        ),
        window_bytes=mib * MIB,
        total_bytes=(mib + 10) * MIB,
        health_checks=3,
        health_check_bytes=25 * MIB,
        samples=150,
    )
    return replace(outcome, **changes)


READY = "ready after 7 min instead of 38 s, and health checks pass"


BESIDE = " in operation instead of 488 MB"
CROWDED = "memory was full while 11 containers started at once"
OVERLAP = "26 overlapping health-check processes take 134 MB instead of 21 MB"


@pytest.mark.parametrize(
    ("throttled", "state", "message"),
    [
        (without_credits(420), State.GO, f"{READY}; 500 MB{BESIDE}; at most 510 of 1,024 MB"),
        (
            without_credits(523, health_checks=26, health_check_bytes=134 * MIB),
            State.GO,
            f"{READY}; 603 MB{BESIDE}; {OVERLAP}; at most 613 of 1,024 MB",
        ),
        (
            without_credits(935),
            State.NO_GO,
            f"{READY}; 1,015 MB{BESIDE}; at most 1,025 of 1,024 MB",
        ),
        (
            without_credits(420, ServiceState.UNHEALTHY, ServiceState.UNHEALTHY),
            State.NO_GO,
            f"web, db are unhealthy; 500 MB{BESIDE}; at most 510 of 1,024 MB",
        ),
        (
            without_credits(420, engine_kills=1),
            State.NO_GO,
            f"the kernel killed a process of the engine; 500 MB{BESIDE}; at most 510 of 1,024 MB",
        ),
        (
            without_credits(420, start=Start(seconds=90, crowded=11, parallel=3)),
            State.NO_GO,
            f"{CROWDED}; 500 MB{BESIDE}; at most 510 of 1,024 MB",
        ),
        (
            without_credits(420, gaps=("the load failed (exit 1)",)),
            State.WARN,
            f"the load failed (exit 1); 500 MB{BESIDE}; at most 510 of 1,024 MB",
        ),
        (
            without_credits(935, gaps=("the load failed (exit 1)",)),
            State.NO_GO,
            f"the load failed (exit 1); 1,015 MB{BESIDE}; at most 1,025 of 1,024 MB",
        ),
        (
            without_credits(0, total_bytes=Unknown(reason="x"), problem="it did not come up"),
            State.NO_GO,
            "it did not come up",
        ),
    ],
)
def test_a_stack_without_credits(throttled: Throttled, state: State, message: str) -> None:
    verdict = judge_stack(BUDGETS, measured(throttled))
    (check,) = checks(verdict, "memory.throttled")
    assert (check.state, check.message) == (state, WITHOUT_CREDITS + message)
    assert verdict.state is state


def test_what_was_not_tried_is_not_judged() -> None:
    unknown = judge_stack(BUDGETS, measured(Unknown(reason="the engine was gone")))
    (check,) = checks(unknown, "memory.throttled")
    assert (check.state, check.message) == (
        State.WARN,
        "the stack could not be throttled: the engine was gone",
    )
    skipped = judge_stack(BUDGETS, measured(Skipped(reason="oracle-a1 always has everything")))
    assert not checks(skipped, "memory.throttled")
    assert "the stack was not throttled: oracle-a1 always has everything" in skipped.notes
    assert not judge_stack(BUDGETS, make_memory(())).notes


EMULATED = "the twin's emulated processor is already slower than any tier's"


@pytest.mark.parametrize(
    ("tier", "asked", "accelerator", "planned"),
    [
        ("aws-t3-micro", True, "", Throttle(cpus=0.2, machine="aws-t3-micro")),
        ("aws-t3-micro", True, "kvm", Throttle(cpus=0.2, machine="aws-t3-micro")),
        ("aws-t3-micro", True, "tcg", EMULATED),
        ("aws-t3-micro", False, "tcg", "not asked for"),
        ("oracle-a1", True, "", "oracle-a1 can always use all of its CPUs"),
        ("none", True, "", "no tier is known, so neither is its CPU baseline"),
    ],
)
def test_how_far_a_stack_is_throttled(
    tier: str, asked: bool, accelerator: str, planned: Throttle | str
) -> None:
    measure = replace(BUDGETS.measure, throttled=asked)
    budgets, report = replace(BUDGETS, tier_names=(tier,), measure=measure), measured(NOT_THROTTLED)
    if accelerator:
        guest = Guest(accelerator=accelerator, os="", kernel="", engine_version="")
        report = replace(report, twin=make_twin(guest=guest))
    expected = planned if isinstance(planned, Throttle) else Skipped(reason=planned)
    assert plan_throttle(budgets, report) == expected


@pytest.mark.parametrize(("mib", "named"), [(48, False), (49, True)])
def test_health_checks_that_take_a_tenth_of_the_total_are_named(mib: int, named: bool) -> None:
    report = measured(NOT_THROTTLED)
    runc = EnginePart(name="runc", processes=9, rss_bytes=0, pss_bytes=mib * MIB)
    verdict = judge_stack(BUDGETS, replace(report, engine=(runc,)))  # of 488 MB
    note = f"at the peak, 9 overlapping health-check processes took {mib} MB"
    assert any(text.startswith(note) for text in verdict.notes) is named


@pytest.mark.security
@pytest.mark.parametrize(
    ("throttled", "is_open"),
    [
        (Skipped(reason="no tier is known, so neither is its CPU baseline"), True),
        (make_throttled((), cpus=0.5), True),
        (make_throttled((), cpus=0.2), False),
        (make_throttled((), cpus=0.1), False),
    ],
)
def test_a_boot_with_more_cpu_than_the_tier_has_leaves_it_unjudged(
    throttled: Throttled | Skipped, is_open: bool
) -> None:
    measure = replace(BUDGETS.measure, throttled=True)
    budgets = replace(BUDGETS, tier_names=("aws-t3-micro",), measure=measure)
    case = Case(
        budgets=budgets,
        images=Skipped(reason="not asked for"),
        memory=measured(throttled),
        tier=None,
        today=date(2026, 11, 30),
        main=None,
    )
    assert any("without credits" in why for why in unjudged(case)) is is_open
