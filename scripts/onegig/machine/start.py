"""Starting the stack inside the box: all of it, as `docker compose up` would, or what can start.

Compose gives up as a whole when one service fails. Here the services that do not depend on it are
started all the same, so that the report speaks of each of them. A start that fills the machine by
itself, because compose starts everything at once, is repeated with a few at a time.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from subprocess import Popen

from docker import DockerClient
from docker.errors import DockerException
from docker.types import IPAMConfig, IPAMPool
from requests import RequestException

from onegig.engine.owned import Run
from onegig.errors import BootError
from onegig.machine.box import Box
from onegig.machine.containers import FAILED, Container, list_containers, worst_state
from onegig.machine.project import BoxProject, raise_oom_scores
from onegig.machine.sampler import RUNC, Pass
from onegig.machine.watch import Watch
from onegig.model.memory import ServiceState
from onegig.model.memory import Start as StartReport
from onegig.model.stack import Stack, dump_config
from onegig.process import close, run, spawn, tail

PROJECT_FILE = "compose.json"
PARALLEL = 3  # containers started at once after a start that filled the machine
POLL_SECONDS = 0.25
CROWDED_SECONDS = 10.0  # of a full machine that only starts containers, until we give up
CROWDED_STARTS = 4  # of runc's processes at once; health checks have fewer
FULL_SHARE = 0.95
CREATE_SECONDS = 60.0
_DAEMON = "Error response from daemon: "


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """How starting the stack went."""

    report: StartReport
    began: float  # monotonic seconds
    refused: Mapping[str, str] = field(default_factory=dict)  # by service, the engine's reason
    problem: str = ""  # compose's own last line when it gave up


class _CrowdedError(Exception):
    """The machine was full for as long as CROWDED_SECONDS while containers were starting."""


def start_stack(
    stack: Stack,
    project: BoxProject,
    box: Box,
    outer: DockerClient,
    watch: Watch,
    run_: Run,
    *,
    environment: Mapping[str, str],
    timeout_seconds: float,
    say: Callable[[str], None],
) -> Start:
    """Start every service in dependency order and wait until all are ready.

    Services that fail are no error: the caller reads their states afterwards. Raises BootError when
    compose could not create a single container.
    """
    _create_externals(project, box)
    _write_project(project, box, run_)
    starter = _Starter(stack, box, watch, run_, environment, timeout_seconds, say)
    try:
        return starter.start()
    except _CrowdedError:
        say(f"memory was full while everything started at once: {PARALLEL} at a time now")
        return _start_again(starter, box, outer, watch)


def _start_again(starter: "_Starter", box: Box, outer: DockerClient, watch: Watch) -> Start:
    """Empty the box, which is stuck, and start the stack a few containers at a time.

    The cap is lifted meanwhile: the engine could not even remove a container. What is sampled in
    between does not count.
    """
    crowded, began = starter.unstarted(), starter.began
    with watch.pause():
        box.lift_cap(outer)
        _remove_all(box.client)
        box.restore_cap(outer)
    again = starter.anew(PARALLEL).start()
    report = StartReport(
        seconds=again.report.seconds,
        timed_out=again.report.timed_out,
        waited_for=again.report.waited_for,
        crowded=crowded,
        parallel=PARALLEL,
    )
    return Start(report=report, began=began, refused=again.refused, problem=again.problem)


def _remove_all(client: DockerClient) -> None:
    deadline = time.monotonic() + CREATE_SECONDS
    while time.monotonic() < deadline:
        with suppress(DockerException, RequestException):
            containers = client.api.containers(all=True, quiet=True)
            for container in containers:
                with suppress(DockerException):
                    client.api.remove_container(container["Id"], force=True, v=False)
            if not containers:
                return
        time.sleep(POLL_SECONDS)


class _Starter:
    """One attempt to bring the whole stack up."""

    def __init__(
        self,
        stack: Stack,
        box: Box,
        watch: Watch,
        run_: Run,
        environment: Mapping[str, str],
        timeout_seconds: float,
        say: Callable[[str], None],
        parallel: int = 0,  # services started at once; 0: all, as compose does
    ) -> None:
        self.stack = stack
        self.box = box
        self.watch = watch
        self.run = run_
        self.environment = environment
        self.timeout_seconds = timeout_seconds
        self.say = say
        self.parallel = parallel
        self.began = time.monotonic()
        self.deadline = self.began + timeout_seconds
        self.log = run_.directory / "up.log"
        self.containers: tuple[Container, ...] = ()
        self.refused: dict[str, str] = {}
        self._progress = ""
        self._full_since: float | None = None

    def anew(self, parallel: int) -> "_Starter":
        """Return the same attempt, begun now and with so many services at once."""
        return _Starter(
            self.stack,
            self.box,
            self.watch,
            self.run,
            self.environment,
            self.timeout_seconds,
            self.say,
            parallel,
        )

    def start(self) -> Start:
        """Bring up what can be brought up; again without a service that made compose give up."""
        problem, names, timed_out = "", tuple(s.name for s in self.stack.services), False
        while names:
            code, timed_out = self._up_in_groups(names)
            if timed_out or code == 0:
                break
            problem = tail(self.log.read_text(errors="replace"), 1)
            self.refused |= dict(self._find_refused(names))
            rest = tuple(self._startable())
            if rest == names:
                break
            names = rest
        if not self.containers and (
            not self.refused or len(self.refused) > len(set(self.refused.values()))
        ):  # nothing at all: what is refused to several alike is no fault of theirs
            raise self._nothing_started()
        return Start(
            report=StartReport(
                seconds=round(time.monotonic() - self.began, 1),
                timed_out=timed_out,
                waited_for=tuple(self._not_ready()) if timed_out else (),
            ),
            began=self.began,
            refused=self.refused,
            problem=problem,
        )

    def unstarted(self) -> int:
        """Return how many containers were not up yet."""
        expected = sum(service.replicas for service in self.stack.services)
        return expected - sum(container.ready for container in self.containers)

    def _up_in_groups(self, names: Sequence[str]) -> tuple[int, bool]:
        """Run `docker compose up` for all services, or for a few after the other.

        Compose has no option for that: its COMPOSE_PARALLEL_LIMIT holds for pulls and builds.
        """
        if self.parallel:
            names = sorted(names, key=lambda name: len(self.stack.needs(name)))
            for at in range(0, len(names) - self.parallel, self.parallel):
                code, timed_out = self._up(names[at : at + self.parallel], settle=False)
                if code != 0 or timed_out:
                    return code, timed_out
        return self._up(names)

    def _up(self, names: Sequence[str], *, settle: bool = True) -> tuple[int, bool]:
        """Run `docker compose up` and wait: its exit code, and whether the time ran out."""
        with self.log.open("wb") as output:
            child = spawn(
                [*self._compose(), "up", "--detach", "--no-build", "--pull", "never", *names],
                env={**self.environment, **self.box.environment},
                stdout=output,
                stderr=output,
            )
        try:
            while time.monotonic() < self.deadline:
                ended = child.poll() is not None
                self._look(child)
                if ended and child.returncode != 0:
                    return child.returncode, False
                if ended and (not settle or self._settled()):
                    return 0, False
                time.sleep(POLL_SECONDS)
            return child.poll() or 0, child.poll() is None or bool(list(self._not_ready()))
        finally:
            close(child)

    def _look(self, child: Popen[bytes]) -> None:
        """Read the containers' states; _CrowdedError when the machine is stuck in its start."""
        self._check_crowded(child)
        try:
            self.containers = list_containers(self.box.client)
        except (DockerException, RequestException):
            self.say("the engine inside the box does not answer")
            return
        expected = sum(service.replicas for service in self.stack.services)
        text = f"{sum(one.ready for one in self.containers)}/{expected} services ready"
        if text != self._progress:
            self.say(text)
            self._progress = text

    def _check_crowded(self, child: Popen[bytes]) -> None:
        if self.parallel:
            return
        now = time.monotonic()
        recent = self.watch.between(now - 1.5, now)
        if not recent or not all(map(self._is_crowded, recent)):
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now
        failed = child.poll() not in (None, 0)
        since = self.watch.between(self.began, now)
        if failed and any(map(self._is_crowded, since)):
            raise _CrowdedError
        if self._full_since is not None and now - self._full_since >= CROWDED_SECONDS:
            raise _CrowdedError

    def _is_crowded(self, one: Pass) -> bool:
        starting = one.engine[RUNC].processes if RUNC in one.engine else 0
        full = one.box.unreclaimable >= FULL_SHARE * self.box.cap_bytes
        return full and starting >= CROWDED_STARTS

    def _settled(self) -> bool:
        """Tell whether waiting longer would change nothing."""
        return not any(one.state is ServiceState.NOT_READY for one in self.containers)

    def _not_ready(self) -> Iterator[str]:
        """Name the services that the wait was for: not those that wait for another service."""
        states = self._states()
        for service in self.stack.services:
            if states[service.name] is ServiceState.NOT_READY:
                yield service.name

    def _states(self) -> dict[str, ServiceState]:
        return {
            service.name: ServiceState.REFUSED
            if service.name in self.refused
            else worst_state([c.state for c in self.containers if c.service == service.name])
            for service in self.stack.services
        }

    def _startable(self) -> Iterator[str]:
        """Name the services that depend on none that failed, directly or through others."""
        states = self._states()
        for service in self.stack.services:
            needed = (service.name, *self.stack.needs(service.name))
            if not any(states.get(name) in FAILED for name in needed):
                yield service.name

    def _find_refused(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Create what compose has not created, each by itself: the engine says why it refuses."""
        with suppress(DockerException, RequestException):
            self.containers = list_containers(self.box.client)
        created = {container.service for container in self.containers}
        for name in names:
            if name in created or name in self.refused:
                continue
            done = run(
                [
                    *self._compose(),
                    *("up", "--no-start", "--no-deps", "--no-build", "--pull", "never", name),
                ],
                env={**self.environment, **self.box.environment},
                timeout_seconds=CREATE_SECONDS,
                check=False,
            )
            if done.code != 0:
                yield name, _reason(done.stderr or done.stdout)

    def _compose(self) -> list[str]:
        resolved = str(self.run.directory / PROJECT_FILE)
        return [
            *("docker", "compose", "--project-name", self.stack.name),
            *("--project-directory", self.stack.directory, "--file", resolved),
        ]

    def _nothing_started(self) -> BootError:
        return BootError(
            "docker compose could not create the stack in the box",
            command="docker compose up",
            advice="does `docker compose up` work on this machine?",
            detail=tail(self.log.read_text(errors="replace")),
        )


def _reason(output: str) -> str:
    """Return the engine's own reason in compose's output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if _DAEMON in line), max(0, len(lines) - 1))
    text = " ".join(lines[at:])
    return text.partition(_DAEMON)[2] or text


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


def _write_project(project: BoxProject, box: Box, run_: Run) -> None:
    resolved = run_.directory / PROJECT_FILE
    resolved.touch(mode=0o600)
    resolved.write_text(dump_config(raise_oom_scores(project.config, box.oom_score_shift)))
