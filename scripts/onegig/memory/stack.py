"""Starting the stack inside the box and telling how each service fared."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import DockerException
from docker.types import IPAMConfig, IPAMPool
from requests import RequestException

from onegig.errors import BootError
from onegig.memory.box import Box
from onegig.memory.project import BoxProject, raise_oom_scores
from onegig.model.memory import ServiceState
from onegig.model.stack import Service, Stack
from onegig.owned import Run
from onegig.process import close, spawn, tail

CRASH_LOOP_RESTARTS = 3
POLL_SECONDS = 0.25
LOG_LINES = 15
SERVICE_LABEL = "com.docker.compose.service"


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """One container of the stack as the box's engine sees it."""

    container_id: str
    service: str
    status: str  # created, running, restarting, exited, dead
    health: str  # healthy, unhealthy, starting, "" without a healthcheck
    exit_code: int
    oom_killed: bool  # the engine's own opinion
    restarts: int
    error: str

    @property
    def state(self) -> ServiceState:
        """What this container's condition means for its service."""
        if self.status == "created" and not self.error:
            return ServiceState.NOT_STARTED
        if self.status == "exited" and self.exit_code == 0 and self.restarts == 0:
            return ServiceState.COMPLETED
        if self.status != "running" or self.restarts >= CRASH_LOOP_RESTARTS:
            return ServiceState.CRASHED
        if self.health in ("unhealthy", "starting"):
            return ServiceState.UNHEALTHY
        return ServiceState.HEALTHY if self.health else ServiceState.RUNNING

    @property
    def ready(self) -> bool:
        """Up and, if it has a healthcheck, healthy; or done."""
        return self.state in (
            ServiceState.HEALTHY,
            ServiceState.RUNNING,
            ServiceState.COMPLETED,
        )

    @property
    def settled(self) -> bool:
        """Ready, or beyond hope: once compose has given up, waiting longer would not help."""
        hopeless = (ServiceState.CRASHED, ServiceState.NOT_STARTED)
        return self.ready or self.state in hopeless or self.health == "unhealthy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """How starting the stack went; `problem` is compose's own last word when it gave up."""

    seconds: float  # until all services were ready, or the wait was over
    problem: str = ""


def start_stack(
    stack: Stack,
    project: BoxProject,
    box: Box,
    run_: Run,
    *,
    environment: Mapping[str, str],
    timeout_seconds: float,
    say: Callable[[str], None],
) -> Start:
    """Start every service in dependency order and wait until all are ready.

    Services that crash or never turn healthy end the wait but are no error: the caller reads their
    states afterwards. Raises BootError when compose could not create a single container.
    """
    started = time.monotonic()
    _create_externals(project, box)
    log = run_.directory / "up.log"
    with log.open("wb") as output:
        child = spawn(
            _up(stack, project, box, run_),
            env={**environment, **box.environment},
            stdout=output,
            stderr=output,
        )
    last = ""
    try:
        while time.monotonic() - started < timeout_seconds:
            ended = child.poll() is not None
            try:
                containers = list_containers(box.client)
            except (DockerException, RequestException):
                say("the engine inside the box does not answer")
                continue
            text = f"{sum(one.ready for one in containers)}/{_expected(stack)} services ready"
            if text != last:
                say(text)
                last = text
            if ended and not containers:
                raise _nothing_started(log)
            if ended and all(one.settled for one in containers):
                break
            time.sleep(POLL_SECONDS)
    finally:
        close(child)
    words = tail(log.read_text(errors="replace"), 1) if child.returncode else ""
    return Start(seconds=time.monotonic() - started, problem=words)


def _create_externals(project: BoxProject, box: Box) -> None:
    """Create the networks and volumes that the project expects to exist, inside the box."""
    for network in project.networks:
        pools = [
            IPAMPool(subnet=subnet.subnet, iprange=subnet.dynamic, gateway=subnet.gateway)
            for subnet in network.subnets
        ]
        box.client.networks.create(
            network.name,
            driver="bridge",
            ipam=IPAMConfig(pool_configs=pools) if pools else None,
            enable_ipv6=network.has_ipv6,
        )
    for volume in project.volumes:
        box.client.volumes.create(volume)


def list_containers(client: DockerClient) -> tuple[Container, ...]:
    """Every container of the box, by service name."""
    found = [
        _container(client.api.inspect_container(summary["Id"]))
        for summary in client.api.containers(all=True)
        if SERVICE_LABEL in summary["Labels"]
    ]
    return tuple(sorted(found, key=lambda container: (container.service, container.container_id)))


def read_log(client: DockerClient, container: Container) -> str:
    """The last lines a container printed, or why it could not start."""
    raw: bytes = client.api.logs(container.container_id, tail=LOG_LINES)
    lines = raw.decode(errors="replace").rstrip()
    return "\n".join(part for part in (container.error, lines) if part)


def state_of(service: Service, containers: tuple[Container, ...], oom_kills: int) -> ServiceState:
    """The worst state of a service's containers."""
    if oom_kills:
        return ServiceState.OOM_KILLED
    own = [container.state for container in containers if container.service == service.name]
    worst_first = (
        ServiceState.CRASHED,
        ServiceState.NOT_STARTED,
        ServiceState.UNHEALTHY,
        ServiceState.RUNNING,
        ServiceState.HEALTHY,
        ServiceState.COMPLETED,
    )
    return next((state for state in worst_first if state in own), ServiceState.NOT_STARTED)


def _up(stack: Stack, project: BoxProject, box: Box, run_: Run) -> list[str]:
    resolved = run_.directory / "compose.json"
    resolved.touch(mode=0o600)
    config = raise_oom_scores(project.config, box.oom_score_shift)
    resolved.write_text(json.dumps(config))
    return [
        *("docker", "compose", "--project-name", stack.name),
        *("--project-directory", stack.directory, "--file", str(Path(resolved))),
        *("up", "--detach", "--no-build", "--pull", "never"),
    ]


def _container(inspected: dict[str, Any]) -> Container:
    state = inspected["State"]
    return Container(
        container_id=inspected["Id"],
        service=inspected["Config"]["Labels"][SERVICE_LABEL],
        status=state["Status"],
        health=state.get("Health", {}).get("Status", "").replace("none", ""),
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restarts=inspected["RestartCount"],
        error=state.get("Error", ""),
    )


def _expected(stack: Stack) -> int:
    return sum(service.replicas for service in stack.services)


def _nothing_started(log: Path) -> BootError:
    return BootError(
        "docker compose could not create the stack in the box",
        command="docker compose up",
        advice="does `docker compose up` work on this machine?",
        detail=tail(log.read_text(errors="replace")),
    )
