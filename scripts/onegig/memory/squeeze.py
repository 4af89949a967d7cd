"""The squeeze: a stack booted again with just the memory that its machine leaves it.

Near a limit a sum of memory can't show whether a stack fits: the kernel drops pages that it can
read again, and kills only when nothing is left to drop. So it is asked.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from onegig.errors import BootError, EngineError, MeasureError
from onegig.machine.machine import BootPlan
from onegig.memory.boot import NO_ANSWER, boot
from onegig.model.measured import Environment, Missing, Skipped, Unknown
from onegig.model.memory import NO_SQUEEZE, MemoryReport, Squeeze, SqueezedService, SqueezePlan
from onegig.model.sizes import format_mb
from onegig.model.twin import MachineKind, TwinMemory

# Decides by what was measured first whether to squeeze, and into which room.
PlanSqueeze = Callable[[MemoryReport], SqueezePlan | Skipped]


def no_squeeze(_report: MemoryReport) -> Skipped:
    """Return Skipped: no squeeze was asked for."""
    return NO_SQUEEZE


def squeeze_stack(
    plan: BootPlan,
    environment: Environment,
    first: MemoryReport,
    squeeze: SqueezePlan,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Squeeze | Unknown:
    """Boot the stack in the squeeze's room, as it was booted first, and return what happened.

    A first boot that had no more room, or a machine of its own, has the answer already. A machine
    that does not come up, or is gone before it could be measured, is an answer, too; Unknown if
    the engine outside fails.
    """
    if first.machine is MachineKind.TWIN or squeeze.room_bytes >= first.box.cap_bytes:
        return summarise_squeeze(first, squeeze, seconds=0.0)
    because = f"{squeeze.reason}: " if squeeze.reason else ""
    machine = squeeze.machine or "the machine"
    room = format_mb(squeeze.room_bytes, down=True)
    plan.say(
        f"{because}booting again with {room}, the memory that {machine} leaves to engine and stack"
    )
    began = clock()
    try:
        smaller = replace(plan, cap_bytes=squeeze.room_bytes, say=_prefixed(plan.say))
        report = boot(smaller, environment)
    except (BootError, MeasureError) as error:
        return _failed(first, squeeze, error.message, round(clock() - began, 1))
    except EngineError as error:
        return Unknown(reason=error.message)
    return summarise_squeeze(report, squeeze, seconds=round(clock() - began, 1))


def summarise_squeeze(report: MemoryReport, squeeze: SqueezePlan, *, seconds: float) -> Squeeze:
    """Return the results of a squeezed boot that took `seconds`."""
    twin = isinstance(report.twin, TwinMemory)
    start = None if isinstance(report.start, Missing) else report.start
    return Squeeze(
        room_bytes=squeeze.room_bytes if twin else report.box.cap_bytes,
        machine=squeeze.machine,
        seconds=seconds,
        window_seconds=report.window.seconds,
        services=outcomes(report),
        engine_kills=engine_kills(report),
        stall=report.box.stall,
        faults=report.box.faults,
        cost_bytes=report.box.cost_bytes,
        crowded=start.crowded if start else 0,
        problem=NO_ANSWER if NO_ANSWER in report.incomplete else "",
        gaps=report.incomplete,
    )


def outcomes(report: MemoryReport) -> tuple[SqueezedService, ...]:
    """Return each service's final state; kills at its own limit do not count."""
    return tuple(
        SqueezedService(name=service.name, state=service.state, oom_kills=service.full_kills)
        for service in report.services
    )


def engine_kills(report: MemoryReport) -> int:
    """Return the OOM kills of processes that belong to no service."""
    return max(0, report.box.oom_kills - sum(service.oom_kills for service in report.services))


def _failed(first: MemoryReport, squeeze: SqueezePlan, problem: str, seconds: float) -> Squeeze:
    missing = Unknown(reason=problem)
    return Squeeze(
        room_bytes=squeeze.room_bytes,
        machine=squeeze.machine,
        seconds=seconds,
        window_seconds=first.window.seconds,
        services=(),
        engine_kills=0,
        stall=missing,
        faults=missing,
        cost_bytes=missing,
        problem=problem,
    )


def _prefixed(say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(f"squeeze: {line}")
