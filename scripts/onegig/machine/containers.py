"""The stack's containers as the box's engine sees them, and what that means for their services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docker import DockerClient
from docker.errors import APIError

from onegig.model.memory import ServiceState
from onegig.model.stack import Service

WINDOW_RESTARTS = 3  # from this many within the window on, a service keeps crashing
LOG_LINES = 15
HEALTH_LOG_LENGTH = 300  # of the end, where the error stands
SERVICE_LABEL = "com.docker.compose.service"
READY = (ServiceState.HEALTHY, ServiceState.RUNNING, ServiceState.COMPLETED, ServiceState.STOPPED)
FAILED = (
    ServiceState.OOM_KILLED,
    ServiceState.REFUSED,
    ServiceState.CRASHED,
    ServiceState.UNHEALTHY,
)
_WORST_FIRST = (
    *FAILED,
    ServiceState.NOT_READY,
    ServiceState.WAITING,
    ServiceState.STOPPED,
    ServiceState.RUNNING,
    ServiceState.HEALTHY,
    ServiceState.COMPLETED,
)
_STAYS_UP = ("always", "unless-stopped")


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """One container of the stack as the box's engine sees it."""

    container_id: str
    service: str
    status: str  # created, running, paused, restarting, exited, dead
    health: str  # healthy, unhealthy, starting, "" without a health check
    exit_code: int
    oom_killed: bool  # the engine's own opinion
    restarts: int
    error: str  # why the engine could not start it
    health_log: str = ""  # what the last failing health check printed
    stays_up: bool = False  # has ports, a health check or restarts always: not a job

    @property
    def state(self) -> ServiceState:
        """What this container's condition means for its service."""
        if self.status == "created":
            return ServiceState.REFUSED if self.error else ServiceState.WAITING
        if self.status == "exited" and self.exit_code == 0:
            return ServiceState.STOPPED if self.stays_up else ServiceState.COMPLETED
        if self.status not in ("running", "paused"):
            return ServiceState.CRASHED
        if self.health == "unhealthy":
            return ServiceState.UNHEALTHY
        if self.health == "starting":
            return ServiceState.NOT_READY
        return ServiceState.HEALTHY if self.health else ServiceState.RUNNING

    @property
    def ready(self) -> bool:
        """Up and, if it has a health check, healthy; or done."""
        return self.state in READY


def list_containers(client: DockerClient) -> tuple[Container, ...]:
    """Return every container of the stack, by service name."""
    found = [
        parse_container(client.api.inspect_container(summary["Id"]))
        for summary in client.api.containers(all=True)
        if SERVICE_LABEL in summary["Labels"]
    ]
    return tuple(sorted(found, key=lambda container: (container.service, container.container_id)))


def parse_container(inspected: Mapping[str, Any]) -> Container:
    """Read what `docker inspect` says of a container."""
    state, config = inspected["State"], inspected["Config"]
    host = inspected.get("HostConfig") or {}
    health: Mapping[str, Any] = state.get("Health") or {}
    status = str(health.get("Status", "")).replace("none", "")
    policy = (host.get("RestartPolicy") or {}).get("Name", "")
    return Container(
        container_id=inspected["Id"],
        service=config["Labels"][SERVICE_LABEL],
        status=state["Status"],
        health=status,
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restarts=inspected["RestartCount"],
        error=state.get("Error", ""),
        health_log=_health_log(health),
        stays_up=bool(host.get("PortBindings") or _checks_health(config) or policy in _STAYS_UP),
    )


def read_log(client: DockerClient, container: Container) -> str:
    """Return the last lines a container printed; "" where its log driver keeps none."""
    try:
        raw: bytes = client.api.logs(container.container_id, tail=LOG_LINES)
    except APIError:
        return ""
    return raw.decode(errors="replace").rstrip()


def own_containers(service: Service, containers: Sequence[Container]) -> tuple[Container, ...]:
    """Return the containers (replicas) of a service."""
    return tuple(one for one in containers if one.service == service.name)


def worst_state(states: Sequence[ServiceState]) -> ServiceState:
    """Return the worst of the states of a service's containers; WAITING where there are none."""
    return next((state for state in _WORST_FIRST if state in states), ServiceState.WAITING)


def _checks_health(config: Mapping[str, Any]) -> bool:
    test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return bool(test[0] != "NONE")


def _health_log(health: Mapping[str, Any]) -> str:
    """Return what the latest failing check printed, with its exit code."""
    failures = [entry for entry in health.get("Log") or () if entry.get("ExitCode")]
    if not failures:
        return ""
    latest = max(failures, key=lambda entry: _time(entry.get("Start", "")))
    output = _ending(str(latest.get("Output", "")).strip())
    code = latest["ExitCode"]
    if code == -1:  # the engine's own words: the time limit, or it could not be run
        return output or "the health check could not be run"
    return (
        f"health check exit code {code}: {output}" if output else f"health check exit code {code}"
    )


def _ending(text: str) -> str:
    """Return the last lines that fit into HEALTH_LOG_LENGTH; of a longer last line, its end."""
    if len(text) <= HEALTH_LOG_LENGTH:
        return text
    end = text[-HEALTH_LOG_LENGTH:]
    return f"… {end.partition(chr(10))[2] or end}"


def _time(text: str) -> datetime:
    """Return an engine's RFC 3339 time to the second; the lowest for one that cannot be read."""
    try:
        return datetime.fromisoformat(text[:19])
    except ValueError:
        return datetime(1, 1, 1)  # noqa: DTZ001 - only compared with its like
