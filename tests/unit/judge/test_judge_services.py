"""How services fared: who failed, why, and which of several failures is named first."""

from dataclasses import replace

import pytest

from judging import GO, INCOMPLETE, MIB, NO_GO, WARN, checks, judge_stack, limits, measured, service
from onegig.judge.services import find_largest
from onegig.model.measured import Unknown
from onegig.model.memory import BootPeak, MemoryReport, Start
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.state import State
from onegig.model.verdict import Verdict


def verdict_on(*services: ServiceMemory, **changes: object) -> Verdict:
    memory: MemoryReport = replace(measured(services), **changes)  # type: ignore[arg-type]
    return judge_stack(limits(1024 * MIB), memory)


SPARE = "580 of 1,024 MB, 444 MB (43 %) to spare"
UNHEALTHY, CRASHED = {"state": ServiceState.UNHEALTHY}, {"state": ServiceState.CRASHED}
REFUSED = {"state": ServiceState.REFUSED, "reason": 'exec: "/no/such":\nno such file'}
WAITING = {"state": ServiceState.WAITING, "waits_for": ("db", "web")}
NONE = "health check exit code 127: curl: not found"
KEY_ERROR = {"exit_code": 1, "restarts": 5, "log_tail": "KeyError: 'x'"}


@pytest.mark.parametrize(
    ("changes", "state", "text"),
    [
        ({"state": ServiceState.HEALTHY}, GO, ""),
        ({"state": ServiceState.RUNNING}, GO, ""),
        ({"state": ServiceState.COMPLETED}, GO, ""),
        ({"state": ServiceState.COMPLETED, "restarts": 2}, GO, ""),
        ({"restarts": 1}, WARN, "is up, but was restarted"),
        (UNHEALTHY, NO_GO, "is unhealthy; memory 580 of 1,024 MB"),
        (UNHEALTHY | {"log_tail": "a\n\x1b[31mno  way\x07 \n\n"}, NO_GO, "is unhealthy: no way;"),
        (UNHEALTHY | {"log_tail": "up", "health_log": NONE}, NO_GO, f"is unhealthy: {NONE};"),
        (CRASHED, NO_GO, "crashed; memory"),
        (CRASHED | KEY_ERROR, NO_GO, "crashed with exit code 1, restarted 5 times: KeyError: 'x';"),
        (CRASHED | {"exit_code": 139}, NO_GO, "crashed with exit code 139 (SIGSEGV);"),
        (
            CRASHED | {"exit_code": 0, "restarts": 9},
            NO_GO,
            "keeps ending with exit code 0, restarted",
        ),
        (REFUSED, NO_GO, 'could not be started: exec: "/no/such": no such file;'),
        (WAITING, NO_GO, "was never started: it waits for db, web, which failed;"),
        ({"state": ServiceState.STOPPED}, WARN, "ended with exit code 0, "),
    ],
)
def test_a_state_decides(changes: dict[str, object], state: State, text: str) -> None:
    verdict = verdict_on(service("web", 500 * MIB), service("whale", 80 * MIB, **changes))
    lead = "whale " if state is NO_GO else f"{SPARE}; whale " if text else SPARE
    assert verdict.state is state
    assert verdict.sentence.startswith(f"{state}: {lead}{text}")


def test_optional_services_are_not_lost_silently() -> None:
    ill = service("x", MIB, state=ServiceState.UNHEALTHY, optional=True)
    assert verdict_on(ill).state is NO_GO


def test_a_log_line_cannot_flood_the_sentence() -> None:
    ill = service("x", MIB, state=ServiceState.CRASHED, log_tail="y" * 100_000)
    assert len(verdict_on(ill).sentence) < 400


def test_a_full_machine_names_the_killed_and_the_hungriest() -> None:
    killed = service("web", 80 * MIB, state=ServiceState.OOM_KILLED, oom_kills=2)
    hungry = service("aggressor", 600 * MIB, peak_bytes=712 * MIB)  # with page cache
    memory = measured([killed, hungry])
    box = replace(memory.box, oom_kills=2)
    verdict = verdict_on(killed, hungry, box=box)
    assert verdict.state is NO_GO
    assert verdict.sentence == (
        "NO-GO: web ran out of memory and was killed twice: the machine was full; "
        "aggressor was the largest: 600 MB; memory 680 of 1,024 MB"
    )


NO_LOG = Unknown(reason="the kernel's log could not be read")
OWN = "it reached its own limit of 64 MB"
FULL = "the machine was full; web was the largest: {}"


@pytest.mark.parametrize(
    ("known", "cause"),
    [
        ({"own_limit_kills": 1}, OWN),
        ({"own_limit_kills": NO_LOG, "peak_bytes": 64 * MIB}, OWN),
        ({"own_limit_kills": NO_LOG, "peak_bytes": 180 * MIB, "containers": 3}, FULL),
        ({"own_limit_kills": NO_LOG, "peak_bytes": NO_LOG}, FULL),
        ({"own_limit_kills": 0, "peak_bytes": 64 * MIB}, FULL),  # filled by page cache
    ],
)
def test_a_service_at_its_own_limit_is_distinguished_from_a_full_machine(
    known: dict[str, object], cause: str
) -> None:
    killed = service(
        "web", 8 * MIB, state=ServiceState.OOM_KILLED, oom_kills=1, limit_bytes=64 * MIB, **known
    )
    (check,) = checks(verdict_on(killed), "service.state")
    peak = known.get("peak_bytes")
    most = f"{peak // MIB} MB" if isinstance(peak, int) else "8.0 MB"
    assert check.message == f"web ran out of memory and was killed: {cause.format(most)}"
    assert check.where == "compose.yml"


def test_the_largest_is_named_alike_in_the_verdict_and_in_the_advice() -> None:
    killed = service("web", 80 * MIB, state=ServiceState.OOM_KILLED, oom_kills=1)
    starter = service("migrate", 10 * MIB)
    cached = service("database", 90 * MIB, peak_bytes=900 * MIB)
    boot = BootPeak(
        offset_seconds=3,
        total_bytes=900 * MIB,
        rss_bytes=900 * MIB,
        starting=True,
        causes=(("engine", 950 * MIB), ("migrate", 700 * MIB)),
    )
    memory = replace(measured([killed, starter, cached]), boot=boot)
    assert find_largest(memory) == (starter, 700 * MIB)
    assert find_largest(replace(memory, services=())) is None


def test_a_killed_process_of_no_service_is_a_no_go_too() -> None:
    web = service("web", 60 * MIB)
    box = replace(measured([web]).box, oom_kills=1)
    verdict = verdict_on(web, box=box)
    assert verdict.state is NO_GO
    assert "the kernel killed once because memory was full" in verdict.sentence


def test_an_oom_kill_that_the_state_forgot_still_counts() -> None:
    assert verdict_on(service("web", MIB, oom_kills=1)).state is NO_GO


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
    gap = "the engine of the stack stopped answering"
    unseen = [service(name, MIB, state=ServiceState.WAITING) for name in ("a", "b")]
    verdict = verdict_on(*unseen, incomplete=(gap,))
    assert verdict.state is INCOMPLETE
    assert gap in verdict.incomplete


def test_a_stack_that_did_not_start_without_a_gap_is_a_no_go() -> None:
    assert verdict_on(service("a", 0, state=ServiceState.WAITING)).state is NO_GO


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
    assert verdict.state is INCOMPLETE
    assert message in verdict.incomplete


LAYERS = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (f'{LAYERS}exec: "/x": no such file: unknown', 'exec: "/x": no such file: unknown'),
        (f"{LAYERS}error during container init: mount /a: denied", "mount /a: denied"),
        ("unknown or invalid runtime name: nvidia", "unknown or invalid runtime name: nvidia"),
    ],
)
def test_the_headline_has_the_cause_and_the_list_the_whole_reason(reason: str, cause: str) -> None:
    web = service("web", MIB, state=ServiceState.REFUSED, reason=reason)
    verdict = verdict_on(web)
    assert verdict.sentence.startswith(f"NO-GO: web could not be started: {cause}; memory")
    (check,) = checks(verdict, "service.state")
    assert check.message == f"web could not be started: {reason}"
