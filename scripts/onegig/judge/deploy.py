"""Room to deploy: while a service is replaced without a gap, old and new container run at once.

Not every service can run twice: two servers spoil one database, and only one gets a port of the
machine. Where the copy of such a service has no room, it is taken to be stopped first.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from onegig.judge.checks import Case, compare
from onegig.judge.memory import own_ranges
from onegig.judge.tier import waterfalls
from onegig.model.budgets import Metric
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.service import UP, ServiceMemory
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.verdict import Check, make_check
from onegig.text import plain

SHIM = "shim"  # the engine's process beside each container
BESIDE = (SHIM, "conmon")


class _Copy(NamedTuple):
    """One more container of a service, with all that it takes at its peak."""

    service: ServiceMemory
    bytes: int


def check_deploy(case: Case) -> Iterator[Check]:
    """Yield a check of the largest second copy against what stays available beside the stack.

    The budget's machine and the tier's must both have room; one that the stack alone fills says so
    in a check of its own.
    """
    report, budgets = case.memory, case.budgets
    if isinstance(report, Missing):
        return
    machines = waterfalls(budgets, report, case.tier)
    copies = _copies(report, budgets.memory.metric)
    rooms = [machine for machine in machines if machine.headroom_bytes >= 0]
    if copies and machines[0] in rooms:
        tightest = min(rooms, key=lambda machine: machine.headroom_bytes)
        where = "" if tightest is machines[0] else f" on {tightest.machine}"
        yield _judge(copies, tightest.headroom_bytes, where)


def _copies(report: MemoryReport, metric: Metric) -> Sequence[_Copy]:
    """Return a second copy of each service that is up, the largest first."""
    most = {name: high for name, (_, high) in own_ranges(report, metric).items()}
    if not isinstance(report.boot, Missing) and report.window.metric == metric:
        starting = dict(report.boot.causes)
        most = {name: max(high, starting.get(name, 0)) for name, high in most.items()}
    shims = next((part for part in report.engine if part.name in BESIDE and part.processes), None)
    shim_bytes = shims.pss_bytes // shims.processes if shims else 0
    copies = (
        _Copy(service, -(-most[service.name] // max(1, service.containers)) + shim_bytes)
        for service in report.services
        if service.state in UP
    )
    return sorted(copies, key=lambda copy: -copy.bytes)


def _judge(copies: Sequence[_Copy], left_bytes: int, where: str) -> Check:
    """Warn if a service that could run twice has no room to."""
    stopped = [copy for copy in copies if copy.service.single and copy.bytes > left_bytes]
    running = [copy for copy in copies if copy not in stopped]
    service, size = (running or stopped)[0]
    name, fits = plain(service.name), size <= left_bytes
    limit, state, sentences = None, State.GO, []
    if running:
        limit, state = left_bytes, State.GO if fits else State.WARN
        figures = compare(size, left_bytes)
        room = f"{'fits' if fits else 'does not fit'} into {figures.limit:,} {figures.unit}{where}"
        copy = f"the second copy of {name} ({figures.used:,} {figures.unit})"
        sentences.append(f"{copy} {room}, {figures.room}")
        if not fits:
            sentences.append(f"stop {name} before starting its new container")
    if stopped:
        service = stopped[0].service
        why = f"{plain(service.name)} ({format_mb(stopped[0].bytes)}) {plain(service.single)}"
        sentences.append(f"{why}, so the old container has to stop before the new one starts")
    message = "; ".join(sentences)
    return make_check("memory.deploy", "stack", size, limit, state, message, about=name)
