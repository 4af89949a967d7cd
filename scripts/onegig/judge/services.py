"""Each service judged: its state and its own limit."""

from collections.abc import Iterator
from signal import Signals

from onegig.judge.checks import Case, compare, duration, format_span, shorten, times
from onegig.judge.memory import is_noise, own_ranges
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.verdict import Check, make_check
from onegig.text import plain

FULL_SHARE = 0.99  # of a container's own limit: from here on an OOM kill is its own
REASON_LENGTH = 600
LOG_LINE_LENGTH = 120
_SIGNALS = {signal.value: f" ({signal.name})" for signal in Signals}


def check_services(case: Case) -> Iterator[Check]:
    """Judge state and own limit of every service, optional ones included."""
    budgets, report = case.budgets, case.memory
    if isinstance(report, Missing):
        return
    yield from _check_states(budgets, report)
    yield from _check_limits(budgets, report)


def _check_states(budgets: Budgets, report: MemoryReport) -> Iterator[Check]:
    """Judge the state of each service, the likeliest root cause first."""
    order = {state: place for place, state in enumerate(ServiceState)}
    sound = order[ServiceState.RUNNING]
    services = sorted(report.services, key=lambda service: min(order[service.state], sound))
    if report.box.oom_kills and not any(service.oom_kills for service in services):
        killed = f"the kernel killed {times(report.box.oom_kills)} because memory was full"
        message = f"{killed}, but not a process of a service; {_describe_largest(report)}"
        kills, where = report.box.oom_kills, budgets.compose
        yield make_check("service.state", "stack", kills, 0, State.NO_GO, message, where)
    unseen = report.incomplete and all(
        service.state is ServiceState.WAITING and not service.waits_for for service in services
    )
    for service in services:
        name, troubles = service.name, 0
        if unseen:
            state, message = State.INCOMPLETE, f"the state of {name} could not be read"
        else:
            state, described = _judge(service, report)
            message = f"{name} {described}"
            if state is not State.GO:
                troubles = max(1, service.restarts, service.oom_kills)
        yield make_check("service.state", name, troubles, 0, state, message, budgets.compose)


def _judge(service: ServiceMemory, report: MemoryReport) -> tuple[State, str]:
    state, because = service.state, _because(service.reason)
    if state is ServiceState.OOM_KILLED or service.oom_kills:
        return State.NO_GO, _describe_kill(service, report)
    if state is ServiceState.REFUSED:
        return State.NO_GO, f"could not be started: {_one_line(service.reason)}"
    if state is ServiceState.CRASHED:
        return State.NO_GO, _describe_crash(service)
    if state is ServiceState.UNHEALTHY:
        return State.NO_GO, f"is unhealthy{_because(service.health_log or _last_line(service))}"
    if state is ServiceState.NOT_READY:
        return State.INCOMPLETE, _describe_wait(service, report)
    if state is ServiceState.WAITING:
        failed = f": it waits for {', '.join(service.waits_for)}, which failed"
        return State.NO_GO, f"was never started{failed if service.waits_for else ''}{because}"
    if state is ServiceState.STOPPED:
        stays = (
            "though its ports, health check or restart policy suggest that it should keep running"
        )
        return State.WARN, f"ended with exit code 0, {stays}"
    if service.restarts and state is not ServiceState.COMPLETED:
        return State.WARN, f"is up, but was restarted {times(service.restarts)}"
    return State.GO, f"is {state.value}"


def _describe_crash(service: ServiceMemory) -> str:
    because = _because(service.reason or _last_line(service))
    restarted = f", restarted {times(service.restarts)}" if service.restarts else ""
    if service.exit_code is None:
        return f"crashed{restarted}{because}"
    if service.exit_code == 0:
        return f"keeps ending with exit code 0{restarted}{because}"
    signal = _SIGNALS.get(service.exit_code - 128, "")
    return f"crashed with exit code {service.exit_code}{signal}{restarted}{because}"


def _describe_wait(service: ServiceMemory, report: MemoryReport) -> str:
    if isinstance(report.start, Missing) or not report.start.timed_out:
        return f"was not healthy when the window closed{_because(service.health_log)}"
    waited = duration(round(report.start.seconds))  # a slow machine gets more than was asked for
    if service.waits_for:
        waits = f"it waits for {', '.join(service.waits_for)}"
        return f"was not started within {waited} (measure.healthy_timeout): {waits}"
    health = service.health_log or "no health check had passed yet"
    advice = "raise measure.healthy_timeout, or check more often (healthcheck.interval)"
    return f"was not healthy within {waited}: {_one_line(health)}; {advice}"


def _because(why: str) -> str:
    return f": {_one_line(why)}" if why else ""


def _one_line(text: str) -> str:
    return shorten(plain(text), REASON_LENGTH)


def _last_line(service: ServiceMemory) -> str:
    lines = [line for line in map(plain, service.log_tail.splitlines()) if line]
    return shorten(lines[-1], LOG_LINE_LENGTH) if lines else ""


def _describe_kill(service: ServiceMemory, report: MemoryReport) -> str:
    count = f" {times(service.oom_kills)}" if service.oom_kills > 1 else ""
    killed = f"ran out of memory and was killed{count}"
    if has_own_limit(service):
        return f"{killed}: it reached its own limit of {format_mb(service.limit_bytes or 0)}"
    return f"{killed}: the machine was full; {_describe_largest(report)}"


def has_own_limit(service: ServiceMemory) -> bool:
    """Return whether a service that was killed had reached its own limit, not the machine's.

    Where the kernel's log does not tell, one whose containers came up to their limits had.
    """
    limit, peak = service.limit_bytes, service.peak_bytes
    if limit is None:
        return False
    if isinstance(service.own_limit_kills, int):
        return service.own_limit_kills > 0
    if isinstance(peak, Missing):
        return False
    return peak // max(1, service.containers) >= limit * FULL_SHARE


def find_largest(report: MemoryReport) -> tuple[ServiceMemory, int] | None:
    """Return the service that was the largest at any time, with its bytes; None without services.

    Page cache does not count: the kernel drops it before it kills. A service that was killed
    counts with the high-water mark of its cgroup.
    """
    causes = {} if isinstance(report.boot, Missing) else dict(report.boot.causes)

    def most(service: ServiceMemory) -> int:
        mark = service.peak_bytes if service.oom_kills else 0
        sizes = (service.cost_bytes, service.rss_max_bytes, causes.get(service.name, 0))
        return max(*sizes, 0 if isinstance(mark, Missing) else mark)

    largest = max(report.services, key=most, default=None)
    return None if largest is None else (largest, most(largest))


def _describe_largest(report: MemoryReport) -> str:
    largest = find_largest(report)
    if largest is None:
        return "no service was running"
    service, most = largest
    return f"{service.name} was the largest: {format_mb(most)}"


def _check_limits(budgets: Budgets, report: MemoryReport) -> Iterator[Check]:
    """Judge own limits as the total: NO-GO over the limit, WARN within noise of it."""
    for name, (low, value) in own_ranges(report, budgets.memory.metric).items():
        limit = budgets.service(name).memory_bytes
        if limit is None:
            continue
        state, remark = State.GO if value <= limit else State.NO_GO, ""
        if is_noise(low, value, limit):
            state, remark = State.WARN, f", within noise ({format_span(low, value)})"
        message = f"{name} takes {compare(value, limit)}{remark}"
        where = budgets.where(f"services.{name}.memory")
        yield make_check("service.memory", name, value, limit, state, message, where)
