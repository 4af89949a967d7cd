"""Each service judged: how it fared, and whether it kept to its own limit."""

from collections.abc import Iterator

from onegig.judge.totals import own_ranges
from onegig.judge.windows import is_noise
from onegig.judge.words import compare, last_line, memory, span, times
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport, ServiceMemory, ServiceState
from onegig.model.verdict import Check, State, Unit

FULL_SHARE = 0.99  # of the cap: from here on an OOM kill is the machine's, not a container's own

_WORST_FIRST = (
    ServiceState.OOM_KILLED,
    ServiceState.CRASHED,
    ServiceState.UNHEALTHY,
    ServiceState.NOT_STARTED,
)


def check_services(budgets: Budgets, report: MemoryReport) -> Iterator[Check]:
    """State and own limit of every service, optional ones included: nothing is lost silently."""
    yield from _states(budgets, report)
    yield from _own_limits(budgets, report)


def _own_limits(budgets: Budgets, report: MemoryReport) -> Iterator[Check]:
    """Over the limit is a NO-GO, within noise of it a WARN, as for the total."""
    for name, (low, value) in own_ranges(report, budgets.memory.metric).items():
        limit = budgets.service(name).memory_bytes
        if limit is None:
            continue
        figures = compare(value, limit)
        state, remark = State.GO if value <= limit else State.NO_GO, ""
        if is_noise(low, value, limit):
            state, remark = State.WARN, f", within noise ({span(low, value)})"
        yield Check(
            id="service.memory",
            subject=name,
            title=f"Memory of {name}",
            unit=Unit.MEMORY,
            value=value,
            limit=limit,
            state=state,
            message=f"{name} takes {figures.of}, {figures.room}{remark}",
            where=budgets.where(f"services.{name}.memory"),
        )


def _states(budgets: Budgets, report: MemoryReport) -> Iterator[Check]:
    """How each service fared, the likeliest cause of the others' trouble first."""
    order = {state: place for place, state in enumerate(_WORST_FIRST)}
    services = sorted(report.services, key=lambda one: order.get(one.state, len(order)))
    if report.box.oom_kills and not any(one.oom_kills for one in services):
        yield _state(budgets, "stack", State.NO_GO, report.box.oom_kills, _killed_something(report))
    unseen = report.incomplete and all(one.state is ServiceState.NOT_STARTED for one in services)
    for service in services:
        if unseen:
            message = f"how {service.name} fared could not be seen"
            yield _state(budgets, service.name, State.INCOMPLETE, 0, message)
        else:
            state, message = _fared(service, report, budgets.compose)
            troubles = max(1, service.restarts, service.oom_kills) if state is not State.GO else 0
            yield _state(budgets, service.name, state, troubles, message)


def _state(budgets: Budgets, subject: str, state: State, troubles: int, message: str) -> Check:
    return Check(
        id="service.state",
        subject=subject,
        title=f"State of {subject}",
        unit=Unit.COUNT,
        value=troubles,
        limit=0,
        state=state,
        message=message,
        where=budgets.compose,
    )


def _fared(service: ServiceMemory, report: MemoryReport, compose: str) -> tuple[State, str]:
    name = service.name
    said = last_line(service.log_tail)
    because = f" ({said})" if said else ""
    if service.state is ServiceState.OOM_KILLED or service.oom_kills:
        return State.NO_GO, _killed(service, report, compose)
    if service.state is ServiceState.CRASHED:
        restarts = f", restarted {times(service.restarts)}" if service.restarts else ""
        return State.NO_GO, f"{name} crashed{restarts}{because}"
    if service.state is ServiceState.UNHEALTHY:
        return State.NO_GO, f"{name} never turned healthy{because}"
    if service.state is ServiceState.NOT_STARTED:
        return State.NO_GO, f"{name} was never started: a service it depends on failed{because}"
    if service.restarts:
        return State.WARN, f"{name} is up, but was restarted {times(service.restarts)}{because}"
    return State.GO, f"{name} is {service.state.value}"


def _killed(service: ServiceMemory, report: MemoryReport, compose: str) -> str:
    count = f" {times(service.oom_kills)}" if service.oom_kills > 1 else ""
    killed = f"{service.name} was killed{count} for want of memory"
    if not _was_full(report):
        return f"{killed}: it reached its own limit in {compose} at {memory(_appetite(service))}"
    return f"{killed}: the machine was full; {_hungriest(report)}"


def _killed_something(report: MemoryReport) -> str:
    killed = f"the kernel killed {times(report.box.oom_kills)} for want of memory"
    return f"{killed}, no process of a service; {_hungriest(report)}"


def _was_full(report: MemoryReport) -> bool:
    peak = report.box.peak_bytes
    known = report.box.peak_anon_bytes if isinstance(peak, Missing) else peak
    return known >= report.box.cap_bytes * FULL_SHARE


def _hungriest(report: MemoryReport) -> str:
    if not report.services:
        return "no service was running"
    service = max(report.services, key=_appetite)
    return f"the most was taken by {service.name}: {memory(_appetite(service))}"


def _appetite(service: ServiceMemory) -> int:
    """The most a service ever took: what matters to a kernel out of memory."""
    peak = service.peak_bytes
    return service.rss_max_bytes if isinstance(peak, Missing) else max(peak, service.rss_max_bytes)
