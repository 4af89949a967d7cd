"""Room to deploy: whether a service's second copy fits beside the stack."""

from dataclasses import replace

import pytest

from judging import BUDGETS, GO, MIB, TODAY, WARN, checks, limits, measured, service
from onegig.judge.verdict import judge
from onegig.model.measured import Skipped
from onegig.model.memory import BootPeak, EnginePart, MemoryReport
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.state import State
from onegig.model.tiers import find_tier

DB_STOPS = "db (250 MB) writes to data, so the old container has to stop before the new one starts"
OVER = "over; stop web before starting its new container"
IMAGES = Skipped(reason="not asked for")


def mib(name: str, size: int, **changes: object) -> ServiceMemory:
    return service(name, size * MIB, **{"single": "", **changes})


WEB, DB = mib("web", 200), mib("db", 250, single="writes to data")
REPLICAS = mib("web", 240, containers=2)
JOB = mib("job", 0, state=ServiceState.COMPLETED)


@pytest.mark.parametrize(
    ("limit", "services", "value", "free", "state", "message"),
    [
        (512, [WEB], 200, 312, GO, "web (200 MB) fits into 312 MB, 112 MB (35 %) to spare"),
        (400, [WEB, JOB], 200, 200, GO, "web (200 MB) fits into 200 MB, 0 MB (0 %) to spare"),
        (399, [WEB], 200, 199, WARN, f"web (200 MB) does not fit into 199 MB, 1 MB (1 %) {OVER}"),
        (800, [WEB, DB], 250, 350, GO, "db (250 MB) fits into 350 MB, 100 MB (28 %) to spare"),
        (
            *(660, [WEB, DB], 200, 210, GO),
            f"web (200 MB) fits into 210 MB, 10 MB (4 %) to spare; {DB_STOPS}",
        ),
        (300, [DB], 250, None, GO, DB_STOPS),
        (400, [REPLICAS], 120, 160, GO, "web (120 MB) fits into 160 MB, 40 MB (25 %) to spare"),
    ],
)
def test_the_largest_second_copy(
    limit: int,
    services: list[ServiceMemory],
    value: int,
    free: int | None,
    state: State,
    message: str,
) -> None:
    verdict = judge(limits(limit * MIB), IMAGES, measured(services), None, today=TODAY)
    (check,) = checks(verdict, "memory.deploy")
    assert (check.value, check.limit) == (value * MIB, None if free is None else free * MIB)
    assert (check.state, check.blocking) == (state, False)
    assert check.message.removeprefix("the second copy of ") == message


def test_a_copy_is_as_large_as_the_service_ever_was_and_has_a_shim() -> None:
    shims = EnginePart(name="shim", processes=2, rss_bytes=20 * MIB, pss_bytes=10 * MIB)
    migrating = BootPeak(
        offset_seconds=3,
        total_bytes=350 * MIB,
        rss_bytes=0,
        starting=True,
        causes=(("web", 300 * MIB),),
    )
    memory = replace(measured([WEB, JOB]), engine=(shims,), boot=migrating)
    verdict = judge(limits(600 * MIB), IMAGES, memory, None, today=TODAY)
    (check,) = checks(verdict, "memory.deploy")
    assert check.value == 305 * MIB
    assert check.title == "Second copy of web"


def test_the_tighter_machine_counts() -> None:
    verdict = judge(
        BUDGETS, IMAGES, measured([mib("web", 400)]), find_tier("aws-t3-micro"), today=TODAY
    )
    (check,) = checks(verdict, "memory.deploy")
    found = f"web (400 MB) does not fit into 326 MB on aws-t3-micro, 74 MB (23 %) {OVER}"
    assert check.message == f"the second copy of {found}"


@pytest.mark.parametrize("memory", [measured([mib("web", 1000)]), measured([JOB]), IMAGES])
def test_without_a_stack_that_fits_there_is_nothing_to_deploy_beside(
    memory: MemoryReport | Skipped,
) -> None:
    assert not checks(judge(BUDGETS, IMAGES, memory, None, today=TODAY), "memory.deploy")
