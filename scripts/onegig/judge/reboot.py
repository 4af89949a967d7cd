"""A reboot judged: does everything come back by itself, and fit while all starts at once?"""

from collections.abc import Iterator

from onegig.judge.checks import Case, compare, duration, times
from onegig.judge.memory import tightness
from onegig.judge.squeeze import NAMED, describe_newly_failed
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport, Reboot
from onegig.model.state import State
from onegig.model.verdict import Check, make_check
from onegig.text import format_list, plain


def check_reboot(case: Case) -> Iterator[Check]:
    """Yield a check of the stack after a reboot, or nothing if there was none.

    The kernel has decided: a peak beyond the limit without a kill is no more than a WARN.
    """
    report, budgets = case.memory, case.budgets
    if isinstance(report, Missing) or isinstance(report.reboot, Missing):
        return
    reboot, limit, where = report.reboot, budgets.memory.limit_bytes, budgets.where("memory.limit")
    if reboot.problem:
        lost, message = Unknown(reason=reboot.problem), f"after a reboot {plain(reboot.problem)}"
        yield make_check("memory.reboot", "stack", lost, limit, State.INCOMPLETE, message, where)
        return
    peak = reboot.peak_bytes + budgets.memory.system_overhead_bytes
    failures, remarks = list(_failures(report, reboot)), list(_remarks(reboot))
    tight = tightness(peak, limit, budgets.memory)
    if failures:
        state, parts = State.NO_GO, [*failures, *remarks]
    else:
        state = State.WARN if remarks or tight or peak > limit else State.GO
        back = duration(round(reboot.ready_seconds))
        parts = [f"every service with a restart policy is back {back} after the engine", *remarks]
    message = f"after a reboot {'; '.join(parts)}; at most {compare(peak, limit)}{tight}"
    yield make_check("memory.reboot", "stack", peak, limit, state, message, where)


def _failures(report: MemoryReport, reboot: Reboot) -> Iterator[str]:
    """Describe the services that do not come back, the clearest failure first."""
    if reboot.oom_kills:
        killed = [plain(service.name) for service in reboot.services if service.oom_kills]
        victims = f" ({format_list(killed, NAMED)})" if killed else ""
        yield f"the kernel killed {times(reboot.oom_kills)}{victims}"
    yield from describe_newly_failed(reboot.services, report)


def _remarks(reboot: Reboot) -> Iterator[str]:
    if reboot.absent:
        names = format_list([plain(name) for name in reboot.absent], NAMED)
        yield f"{names} stay{'s' if len(reboot.absent) == 1 else ''} down without a restart policy"
