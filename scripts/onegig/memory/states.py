"""How each service fared: from its containers, the kernel's OOM kills and what it depends on."""

from collections.abc import Mapping, Sequence

from onegig.memory.containers import FAILED, WINDOW_RESTARTS, own_containers, worst_state
from onegig.memory.observation import Observation
from onegig.memory.start import Start
from onegig.model.memory import ServiceState
from onegig.model.stack import Service, Stack


def service_states(
    seen: Observation, stack: Stack, kills: Mapping[str, int]
) -> dict[str, ServiceState]:
    """Return each service's state: what became of its own containers, then of what they need.

    A container that never started waits for something: for a service that failed, or, when the time
    ran out, for one that was not ready yet.
    """
    states = {one.name: _own_state(one, seen, kills) for one in stack.services}
    for name, state in list(states.items()):
        if state is ServiceState.WAITING and seen.start.report.timed_out:
            needed = [states.get(other) for other in stack.needs(name)]
            if not any(other in FAILED for other in needed):
                states[name] = ServiceState.NOT_READY
    return states


def _own_state(service: Service, seen: Observation, kills: Mapping[str, int]) -> ServiceState:
    own = own_containers(service, seen.containers)
    if any(kills.get(one.container_id) for one in own):
        return ServiceState.OOM_KILLED
    if service.name in seen.start.refused:
        return ServiceState.REFUSED
    restarts = [one.restarts - seen.restarts_before.get(one.container_id, 0) for one in own]
    if max(restarts, default=0) >= WINDOW_RESTARTS:
        return ServiceState.CRASHED
    return worst_state([one.state for one in own])


def waits_for(
    service: Service, states: Mapping[str, ServiceState], stack: Stack, start: Start
) -> tuple[str, ...]:
    """Return the services that kept one from starting: those that failed, else those not ready."""
    needed = [name for name in stack.needs(service.name) if name in states]
    failed = tuple(name for name in needed if states[name] in FAILED)
    late = start.report.waited_for  # when the wait was over; they may have become ready since
    return failed or tuple(
        name for name in needed if name in late or states[name] is ServiceState.NOT_READY
    )


def oom_kills(seen: Observation) -> dict[str, int]:
    """Count OOM kills by container id: from the kernel's log, else the cgroups' counters."""
    known = {container.container_id for container in seen.containers}
    kills: dict[str, int] = {}
    for one in seen.passes:
        for _, path in one.oom_killed:
            container_id = next((part for part in path.split("/") if part in known), "")
            kills[container_id] = kills.get(container_id, 0) + 1
    for container_id in known - kills.keys():
        counts = [
            one.containers[container_id].account.oom_kills
            for one in seen.passes
            if container_id in one.containers
        ]
        highest = max(counts, default=0)
        if highest:
            kills[container_id] = highest
    return kills


def own_limit_kills(seen: Observation, ids: Sequence[str]) -> int:
    """Count the kills for which the kernel names the limit of a container, not of the box."""
    limits = [limit for one in seen.passes for limit, _ in one.oom_killed]
    return sum(any(part in ids for part in limit.split("/")) for limit in limits)
