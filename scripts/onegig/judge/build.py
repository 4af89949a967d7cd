"""A build judged: does it fit on the machine with the least room for it?"""

from onegig.judge.checks import compare, shorten, times
from onegig.judge.deploy import SHIM
from onegig.judge.memory import tightness
from onegig.judge.tier import Room
from onegig.model.budgets import Budgets
from onegig.model.build import BuildMemory, BuildReport
from onegig.model.measured import Environment, Missing
from onegig.model.memory import MemoryReport
from onegig.model.state import State
from onegig.text import format_list, plain

NAMED = 2  # steps
STEP_LENGTH = 80


def running_bytes(report: MemoryReport | Missing) -> int:
    """Return the memory of a running stack without the engine: its services, with a shim each."""
    if isinstance(report, Missing):
        return 0
    shims = sum(part.pss_bytes for part in report.engine if part.name == SHIM)
    return shims + sum(service.cost_bytes for service in report.services)


def judge_build(
    budgets: Budgets, memory: BuildMemory, room: Room, *, stack: str, environment: Environment
) -> BuildReport:
    """Return the report of a build that was measured in that room.

    It does not fit if the kernel killed a part of it, or if engine, steps, client and a stack
    that runs meanwhile together need more than the machine has.
    """
    state, text = _judge(budgets, memory, room)
    return BuildReport(
        environment=environment,
        stack=stack,
        state=state,
        sentence=f"{state}: {text}",
        machine=room.machine,
        limit_bytes=room.limit_bytes,
        system_bytes=room.system_bytes,
        stack_bytes=room.stack_bytes,
        memory=memory,
    )


def _judge(budgets: Budgets, memory: BuildMemory, room: Room) -> tuple[State, str]:
    where = f" on {room.machine}" + (" beside the running stack" if room.stack_bytes else "")
    limit = room.limit_bytes
    if memory.error:
        steps = [shorten(plain(s), STEP_LENGTH) for s in memory.failed or memory.running]
        what = "the kernel killed" if memory.oom_kills else "memory was full in"
        reason = f"{what} {format_list(steps, NAMED) or 'the engine'}"
        return State.NO_GO, f"the build does not fit{where}: {reason}"
    used = limit - room.bytes + memory.used_bytes
    figures = compare(used, limit)
    if used > limit:
        return State.NO_GO, f"the build does not fit{where}: {figures}"
    warning = tightness(used, limit, budgets.memory)
    if memory.oom_kills:
        warning += f", although the kernel killed parts of it {times(memory.oom_kills)}"
    state = State.WARN if warning else State.GO
    return state, f"the build fits{where}: {figures}{warning}"
