"""The kernel's answer: when it is asked for, what it is, and what it makes of the verdict."""

from dataclasses import replace

import pytest

from judging import GO, MIB, NO_GO, WARN, checks, judge_stack, limits, measured, service
from onegig.judge.squeeze import Answer, Outcome, classify
from onegig.judge.tier import plan_squeeze
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.measuring import SqueezeMode
from onegig.model.memory import (
    Faults,
    MemoryReport,
    Squeeze,
    SqueezedService,
    SqueezePlan,
    Stall,
    Start,
)
from onegig.model.service import ServiceState
from onegig.model.settings import HugePages
from onegig.model.state import State
from onegig.model.tiers import Tier, find_tier

STATES = [GO, WARN, NO_GO]
T2, T3 = find_tier("aws-t2-micro"), find_tier("aws-t3-micro")  # leave 786 and 748 MB
HEALTHY, CRASHED = ServiceState.HEALTHY, ServiceState.CRASHED
NO_PSI = Unknown(reason="no PSI")


def squeezed(
    *,
    state: ServiceState = HEALTHY,
    kills: int = 0,
    engine_kills: int = 0,
    some: float | None = 0.0,
    of_host: bool = False,
    major: float = 0.0,
    **changes: object,
) -> Squeeze:
    """The squeeze of a service called web, over a window of 10 s."""
    stall = Stall(some_seconds=some or 0.0, full_seconds=0.0, of_host=of_host)
    squeeze = Squeeze(
        room_bytes=748 * MIB,
        machine="aws-t3-micro",
        seconds=42.0,
        window_seconds=10.0,
        services=(SqueezedService(name="web", state=state, oom_kills=kills),),
        engine_kills=engine_kills,
        stall=NO_PSI if some is None else stall,
        faults=Faults(major_per_second=major, refaults_per_second=10 * major),
        cost_bytes=700 * MIB,
    )
    return replace(squeeze, **changes)  # type: ignore[arg-type]  # any field


FITS, PRESSURE, NOT = Outcome
ABOUT = "stall about 0.9 %, from 9 major faults a second"
NOTHING = {"services": (), "faults": NO_PSI}


@pytest.mark.parametrize(
    ("squeeze", "before", "outcome", "reason"),
    [
        (squeezed(), HEALTHY, FITS, "stall 0 %"),
        (squeezed(some=0.0999), HEALTHY, FITS, "stall 0.9 %"),
        (squeezed(some=0.1), HEALTHY, PRESSURE, "stall 1 %"),
        (squeezed(some=0.36), HEALTHY, PRESSURE, "stall 3.6 %"),
        (squeezed(some=25), HEALTHY, PRESSURE, "stall 100 %"),
        (squeezed(some=0.36, of_host=True, major=9), HEALTHY, PRESSURE, "stall at most 3.6 %"),
        (squeezed(some=0.36, of_host=True, major=2), HEALTHY, PRESSURE, "stall at most 2.2 %"),
        (squeezed(some=0.36, of_host=True), HEALTHY, FITS, "stall 0 %"),
        (
            squeezed(some=0.36, of_host=True, faults=NO_PSI),
            HEALTHY,
            PRESSURE,
            "stall at most 3.6 %",
        ),
        (squeezed(some=0.0, major=500), HEALTHY, FITS, "stall 0 %"),
        (
            squeezed(some=None, major=36),
            HEALTHY,
            PRESSURE,
            "stall about 3.6 %, from 36 major faults a second",
        ),
        (
            squeezed(some=None, major=9),
            HEALTHY,
            FITS,
            "stall about 0.9 %, from 9 major faults a second",
        ),
        (squeezed(some=None, faults=NO_PSI), HEALTHY, FITS, "stall not measured: no PSI"),
        (squeezed(kills=2, state=ServiceState.OOM_KILLED), HEALTHY, NOT, "the kernel killed web"),
        (squeezed(kills=1), HEALTHY, NOT, "the kernel killed web"),
        (squeezed(engine_kills=1), HEALTHY, NOT, "the kernel killed a process of the engine"),
        (squeezed(state=CRASHED), HEALTHY, NOT, "web crashed"),
        (squeezed(state=CRASHED), CRASHED, FITS, "stall 0 %"),  # so it does with more room
        (squeezed(state=ServiceState.UNHEALTHY), HEALTHY, NOT, "web was unhealthy"),
        (squeezed(state=ServiceState.NOT_READY), HEALTHY, NOT, "web was not ready in time"),
        (squeezed(state=ServiceState.COMPLETED), HEALTHY, FITS, "stall 0 %"),
        (squeezed(crowded=9), HEALTHY, NOT, "memory was full while 9 containers started at once"),
        (squeezed(problem="the box was gone", **NOTHING), HEALTHY, NOT, "the box was gone"),
        (squeezed(problem="\x1b[31mgone\n", **NOTHING), HEALTHY, NOT, "gone"),
    ],
)
def test_the_kernels_answer(
    squeeze: Squeeze, before: ServiceState, outcome: Outcome, reason: str
) -> None:
    answer = classify(squeeze, {"web": before})
    assert isinstance(answer, Answer)
    assert (answer.outcome, answer.reason) == (outcome, reason)
    assert (answer.failures > 0) is (outcome is NOT)


def test_without_its_load_a_squeeze_only_shows_failures() -> None:
    gap = "the load failed (exit 1)"
    assert classify(squeezed(gaps=(gap,)), {"web": HEALTHY}) == Unknown(reason=gap)
    failed = classify(squeezed(kills=1, gaps=(gap,)), {"web": HEALTHY})
    assert isinstance(failed, Answer)
    assert failed.outcome is NOT
    verdict = judge_stack(limits(1024 * MIB), report_of(1030, squeezed(gaps=(gap,))), tier=T3)
    assert verdict.state is NO_GO  # it was not shown to fit
    (check,) = checks(verdict, "memory.squeeze")
    assert (check.state, check.message) == (WARN, f"the stack could not be squeezed: {gap}")


def report_of(used_mb: float, squeeze: Squeeze | Missing, **changes: object) -> MemoryReport:
    memory = measured([service("web", round(used_mb * MIB))])
    box = replace(memory.box, cap_bytes=1000 * MIB, **changes)  # type: ignore[arg-type]
    return replace(memory, squeeze=squeeze, box=box)


FITTED, PRESSED, KILLED = squeezed(), squeezed(some=0.36), squeezed(kills=1)
ROOM = "the 748 MB that aws-t3-micro leaves to engine and stack (booted again, 42 s)"
TIGHT = f"the stack fits into {ROOM}, but under pressure: stall 3.6 %"


@pytest.mark.parametrize(
    ("used_mb", "squeeze", "total", "verdict", "message"),
    [
        (500, Skipped(reason="no limit is close"), GO, GO, ""),
        (500, FITTED, GO, GO, f"the stack fits into {ROOM}: stall 0 %"),
        (500, PRESSED, GO, WARN, TIGHT),
        (500, KILLED, GO, NO_GO, f"the stack does not fit into {ROOM}: the kernel killed web"),
        (500, Unknown(reason="no engine"), GO, WARN, "the stack could not be squeezed: no engine"),
        (950, FITTED, WARN, WARN, f"the stack fits into {ROOM}: stall 0 %"),
        (1050, FITTED, WARN, WARN, f"the stack fits into {ROOM}: stall 0 %"),
        (1100, FITTED, WARN, WARN, f"the stack fits into {ROOM}: stall 0 %"),
        (1101, FITTED, NO_GO, NO_GO, f"the stack fits into {ROOM}: stall 0 %"),
        (
            1050,
            PRESSED,
            NO_GO,
            NO_GO,
            f"the stack fits into {ROOM}, but under pressure: stall 3.6 %",
        ),
        (1050, KILLED, NO_GO, NO_GO, f"the stack does not fit into {ROOM}: the kernel killed web"),
    ],
)
def test_what_the_answer_makes_of_the_verdict(
    used_mb: float, squeeze: Squeeze | Missing, total: State, verdict: State, message: str
) -> None:
    judged = judge_stack(limits(1000 * MIB), report_of(used_mb, squeeze), tier=T3)
    (sum_check,) = checks(judged, "memory.total")
    blocking = max((check.state for check in judged.checks if check.blocking), key=STATES.index)
    assert (sum_check.state, blocking) == (total, verdict)
    assert [check.message for check in checks(judged, "memory.squeeze")] == [message] * bool(
        message
    )
    spared = "but it fitted without pressure when squeezed" in sum_check.message
    assert spared is (total is WARN and used_mb > 1000)


@pytest.mark.parametrize(
    ("squeeze", "tier", "counts"),
    [
        (FITTED, T3, True),
        (FITTED, T2, True),  # which leaves more
        (PRESSED, T2, False),
        (KILLED, T2, False),
        (KILLED, T3, True),
        (KILLED, None, False),  # the limit leaves all of its 1,000 MB
        (replace(FITTED, room_bytes=786 * MIB), T3, False),
        (replace(PRESSED, room_bytes=786 * MIB), T3, False),
        (replace(KILLED, room_bytes=786 * MIB), T3, True),
    ],
)
def test_an_answer_counts_for_machines_that_it_says_something_of(
    squeeze: Squeeze, tier: Tier | None, *, counts: bool
) -> None:
    judged = judge_stack(limits(1000 * MIB), report_of(700, squeeze), tier=tier)
    assert bool(checks(judged, "memory.squeeze")) is counts


def budgets_of(mode: SqueezeMode = SqueezeMode.AUTO, tier: str | None = None) -> Budgets:
    plain = limits(1024 * MIB, system_overhead_bytes=80 * MIB)
    return replace(
        plain, tier_names=(tier,) if tier else (), measure=replace(plain.measure, squeeze=mode)
    )


AUTO, ALWAYS, NEVER = (budgets_of(SqueezeMode(mode)) for mode in ("auto", "always", "never"))
ALONE = budgets_of(tier="none")


@pytest.mark.parametrize(
    ("budgets", "used_mb", "plan"),
    [
        (AUTO, 634, "no limit is close"),  # of 911 MB on aws-t3-micro with its OS
        (AUTO, 635, ("aws-t3-micro", 748, "the stack needs 820 of 911 MB on aws-t3-micro")),
        (AUTO, 1000, ("aws-t3-micro", 748, "the stack needs 1,185 of 911 MB on aws-t3-micro")),
        (AUTO, 1047, "the total is far over its limit"),
        (ALWAYS, 10, ("aws-t3-micro", 748, "")),
        (ALWAYS, 2000, ("aws-t3-micro", 748, "")),
        (NEVER, 900, "measure.squeeze is never"),
        (ALONE, 841, "no limit is close"),
        (ALONE, 842, ("", 944, "the stack needs 922 of 1,024 MB")),
        (ALONE, 1046, ("", 944, "the stack needs 1,126 of 1,024 MB")),
        (budgets_of(tier="aws-t3-small"), 900, ("", 944, "the stack needs 980 of 1,024 MB")),
        (budgets_of(tier="gcp-e2-micro"), 900, ("", 944, "the stack needs 980 of 1,024 MB")),
    ],
)
def test_when_and_into_which_room(
    budgets: Budgets, used_mb: float, plan: str | tuple[str, int, str]
) -> None:
    planned = plan_squeeze(budgets, report_of(used_mb, FITTED))
    if isinstance(planned, SqueezePlan):
        assert (planned.machine, planned.room_bytes // MIB, planned.reason) == plan
    else:
        assert planned.reason == plan


def test_what_failed_with_more_room_is_not_squeezed() -> None:
    sound = report_of(900, FITTED)
    ill = replace(sound.services[0], state=ServiceState.UNHEALTHY)
    failed = (
        report_of(900, FITTED, oom_kills=1),
        replace(sound, services=(ill,)),
        replace(sound, incomplete=("the box was gone",)),
        replace(sound, start=Start(seconds=9, crowded=5, parallel=3)),
    )
    useless = Skipped(reason="the verdict does not depend on it")
    assert [plan_squeeze(AUTO, report) for report in failed] == [useless] * 4
    assert isinstance(plan_squeeze(AUTO, sound), SqueezePlan)


@pytest.mark.parametrize(
    ("changes", "mb"),
    [
        ({}, 22),  # vm.min_free_kbytes is 45,056 on x86 machines of 1 GB
        ({"architecture": "aarch64"}, 11),
        ({"memtotal_bytes": 400 * MIB}, 10),
        ({"memtotal_bytes": None}, 0),
        ({"settings": replace(T2.settings, thp=HugePages.NEVER)}, 0),
        ({"settings": replace(T2.settings, thp=None)}, 0),
    ],
)
def test_what_the_kernel_spares_is_handed_out_before_it_kills(
    changes: dict[str, object], mb: int
) -> None:
    assert replace(T2, **changes).spare_bytes == mb * MIB  # type: ignore[arg-type]
