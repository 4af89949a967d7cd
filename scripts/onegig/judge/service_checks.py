"""Each service judged: how it fared, and whether it kept to its own limit.

Dead bytes of an image, judged where budgets.yml has a limit for them, and reported where not.

They are what dive's wasted bytes are meant to be: exact, and with what a removed directory held.
What came with FROM is the base image's and has a limit of its own: only a smaller base helps there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from onegig.judge.figures import (
    compare,
    duration,
    exit_code,
    last_line,
    memory,
    reason,
    shorten,
    span,
    times,
)
from onegig.judge.noise import is_noise
from onegig.judge.totals import own_ranges
from onegig.model.budgets import Budgets
from onegig.model.images import Accounting, Image
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport, ServiceMemory, ServiceState
from onegig.model.sizes import Convention, format_mb
from onegig.model.state import State
from onegig.model.verdict import Check, Unit
from onegig.text import plain

FULL_SHARE = 0.99  # of a container's own limit: from here on an OOM kill is its own

_WORST_FIRST = (
    ServiceState.OOM_KILLED,
    ServiceState.REFUSED,
    ServiceState.CRASHED,
    ServiceState.UNHEALTHY,
    ServiceState.NOT_READY,
    ServiceState.WAITING,
    ServiceState.STOPPED,
)
_REASON_LENGTH = 600


def check_services(budgets: Budgets, report: MemoryReport) -> Iterator[Check]:
    """Judge state, own limit and growth of every service, optional ones included."""
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
    """Judge how each service fared, the likeliest cause of the others' trouble first."""
    order = {state: place for place, state in enumerate(_WORST_FIRST)}
    services = sorted(report.services, key=lambda service: order.get(service.state, len(order)))
    if report.box.oom_kills and not any(service.oom_kills for service in services):
        yield _state(budgets, "stack", State.NO_GO, report.box.oom_kills, _killed_something(report))
    unseen = report.incomplete and all(
        service.state is ServiceState.WAITING and not service.waits_for for service in services
    )
    for service in services:
        if unseen:
            message = f"the state of {service.name} could not be read"
            yield _state(budgets, service.name, State.INCOMPLETE, 0, message)
        else:
            state, message = _judged(service, report, budgets)
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


def _judged(service: ServiceMemory, report: MemoryReport, budgets: Budgets) -> tuple[State, str]:
    name = service.name
    if service.state is ServiceState.OOM_KILLED or service.oom_kills:
        return State.NO_GO, _killed(service, report)
    if service.state is ServiceState.REFUSED:
        return State.NO_GO, f"{name} could not be started: {_whole(service.reason)}"
    if service.state is ServiceState.CRASHED:
        return State.NO_GO, _crashed(service)
    if service.state is ServiceState.UNHEALTHY:
        why = service.health_log or last_line(service.log_tail)
        return State.NO_GO, f"{name} is unhealthy{_because(why)}"
    if service.state is ServiceState.NOT_READY:
        return State.INCOMPLETE, _not_ready(service, report, budgets)
    if service.state is ServiceState.WAITING:
        waits = f": it waits for {_names(service)}, which failed" if service.waits_for else ""
        return State.NO_GO, f"{name} was never started{waits}{_because(service.reason)}"
    if service.state is ServiceState.STOPPED:
        stays = "though its ports, health check or restart policy say that it stays up"
        return State.WARN, f"{name} ended with exit code 0, {stays}"
    if service.restarts and service.state is not ServiceState.COMPLETED:
        return State.WARN, f"{name} is up, but was restarted {times(service.restarts)}"
    return State.GO, f"{name} is {service.state.value}"


def _crashed(service: ServiceMemory) -> str:
    """Say how it ended, how often, and its last words."""
    name, code = service.name, service.exit_code
    because = _because(service.reason or last_line(service.log_tail))
    restarted = f", restarted {times(service.restarts)}" if service.restarts else ""
    if code is None:
        return f"{name} crashed{restarted}{because}"
    if code == 0:
        return f"{name} keeps ending with exit code 0{restarted}{because}"
    return f"{name} crashed with {exit_code(code)}{restarted}{because}"


def _not_ready(service: ServiceMemory, report: MemoryReport, budgets: Budgets) -> str:
    """Say what was waited for, for how long, and which setting ended the wait."""
    waited = duration(budgets.measure.healthy_timeout_seconds)
    timed_out = not isinstance(report.start, Missing) and report.start.timed_out
    if not timed_out:
        return (
            f"{service.name} was not healthy when the window closed{_because(service.health_log)}"
        )
    if service.waits_for:
        waits = f"it waits for {_names(service)}"
        return f"{service.name} was not started within {waited} (measure.healthy_timeout): {waits}"
    health = service.health_log or "no health check had passed yet"
    advice = "raise measure.healthy_timeout, or check more often (healthcheck.interval)"
    return f"{service.name} was not healthy within {waited}: {_whole(health)}; {advice}"


def _names(service: ServiceMemory) -> str:
    return ", ".join(service.waits_for)


def _because(why: str) -> str:
    return f": {_whole(why)}" if why else ""


def _whole(text: str) -> str:
    """Return a reason on one line; only what would fill the screen is cut."""
    return shorten(plain(text), _REASON_LENGTH)


def _killed(service: ServiceMemory, report: MemoryReport) -> str:
    count = f" {times(service.oom_kills)}" if service.oom_kills > 1 else ""
    killed = f"{service.name} ran out of memory and was killed{count}"
    if has_own_limit(service):
        return f"{killed}: it reached its own limit of {memory(service.limit_bytes or 0)}"
    return f"{killed}: the machine was full; {_hungriest(report)}"


def has_own_limit(service: ServiceMemory) -> bool:
    """Tell whether a service that was killed had reached its own limit, not the machine's."""
    limit, peak = service.limit_bytes, service.peak_bytes
    if limit is None:
        return False
    reached = not isinstance(peak, Missing) and peak >= limit * FULL_SHARE
    return service.own_limit_kills > 0 or reached


def _killed_something(report: MemoryReport) -> str:
    killed = f"the kernel killed {times(report.box.oom_kills)} because memory was full"
    return f"{killed}, no process of a service; {_hungriest(report)}"


def _hungriest(report: MemoryReport) -> str:
    if not report.services:
        return "no service was running"
    service = max(report.services, key=_appetite)
    return f"the most was taken by {service.name}: {memory(_appetite(service))}"


def _appetite(service: ServiceMemory) -> int:
    """Return the most a service ever took: what matters to a kernel out of memory."""
    peak = service.peak_bytes
    return service.rss_max_bytes if isinstance(peak, Missing) else max(peak, service.rss_max_bytes)


_INSTRUCTION_LENGTH = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """Whose dead bytes a check is about."""

    id: str
    key: str
    title: str
    of_base: bool
    limit: int | None


def check_dead(budgets: Budgets, image: Image) -> Iterator[Check]:
    """Yield a check of the image's own dead bytes, and one of its base's where they are limited.

    None for an image that is not accounted for where nothing limits it.
    """
    account = image.accounting
    subject = image.services[0] if len(image.services) == 1 else image.reference
    for kind in _kinds(budgets):
        value: int | Missing
        if not isinstance(account, Missing):
            value = account.base_dead_bytes if kind.of_base else account.own_dead_bytes
            state, message = _judge(kind, value, account, image, subject)
        elif kind.limit is None:
            continue
        else:
            what = f"the bytes of the image of {subject}"
            value, state = account, State.INCOMPLETE
            message = reason(account, what, "accounted for")
        yield Check(
            id=kind.id,
            subject=subject,
            title=f"{kind.title} of {subject}",
            unit=Unit.STORAGE,
            value=value,
            limit=kind.limit,
            blocking=kind.limit is not None,
            state=state,
            message=message,
            where="" if kind.limit is None else budgets.where(kind.key),
        )


def _kinds(budgets: Budgets) -> Iterator[_Kind]:
    limits = budgets.images
    yield _Kind(
        id="image.dead",
        key="images.max_dead",
        title="Dead bytes",
        of_base=False,
        limit=limits.max_dead_bytes,
    )
    if limits.max_base_dead_bytes is not None:
        yield _Kind(
            id="image.base_dead",
            key="images.max_base_dead",
            title="Dead bytes in the base",
            of_base=True,
            limit=limits.max_base_dead_bytes,
        )


def _judge(
    kind: _Kind, value: int, account: Accounting, image: Image, subject: str
) -> tuple[State, str]:
    lead, tail = _lead(kind, account, subject)
    if kind.limit is None:
        return State.GO, f"{lead} {format_mb(value, Convention.STORAGE)}{tail}"
    figures = compare(value, kind.limit, Convention.STORAGE)
    over = value > kind.limit
    most = _most(kind, account, image) if over else ""
    return (State.NO_GO if over else State.GO), f"{lead} {figures.of}, {figures.room}{most}{tail}"


def _lead(kind: _Kind, account: Accounting, subject: str) -> tuple[str, str]:
    """Whose waste it is, and what to add where that is not known."""
    if kind.of_base:
        lead = f"the image of {subject} has dead bytes of its base:"
        return lead, "" if account.base_layers is not None else "; which layers are its is unknown"
    if account.base_layers is None:
        unknown = "; which layers are its base's is unknown, so all count"
        return f"the image of {subject} has dead bytes:", unknown
    return f"the image of {subject} has dead bytes of its own:", ""


def _most(kind: _Kind, account: Accounting, image: Image) -> str:
    """Where most of it came from, and which instruction killed it."""
    dead = [one for one in account.dead if account.is_of_base(one) is kind.of_base]
    if not dead:
        return ""
    worst = dead[0]
    instruction = plain(image.layers[worst.killer].instruction)[:_INSTRUCTION_LENGTH]
    where = f"layer {worst.layer + 1}, {worst.fate.value} by layer {worst.killer + 1}"
    return f"; most was in {where} ({instruction})"
