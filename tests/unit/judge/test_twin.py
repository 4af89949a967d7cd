"""A twin judged: what it measured goes before what a box assumes, and is not compared with one."""

from dataclasses import replace

import pytest

from factories import BUDGETS, MIB, make_images, make_memory, make_report, stack
from judging import GO, INCOMPLETE, NO_GO, WARN, checks
from onegig.judge.baseline import list_differences, make_baseline, memory_difference
from onegig.judge.compare import compare
from onegig.judge.tier import plan_squeeze
from onegig.memory.squeeze import summarise_squeeze
from onegig.model.budgets import Budgets, Metric
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport, Reboot, SqueezedService, SqueezePlan, Stall
from onegig.model.report import Report
from onegig.model.service import ServiceState
from onegig.model.twin import MachineKind
from twins import GUEST, make_twin, make_twin_memory

IMAGES = make_images(service.name for service in stack())


def judged(memory: MemoryReport, budgets: Budgets = BUDGETS) -> Report:
    return make_report(memory, IMAGES, budgets)


@pytest.mark.parametrize(
    ("fell", "state", "sentence"),
    [
        (368, GO, "GO: 545 of 1,024 MB, 479 MB (46 %) to spare"),
        (780, WARN, "WARN: 957 of 1,024 MB, 67 MB (6 %) to spare, less than the required 10 %"),
        (846, WARN, "WARN: 1,023 of 1,024 MB, 1 MB (0 %) to spare, less than the required 10 %"),
    ],
)
def test_the_total_is_what_is_sold_minus_what_stays_available(
    fell: float, state: object, sentence: str
) -> None:
    verdict = judged(make_twin_memory(make_twin(fell, fell))).verdict
    assert (verdict.state, verdict.sentence.partition("; ")[0]) == (state, sentence)
    assert verdict.total_bytes == round((1024 - 846 - 1 + fell) * MIB)


def test_where_the_memory_goes_adds_up_to_the_machine_as_sold() -> None:
    own, tier = judged(make_twin_memory()).verdict.waterfalls
    sizes = {bar.name: round(bar.bytes / MIB) for bar in own.steps}
    assert sizes == {"kernel": 56, "OS": 121, "engine": 161, "stack": 207}
    assert {bar.note for bar in own.steps[:2]} == {"measured"}
    assert sum(bar.bytes for bar in own.steps) + own.headroom_bytes == 1024 * MIB
    assert [(bar.name, bar.bytes // MIB, bar.note) for bar in tier.steps[:2]] == [
        ("kernel", 75, ""),
        ("OS", 185, "when idle"),
    ]


def test_a_cloud_image_measures_the_tiers_own_system() -> None:
    own = make_twin(guest=replace(GUEST, image="al2023.qcow2"))
    _, tier = judged(make_twin_memory(own)).verdict.waterfalls
    assert (tier.steps[1].bytes // MIB, tier.steps[1].note) == (121, "measured")


def test_by_other_metrics_the_system_is_measured_too() -> None:
    budgets = replace(BUDGETS, memory=replace(BUDGETS.memory, metric=Metric.RSS))
    reports = [judged(memory, budgets) for memory in (make_twin_memory(), make_memory(stack()))]
    twin, box = (report.verdict.total_bytes for report in reports)
    assert isinstance(twin, int)
    assert isinstance(box, int)
    assert twin - box == (177 - 80) * MIB


@pytest.mark.parametrize(
    ("held", "used", "state", "message"),
    [
        (400, 30, GO, "30 MB of 1,024 MB swap in use, but the stack would fit without it"),
        (
            1100,
            312,
            WARN,
            (
                "fits with 312 MB in swap: 1,277 MB were in use on a machine with 1,024 MB,"
                " 40 MB read back"
            ),
        ),
    ],
)
def test_swap_that_is_needed_is_a_warning(
    held: int, used: int, state: object, message: str
) -> None:
    twin = make_twin(
        swap_bytes=1024 * MIB,
        swap_kind="swap",
        swap_peak_bytes=used * MIB,
        held_bytes=held * MIB,
        swapped_in_bytes=40 * MIB if held > 847 else 0,
    )
    (check,) = checks(judged(make_twin_memory(twin)).verdict, "memory.swap")
    assert (check.state, check.message) == (state, message)


FELL = "available memory fell by {} MB, engine and stack count {} MB"
TWIN = replace(BUDGETS, machine=MachineKind.TWIN)


@pytest.mark.parametrize(
    ("budgets", "memory", "notes"),
    [
        (BUDGETS, make_memory(stack()), []),
        (
            replace(BUDGETS, swap_bytes=MIB),
            make_memory(stack()),
            ["a box has no swap; use `--on twin` to measure with the swap of budgets.yml"],
        ),
        (
            replace(TWIN, zram_bytes=MIB),
            make_memory(stack()),
            [
                "a box has no swap; use `--on twin` to measure with the zram of budgets.yml",
                "budgets.yml asks for a twin, but this was measured in a box",
            ],
        ),
        (
            TWIN,
            make_twin_memory(),
            ["kernel and OS take 177 MB here; a box assumes 80 MB (memory.system_overhead)"],
        ),
        (
            replace(TWIN, memory=replace(BUDGETS.memory, system_overhead_bytes=170 * MIB)),
            make_twin_memory(make_twin(368, 410)),
            [f"{FELL.format(368, 410)}: the kernel counts program pages as available"],
        ),
        (
            replace(TWIN, memory=replace(BUDGETS.memory, system_overhead_bytes=170 * MIB)),
            make_twin_memory(make_twin(410, 368)),
            [f"{FELL.format(410, 368)}: no counter shows where the difference went"],
        ),
    ],
    ids=["box", "box-swap", "box-for-twin", "twin", "programs", "no-account"],
)
def test_what_a_box_assumes_is_said(
    budgets: Budgets, memory: MemoryReport, notes: list[str]
) -> None:
    assert list(judged(memory, budgets).verdict.notes) == notes


def squeezed(memory: MemoryReport) -> MemoryReport:
    """The report with the kernel's answer, as `measure` adds it."""
    planned = plan_squeeze(TWIN, memory)
    assert isinstance(planned, SqueezePlan), planned
    room = SqueezePlan(room_bytes=846 * MIB, machine="", reason=planned.reason)
    assert planned == room
    return replace(memory, squeeze=summarise_squeeze(memory, planned, seconds=0.0))


@pytest.mark.parametrize(
    ("stalled", "state", "remark"),
    [
        (0.0, WARN, "; but it fitted without pressure on the twin"),
        (0.9, NO_GO, "; market-data takes 22 MB"),
    ],
)
def test_near_the_limit_the_twins_kernel_has_answered(
    stalled: float, state: object, remark: str
) -> None:
    memory = make_twin_memory(make_twin(820, 870))
    stall = Stall(some_seconds=stalled, full_seconds=0.0)
    memory = squeezed(replace(memory, box=replace(memory.box, stall=stall)))
    verdict = judged(memory, TWIN).verdict
    (total,) = checks(verdict, "memory.total")
    assert (total.state, total.message) == (state, f"1,047 of 1,024 MB, 23 MB (3 %) over{remark}")
    (check,) = checks(verdict, "memory.squeeze")
    assert "into the 846 MB that this machine leaves to engine and stack" in check.message


BACK = Reboot(
    down_seconds=31.0,
    ready_seconds=42.4,
    timed_out=False,
    services=tuple(
        SqueezedService(name=service.name, state=ServiceState.HEALTHY, oom_kills=0)
        for service in stack()
    ),
    absent=(),
    peak_bytes=420 * MIB,
    available_bytes=426 * MIB,
    oom_kills=0,
)
KILLED = replace(BACK.services[0], state=ServiceState.CRASHED, oom_kills=1)
LATE = [replace(each, state=ServiceState.NOT_READY) for each in BACK.services[1:3]]
ALL = "every service with a restart policy is back 42 s after the engine"
FIGURES = "at most 597 of 1,024 MB, 427 MB (41 %) to spare"


@pytest.mark.parametrize(
    ("reboot", "state", "message"),
    [
        (BACK, GO, f"{ALL}; {FIGURES}"),
        (
            replace(BACK, absent=("migrate", "web")),
            WARN,
            f"{ALL}; migrate, web stay down without a restart policy; {FIGURES}",
        ),
        (
            replace(BACK, peak_bytes=850 * MIB),
            WARN,
            f"{ALL}; at most 1,027 of 1,024 MB, 3 MB (1 %) over",
        ),
        (
            replace(BACK, services=(KILLED, *LATE, *BACK.services[3:]), oom_kills=1),
            NO_GO,
            (
                "the kernel killed once (redis-coordinator); redis-coordinator is crashed; "
                f"market-data, telegram-bot are not-ready; {FIGURES}"
            ),
        ),
        (
            replace(BACK, problem="the machine did not come back", services=(), peak_bytes=0),
            INCOMPLETE,
            "the machine did not come back",
        ),
    ],
    ids=["back", "absent", "over", "killed", "lost"],
)
def test_after_a_reboot_everything_must_come_back(
    reboot: Reboot, state: object, message: str
) -> None:
    verdict = judged(make_twin_memory(reboot=reboot)).verdict
    (check,) = checks(verdict, "memory.reboot")
    assert (check.state, check.message) == (state, f"after a reboot {message}")


def test_a_machine_of_another_size_is_named() -> None:
    small = make_twin_memory(make_twin(sold_bytes=512 * MIB, memtotal_bytes=456 * MIB))
    message = checks(judged(small).verdict, "memory.total")[0].message
    assert message.endswith("(measured on a machine of 512 MB, not 1,024 MB)")


def test_memory_of_a_box_and_of_a_twin_is_not_compared() -> None:
    box, twin = judged(make_memory(stack())), judged(make_twin_memory())
    for now, then in ((twin, box), (box, twin)):
        before = make_baseline(then, {})
        kinds = (before.machine, now.memory.machine if isinstance(now.memory, MemoryReport) else "")
        comparison = compare(now, before, 0)
        assert isinstance(comparison.total_bytes, Missing)
        reason = f"the baseline was measured on a {kinds[0]}, not on a {kinds[1]}"
        assert comparison.total_bytes.reason == reason
        memory = [d for d in comparison.deltas if d.id.startswith("memory.")]
        assert memory
        assert {d.before.reason for d in memory if isinstance(d.before, Missing)} == {reason}
        assert not any(isinstance(d.memory_before, int) for d in comparison.services)
        assert all(isinstance(d.image_before, int) for d in comparison.services)
        assert list_differences(now, before) == (f"machine {kinds[1]}, was {kinds[0]}",)
        assert isinstance(now.memory, MemoryReport)
        assert memory_difference(before, now.memory, BUDGETS.memory) == comparison.total_bytes
    same = compare(twin, make_baseline(twin, {}), 0)
    assert isinstance(same.total_bytes, int)
