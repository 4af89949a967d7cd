"""A reboot: the engine starts every container with a restart policy at once.

Compose's order, its health conditions and its limit of parallel starts do not hold then.
"""

import time
from collections.abc import Callable, Sequence

from onegig.errors import MeasureError
from onegig.machine.machine import Container, Machine, worst_state
from onegig.machine.sampler import Pass
from onegig.memory.totals import total_of
from onegig.model.budgets import Metric
from onegig.model.memory import Reboot, SqueezedService
from onegig.model.service import READY, ServiceState

POLL_SECONDS = 1.0
AFTER = "after a reboot "  # as every message about it begins
LOST = "its engine does not answer"


def reboot_stack(
    machine: Machine,
    before: Sequence[Container],
    metric: Metric,
    look: Callable[[], Sequence[Container]],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Reboot:
    """Reboot the machine, wait until all that comes back is ready, and return what happened.

    `before` are the containers as they were, `look` gives them as they are, none while the engine
    does not answer. A machine that does not come back is an answer, too.
    """
    machine.plan.say("rebooting: the engine starts every service with a restart policy at once")
    called = clock()
    try:
        began, up = machine.reboot()
    except MeasureError as error:
        return _lost(error.message.removeprefix(AFTER), clock() - called)
    expected = {c.container_id for c in before if c.comes_back and c.state in READY}
    deadline = up + machine.plan.budgets.measure.healthy_timeout_seconds
    after = look()
    while _unready(after, expected) and clock() < deadline:
        sleep(POLL_SECONDS)
        after = look() or after
    ended = clock()
    if not after:
        return _lost(LOST, ended - began)
    passes = since_boot(machine.watch.between(began, ended))
    return Reboot(
        down_seconds=round(up - began, 1),
        ready_seconds=round(ended - up, 1),
        timed_out=bool(_unready(after, expected)),
        services=_services(before, after, passes),
        absent=tuple(
            dict.fromkeys(
                container.service
                for container in before
                if container.state in READY
                and container.state is not ServiceState.COMPLETED
                and not container.comes_back
            )
        ),
        peak_bytes=max((total_of(sample, metric) for sample in passes), default=0),
        available_bytes=min((s.machine.available for s in passes if s.machine), default=0),
        oom_kills=max((s.machine.oom_kills for s in passes if s.machine), default=0),
    )


def since_boot(passes: Sequence[Pass]) -> list[Pass]:
    """Return the passes since the machine's counters began anew."""
    since: list[Pass] = []
    for sample in passes:
        before, now = since[-1].machine if since else None, sample.machine
        if before and now and now.major_faults < before.major_faults:
            since = []
        since.append(sample)
    return since


def _unready(after: Sequence[Container], expected: set[str]) -> set[str]:
    return expected - {c.container_id for c in after if c.state in READY}


def _services(
    before: Sequence[Container], after: Sequence[Container], passes: Sequence[Pass]
) -> tuple[SqueezedService, ...]:
    """Return the services that should come back, each in the worst state of its containers."""
    names = dict.fromkeys(c.service for c in before if c.comes_back)
    victims = [victim for sample in passes for _, victim in sample.oom_killed]
    services = []
    for name in names:
        own = [container for container in after if container.service == name]
        killed = sum(any(c.container_id in victim for c in own) for victim in victims)
        state = worst_state([container.state for container in own])
        services.append(SqueezedService(name=name, state=state, oom_kills=killed))
    return tuple(services)


def _lost(problem: str, seconds: float) -> Reboot:
    return Reboot(
        down_seconds=round(seconds, 1),
        ready_seconds=0.0,
        timed_out=True,
        services=(),
        absent=(),
        peak_bytes=0,
        available_bytes=0,
        oom_kills=0,
        problem=problem,
    )
