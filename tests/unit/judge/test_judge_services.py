"""How services fared: who failed, why, and which of several failures is named first."""

from dataclasses import replace

import pytest

from factories import make_images
from judging import MIB, TODAY, checks, limits, measured, service
from onegig.judge.verdict import judge
from onegig.model.memory import MemoryReport, ServiceMemory, ServiceState, Start
from onegig.model.state import State
from onegig.model.verdict import Verdict

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
            "NO-GO: whale-watch is unhealthy; memory 580 of 1,024 MB",
        ),
        (
            {"state": ServiceState.UNHEALTHY, "log_tail": "a\n\x1b[31mno  route\x07 \n\n"},
            State.NO_GO,
            "NO-GO: whale-watch is unhealthy: no route; memory 580 of 1,024 MB",
        ),
        (
            {
                "state": ServiceState.UNHEALTHY,
                "log_tail": "listening",
                "health_log": "health check exit code 127: curl: not found",
            },
            State.NO_GO,
            "NO-GO: whale-watch is unhealthy: health check exit code 127: curl: not found; memory",
        ),
        (
            {
                "state": ServiceState.CRASHED,
                "exit_code": 1,
                "restarts": 5,
                "log_tail": "KeyError: 'x'",
            },
            State.NO_GO,
            "NO-GO: whale-watch crashed with exit code 1, restarted 5 times: KeyError: 'x'; memory",
        ),
        (
            {"state": ServiceState.CRASHED, "exit_code": 139},
            State.NO_GO,
            "NO-GO: whale-watch crashed with exit code 139 (SIGSEGV); memory",
        ),
        (
            {"state": ServiceState.CRASHED, "exit_code": 0, "restarts": 9},
            State.NO_GO,
            "NO-GO: whale-watch keeps ending with exit code 0, restarted 9 times; memory",
        ),
        ({"state": ServiceState.CRASHED}, State.NO_GO, "NO-GO: whale-watch crashed; memory"),
        (
            {"state": ServiceState.REFUSED, "reason": 'exec: "/no/such":\nno such file'},
            State.NO_GO,
            'NO-GO: whale-watch could not be started: exec: "/no/such": no such file; memory',
        ),
        (
            {"state": ServiceState.WAITING, "waits_for": ("db", "web")},
            State.NO_GO,
            "NO-GO: whale-watch was never started: it waits for db, web, which failed; memory",
        ),
        (
            {"state": ServiceState.STOPPED},
            State.WARN,
            "WARN: 580 of 1,024 MB, 444 MB (43 %) to spare; whale-watch ended with exit code 0, ",
        ),
        ({"state": ServiceState.COMPLETED, "restarts": 2}, State.GO, "GO: 580 of"),
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
    assert len(verdict_on(ill).sentence) < 400


def test_a_full_machine_names_the_killed_and_the_hungriest() -> None:
    killed = service("web", 80 * MIB, state=ServiceState.OOM_KILLED, oom_kills=2)
    hungry = service("aggressor", 600 * MIB, peak_bytes=712 * MIB)
    memory = measured([killed, hungry])
    box = replace(memory.box, oom_kills=2)
    verdict = verdict_on(killed, hungry, box=box)
    assert verdict.state is State.NO_GO
    assert verdict.sentence == (
        "NO-GO: web ran out of memory and was killed twice: the machine was full; "
        "aggressor took most: 712 MB; memory 680 of 1,024 MB"
    )


@pytest.mark.parametrize("known", [{"own_limit_kills": 1}, {"peak_bytes": 64 * MIB}])
def test_a_service_at_its_own_limit_is_distinguished_from_a_full_machine(
    known: dict[str, int],
) -> None:
    killed = service(
        "web", 8 * MIB, state=ServiceState.OOM_KILLED, oom_kills=1, limit_bytes=64 * MIB, **known
    )
    (check,) = checks(verdict_on(killed), "service.state")
    assert check.message == (
        "web ran out of memory and was killed: it reached its own limit of 64 MB"
    )
    assert check.where == "compose.yml"


def test_a_killed_process_of_no_service_is_a_no_go_too() -> None:
    web = service("web", 60 * MIB)
    box = replace(measured([web]).box, oom_kills=1)
    verdict = verdict_on(web, box=box)
    assert verdict.state is State.NO_GO
    assert "the kernel killed once because memory was full" in verdict.sentence


def test_an_oom_kill_that_the_state_forgot_still_counts() -> None:
    assert verdict_on(service("web", MIB, oom_kills=1)).state is State.NO_GO


def test_the_root_of_the_trouble_comes_first() -> None:
    verdict = verdict_on(
        service("a", MIB, state=ServiceState.WAITING),
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
    unseen = [service(name, MIB, state=ServiceState.WAITING) for name in ("a", "b")]
    verdict = verdict_on(*unseen, incomplete=(gap,))
    assert verdict.state is State.INCOMPLETE
    assert gap in verdict.incomplete


def test_a_stack_that_did_not_start_without_a_gap_is_a_no_go() -> None:
    assert verdict_on(service("a", 0, state=ServiceState.WAITING)).state is State.NO_GO


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"health_log": "health check exit code 1: not yet"},
            (
                "web was not healthy within 120 s: health check exit code 1: not yet; raise "
                "measure.healthy_timeout, or check more often (healthcheck.interval)"
            ),
        ),
        (
            {"waits_for": ("db",)},
            "web was not started within 120 s (measure.healthy_timeout): it waits for db",
        ),
    ],
)
def test_time_that_ran_out_is_no_failure(changes: dict[str, object], message: str) -> None:
    late = service("web", MIB, state=ServiceState.NOT_READY, **changes)
    verdict = verdict_on(late, start=Start(seconds=120.0, timed_out=True, waited_for=("web",)))
    assert verdict.state is State.INCOMPLETE
    assert message in verdict.incomplete
