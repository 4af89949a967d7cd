"""The state each service ended in, and who was killed because memory ran out."""

from collections.abc import Mapping

from onegig.machine.machine import Start, worst_state
from onegig.memory.figures import Figures
from onegig.model.service import FAILED, ServiceState
from onegig.model.stack import Service, Stack

WINDOW_RESTARTS = 3  # from this many within the window on, a service keeps crashing


def service_states(figures: Figures, kills: Mapping[str, int]) -> dict[str, ServiceState]:
    """Return each service's state; one that never started waits for a service that failed.

    Or, when the time ran out, for one that was not ready yet.
    """
    stack, start = figures.stack, figures.seen.start
    states = {service.name: _own_state(service, figures, kills) for service in stack.services}
    for name, state in list(states.items()):
        blameless = not any(states.get(needed) in FAILED for needed in stack.needs(name))
        if state is ServiceState.WAITING and start.report.timed_out and blameless:
            states[name] = ServiceState.NOT_READY
    return states


def _own_state(service: Service, figures: Figures, kills: Mapping[str, int]) -> ServiceState:
    seen, own = figures.seen, figures.seen.own(service.name)
    if any(kills.get(container.container_id) for container in own):
        return ServiceState.OOM_KILLED
    if service.name in seen.start.refused:
        return ServiceState.REFUSED
    restarts = [c.restarts - seen.restarts_before.get(c.container_id, 0) for c in own]
    if max(restarts, default=0) >= WINDOW_RESTARTS:
        return ServiceState.CRASHED
    return worst_state([container.state for container in own])


def oom_kills(figures: Figures) -> dict[str, int]:
    """Count OOM kills by container id: from the kernel's log, else the cgroups' counters."""
    known = {container.container_id for container in figures.seen.containers}
    kills: dict[str, int] = {}
    for _, path in figures.run.oom_killed:
        container_id = next((part for part in path.split("/") if part in known), "")
        kills[container_id] = kills.get(container_id, 0) + 1
    for container_id in known - kills.keys():
        if highest := figures.run.kills.get(container_id):
            kills[container_id] = highest
    return kills


def waits_for(
    service: Service, states: Mapping[str, ServiceState], stack: Stack, start: Start
) -> tuple[str, ...]:
    """Return the services that keep a service from starting."""
    needed = [name for name in stack.needs(service.name) if name in states]
    failed = tuple(name for name in needed if states[name] in FAILED)
    late = start.report.waited_for  # when the wait was over; they may have become ready since
    return failed or tuple(
        name for name in needed if name in late or states[name] is ServiceState.NOT_READY
    )
