"""The squeeze judged: does the stack fit into the room that its machine leaves it?

The kernel's kills, and services that failed only there, are a NO-GO. Waiting for memory is not:
a machine with 968 MB of MemTotal ran on without an OOM kill while one container took it to 38 MB
available (0.4 % of the time stalled: PSI, `some`), to 12 MB (1.0 %) and to 1 MB (3.6 %). From
PRESSURE_SHARE on, where the stall begins to grow much faster than the memory in use, a stack fits
"under pressure", which is a WARN. No share of stall by itself is a NO-GO: systemd-oomd, the only
common program that acts on one (at 60 % `full`, oomd.conf(5)), does not run on servers by default.

Cgroups of version 1 have no PSI. There it is the measuring host's, and at most FAULT_SECONDS for
each fault and refault of the box: other programs of the host may have stalled. Where the kernel
keeps no PSI at all, the stall is estimated from the major faults alone. FAULT_SECONDS is what a
disk that small machines come with takes to read the 128 KiB that Linux reads ahead (gp3 volumes:
125 MiB/s; AWS EBS User Guide, "General Purpose SSD volumes").
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from onegig.judge.checks import Case, duration
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport, Squeeze, SqueezedService
from onegig.model.service import READY, ServiceState
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.verdict import Check, make_check
from onegig.text import format_list, plain

NEAR_SHARE = 0.1  # of a limit, on either side: there the kernel has the last word
PRESSURE_SHARE = 0.01  # of the time waiting for memory
FAULT_SECONDS = 0.001
NAMED = 3  # services
_ENDINGS = {
    ServiceState.OOM_KILLED: "was killed",
    ServiceState.REFUSED: "could not be started",
    ServiceState.CRASHED: "crashed",
    ServiceState.UNHEALTHY: "was unhealthy",
    ServiceState.NOT_READY: "was not ready in time",
    ServiceState.WAITING: "was never started",
}


class Outcome(StrEnum):
    """The kernel's answer to a stack in the room of its machine, best first."""

    FITS = "fits"
    PRESSURE = "fits under pressure"
    DOES_NOT_FIT = "does not fit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The kernel's answer: "fits under pressure (stall 3.6 %)"."""

    outcome: Outcome
    reason: str
    failures: int = 0  # kills, and services that failed

    def __str__(self) -> str:
        """Return outcome and reason."""
        return f"{self.outcome} ({self.reason})"


def classify(squeeze: Squeeze, before: Mapping[str, ServiceState]) -> Answer | Unknown:
    """Return the answer; `before` are the services' states with more room.

    A service that fails with more room as well says nothing about the squeeze. Unknown if nothing
    failed, but the load did or samples are missing.
    """
    failures = tuple(_failures(squeeze, before))
    if failures:
        kills = squeeze.engine_kills + sum(service.oom_kills for service in squeeze.services)
        count = max(len(failures), kills)
        return Answer(outcome=Outcome.DOES_NOT_FIT, reason=failures[0], failures=count)
    if squeeze.gaps:
        return Unknown(reason=squeeze.gaps[0])
    share, reason = _stall(squeeze)
    outcome = Outcome.PRESSURE if share >= PRESSURE_SHARE else Outcome.FITS
    return Answer(outcome=outcome, reason=reason)


def answer_of(report: MemoryReport) -> Answer | Missing:
    """Return the kernel's answer for a report; Missing if it was not asked, or could not be."""
    if isinstance(report.squeeze, Missing):
        return report.squeeze
    return classify(report.squeeze, states_of(report))


def has_failed(report: MemoryReport) -> bool:
    """Return whether the stack already failed with more room."""
    failed = any(service.state not in READY for service in report.services)
    killed = report.box.oom_kills > 0
    return failed or killed or is_crowded(report) or bool(report.incomplete)


def is_crowded(report: MemoryReport) -> bool:
    """Return whether containers that started at once filled the memory."""
    return not isinstance(report.start, Missing) and report.start.crowded > 0


def is_spared(report: MemoryReport, used_bytes: int, limit_bytes: int) -> bool:
    """Return whether a total just over its limit fitted anyway, without pressure."""
    answer = answer_of(report)
    near = used_bytes <= limit_bytes * (1 + NEAR_SHARE)
    return near and isinstance(answer, Answer) and answer.outcome is Outcome.FITS


def check_squeeze(case: Case) -> Iterator[Check]:
    """Yield the kernel's answer, or nothing if it was not asked."""
    report = case.memory
    if isinstance(report, Missing):
        return
    squeeze, answer, where = report.squeeze, answer_of(report), "tiers.toml"
    if isinstance(squeeze, Missing) or isinstance(answer, Missing):
        if isinstance(answer, Unknown):
            message = f"the stack could not be squeezed: {plain(answer.reason)}"
            yield make_check("memory.squeeze", "stack", answer, 0, State.WARN, message, where)
        return
    if not squeeze.machine:
        where = case.budgets.where("memory.limit")
    states = {Outcome.FITS: State.GO, Outcome.PRESSURE: State.WARN}
    state = states.get(answer.outcome, State.NO_GO)
    message = describe_squeeze(squeeze, answer)
    yield make_check("memory.squeeze", "stack", answer.failures, 0, state, message, where)


def describe_squeeze(squeeze: Squeeze, answer: Answer) -> str:
    """Return the answer as a sentence, with the room and the duration of the squeeze."""
    room = format_mb(squeeze.room_bytes, down=True)
    machine = plain(squeeze.machine) or "this machine"
    took = f" (booted again, {duration(squeeze.seconds)})" if squeeze.seconds else ""
    left = f"the {room} that {machine} leaves to engine and stack{took}"
    if answer.outcome is Outcome.PRESSURE:
        return f"the stack fits into {left}, but under pressure: {answer.reason}"
    return f"the stack {answer.outcome} into {left}: {answer.reason}"


def _failures(squeeze: Squeeze, before: Mapping[str, ServiceState]) -> Iterator[str]:
    """Describe what failed for lack of memory, the clearest first."""
    if squeeze.problem:
        yield plain(squeeze.problem)
    killed = [plain(service.name) for service in squeeze.services if service.oom_kills]
    if squeeze.engine_kills:
        killed.append("a process of the engine")
    if killed:
        yield f"the kernel killed {format_list(killed, NAMED)}"
    if squeeze.crowded:
        yield f"memory was full while {squeeze.crowded} containers started at once"
    for service in _newly_failed(squeeze.services, before):
        yield f"{plain(service.name)} {_ENDINGS[service.state]}"


def _newly_failed(
    services: Iterable[SqueezedService], before: Mapping[str, ServiceState]
) -> Iterator[SqueezedService]:
    """Yield the services that failed, but had not failed before."""
    for service in services:
        if before.get(service.name, service.state) in READY and service.state not in READY:
            yield service


def describe_newly_failed(
    services: Iterable[SqueezedService], report: MemoryReport
) -> Iterator[str]:
    """Yield "web, db are unhealthy" of services that failed, but not in the report's own boot."""
    failed: dict[str, list[str]] = {}
    for service in _newly_failed(services, states_of(report)):
        failed.setdefault(service.state, []).append(plain(service.name))
    for state, names in failed.items():
        yield f"{format_list(names, NAMED)} {'is' if len(names) == 1 else 'are'} {state}"


def states_of(report: MemoryReport) -> dict[str, ServiceState]:
    """Return the state of each service in the report's own boot."""
    return {service.name: service.state for service in report.services}


def _stall(squeeze: Squeeze) -> tuple[float, str]:
    """Return the stalled share of the window, and a text about it."""
    stall, faults = squeeze.stall, squeeze.faults
    if not isinstance(stall, Missing) and squeeze.window_seconds > 0:
        share = min(1.0, stall.some_seconds / squeeze.window_seconds)
        if not stall.of_host:
            return share, f"stall {_format(share)}"
        if not isinstance(faults, Missing):
            events = faults.major_per_second + faults.refaults_per_second
            share = min(share, events * FAULT_SECONDS)
        text = _format(share)
        return share, f"stall {text}" if text == "0 %" else f"stall at most {text}"
    if isinstance(faults, Missing):
        return 0.0, f"stall not measured: {plain(faults.reason)}"
    share = min(1.0, faults.major_per_second * FAULT_SECONDS)
    cause = f"{faults.major_per_second:,.0f} major faults a second"
    return share, f"stall about {_format(share)}, from {cause}"


def _format(share: float) -> str:
    """Return a share as "3.6 %", rounded but never up to PRESSURE_SHARE."""
    tenths = round(share * 1000)
    if share < PRESSURE_SHARE:
        tenths = min(tenths, round(PRESSURE_SHARE * 1000) - 1)
    return f"{tenths / 10:g} %"
