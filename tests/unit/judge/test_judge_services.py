"""How services fared: who failed, why, and which of several failures is named first."""

from dataclasses import replace

import pytest

from factories import make_images
from judging import MIB, TODAY, checks, limits, measured, service
from onegig.judge.verdict import judge
from onegig.model.measured import Unknown
from onegig.model.memory import MemoryReport, ServiceMemory, ServiceState
from onegig.model.verdict import State, Verdict

LIMIT = 1024 * MIB


def verdict_on(*services: ServiceMemory, **changes: object) -> Verdict:
    memory: MemoryReport = replace(measured(services), **changes)  # type: ignore[arg-type]
    return judge(
        limits(LIMIT), make_images([one.name for one in services]), memory, None, today=TODAY
    )


@pytest.mark.parametrize(
    ("changes", "state", "sentence"),
    [
        ({"state": ServiceState.HEALTHY}, State.GO, "GO: 580 of"),
        ({"state": ServiceState.RUNNING}, State.GO, "GO: 580 of"),
        ({"state": ServiceState.COMPLETED}, State.GO, "GO: 580 of"),
        (
            {"restarts": 1},
            State.WARN,
            "WARN: 580 of 1,024 MB, 444 MB (43 %) to spare; whale-watch is up, but was restarted",
        ),
        (
            {"state": ServiceState.UNHEALTHY},
            State.NO_GO,
            "NO-GO: whale-watch never turned healthy; memory 580 of 1,024 MB",
        ),
        (
            {"state": ServiceState.UNHEALTHY, "log_tail": "a\n\x1b[31mno  route\x07 \n\n"},
            State.NO_GO,
            "NO-GO: whale-watch never turned healthy ([31mno route); memory 580 of 1,024 MB",
        ),
        (
            {"state": ServiceState.CRASHED, "restarts": 5, "log_tail": "KeyError: 'x'"},
            State.NO_GO,
            "NO-GO: whale-watch crashed, restarted 5 times (KeyError: 'x'); memory",
        ),
        ({"state": ServiceState.CRASHED}, State.NO_GO, "NO-GO: whale-watch crashed; memory"),
        (
            {"state": ServiceState.NOT_STARTED},
            State.NO_GO,
            "NO-GO: whale-watch was never started: a service it depends on failed; memory",
        ),
    ],
)
def test_a_state_decides(changes: dict[str, object], state: State, sentence: str) -> None:
    verdict = verdict_on(service("web", 500 * MIB), service("whale-watch", 80 * MIB, **changes))
    assert verdict.state is state
    assert verdict.sentence.startswith(sentence)


def test_optional_services_are_not_lost_silently() -> None:
    ill = service("x", MIB, state=ServiceState.UNHEALTHY, optional=True)
    assert verdict_on(ill).state is State.NO_GO


def test_a_log_line_cannot_flood_the_sentence() -> None:
    ill = service("x", MIB, state=ServiceState.CRASHED, log_tail="y" * 100_000)
    assert len(verdict_on(ill).sentence) < 300


def test_a_full_machine_names_the_killed_and_the_hungriest() -> None:
    killed = service("web", 80 * MIB, state=ServiceState.OOM_KILLED, oom_kills=2)
    hungry = service("aggressor", 600 * MIB, peak_bytes=712 * MIB)
    memory = measured([killed, hungry])
    box = replace(memory.box, peak_bytes=LIMIT - 1, oom_kills=2)
    verdict = verdict_on(killed, hungry, box=box)
    assert verdict.state is State.NO_GO
    assert verdict.sentence == (
        "NO-GO: web was killed twice for want of memory: the machine was full; "
        "the most was taken by aggressor: 712 MB; memory 680 of 1,024 MB"
    )


def test_a_service_at_its_own_limit_is_told_from_a_full_machine() -> None:
    killed = service("web", 60 * MIB, state=ServiceState.OOM_KILLED, oom_kills=1)
    box = replace(measured([killed]).box, peak_bytes=300 * MIB, oom_kills=1)
    (check,) = checks(verdict_on(killed, box=box), "service.state")
    assert check.message == (
        "web was killed for want of memory: it reached its own limit in compose.yml at 60 MB"
    )
    assert check.where == "compose.yml"


def test_without_the_kernels_mark_the_sampled_peak_tells() -> None:
    killed = service("web", 60 * MIB, state=ServiceState.OOM_KILLED, oom_kills=1)
    kernel = Unknown(reason="kernel older than 5.19")
    box = replace(measured([killed]).box, peak_bytes=kernel, peak_anon_bytes=LIMIT)
    (check,) = checks(verdict_on(killed, box=box), "service.state")
    assert "the machine was full" in check.message


def test_a_killed_process_of_no_service_is_a_no_go_too() -> None:
    web = service("web", 60 * MIB)
    box = replace(measured([web]).box, oom_kills=1)
    verdict = verdict_on(web, box=box)
    assert verdict.state is State.NO_GO
    assert "the kernel killed once for want of memory" in verdict.sentence


def test_an_oom_kill_that_the_state_forgot_still_counts() -> None:
    assert verdict_on(service("web", MIB, oom_kills=1)).state is State.NO_GO


def test_the_root_of_the_trouble_comes_first() -> None:
    verdict = verdict_on(
        service("a", MIB, state=ServiceState.NOT_STARTED),
        service("b", MIB, state=ServiceState.UNHEALTHY),
        service("c", MIB, state=ServiceState.CRASHED),
    )
    assert verdict.sentence == "NO-GO: c crashed; 2 more failures; memory 3 of 1,024 MB"


def test_over_the_limit_comes_before_everything() -> None:
    verdict = verdict_on(
        service("aggressor", 1100 * MIB), service("b", MIB, state=ServiceState.CRASHED)
    )
    assert verdict.sentence == (
        "NO-GO: 1,101 of 1,024 MB, 77 MB (8 %) over; aggressor takes 1,100 MB; 1 more failure"
    )


def test_states_nobody_could_see_are_incomplete() -> None:
    gap = "the engine inside the box stopped answering"
    unseen = [service(name, MIB, state=ServiceState.NOT_STARTED) for name in ("a", "b")]
    verdict = verdict_on(*unseen, incomplete=(gap,))
    assert verdict.state is State.INCOMPLETE
    assert gap in verdict.incomplete


def test_a_stack_that_did_not_start_without_a_gap_is_a_no_go() -> None:
    assert verdict_on(service("a", 0, state=ServiceState.NOT_STARTED)).state is State.NO_GO
