"""Starting the stack inside the box: all of it, as `docker compose up` would, or what can start.

Compose gives up as a whole when one service fails. Here the services that do not depend on it are
started anyway, so that the report speaks of each of them. A start that fills the machine by
itself, because compose starts everything at once, is repeated with a few at a time.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from subprocess import Popen
from typing import Protocol

from onegig.engine import compose
from onegig.engine.engine import Engine
from onegig.errors import BootError, EngineError
from onegig.machine.machine import BootPlan, Container, Start, list_containers, worst_state
from onegig.machine.project import BoxProject, raise_oom_scores
from onegig.machine.sampler import Pass
from onegig.machine.watch import Watch
from onegig.model.memory import RUNTIMES
from onegig.model.memory import Start as StartReport
from onegig.model.service import FAILED, ServiceState
from onegig.model.stack import dump_config
from onegig.process import CommandError, close, run, spawn, tail

PROJECT_FILE = "compose.json"
PARALLEL = 3  # containers started at once after a start that filled the machine
POLL_SECONDS = 0.25
CROWDED_SECONDS = 10.0  # of a full machine that only starts containers, until we give up
CROWDED_STARTS = 4  # of runc's processes at once; health checks usually have fewer
# A machine is full if so much is in use and processes wait for memory so much of the time: what
# could be reclaimed then are pages of the programs that run. The other share is for kernels
# without PSI.
THRASHING_SHARE, STALLED_SHARE = 0.85, 0.5
FULL_SHARE = 0.95
CREATE_SECONDS = 60.0
_DAEMON = "Error response from daemon: "
_AS_IT_IS = ("--no-build", "--pull", "never")


class Bootable(Protocol):
    """A machine with an engine that waits for its stack."""

    @property
    def engine(self) -> Engine:
        """Return the engine inside."""

    @property
    def cap_bytes(self) -> int:
        """Return the memory that engine and stack may take."""

    @property
    def oom_score_shift(self) -> int:
        """Return the amount by which the services' OOM scores are raised."""

    def clear(self) -> None:
        """Remove all containers of a machine that is full, as far as that is possible."""


class _CrowdedError(Exception):
    """The machine was full for as long as CROWDED_SECONDS while containers were starting."""


def start_stack(plan: BootPlan, project: BoxProject, box: Bootable, watch: Watch) -> Start:
    """Start every service in dependency order and wait until all are ready.

    Services that fail are no error: the caller reads their states afterwards. Raises BootError when
    compose could not create a single container.
    """
    _create_externals(project, box.engine)
    file = plan.run.directory / PROJECT_FILE
    file.touch(mode=0o600)
    file.write_text(dump_config(raise_oom_scores(project.config, box.oom_score_shift)))
    starter = _Starter(plan, box, watch, parallel=plan.parallel)
    try:
        start = starter.start()
        return replace(start, report=replace(start.report, parallel=plan.parallel))
    except _CrowdedError:
        plan.say(
            f"memory was full while everything started at once; now starting {PARALLEL} at a time"
        )
    with watch.pause():
        box.clear()
    again = _Starter(plan, box, watch, parallel=PARALLEL).start()
    report = replace(again.report, crowded=starter.unstarted(), parallel=PARALLEL)
    return replace(again, report=report, began=starter.began)


def _create_externals(project: BoxProject, engine: Engine) -> None:
    """Create the networks and volumes that the project expects to exist, inside the box."""
    for network in project.networks:
        pools = [(subnet.subnet, subnet.dynamic, subnet.gateway) for subnet in network.subnets]
        engine.create_network(network.name, pools, ipv6=network.has_ipv6)
    for volume in project.volumes:
        engine.create_volume(volume)


class _Starter:
    """One attempt to bring the whole stack up."""

    def __init__(
        self,
        plan: BootPlan,
        box: Bootable,
        watch: Watch,
        parallel: int,  # services started at once; 0: all, as compose does
    ) -> None:
        self.stack = plan.stack
        self.say = plan.say
        self.box = box
        self.watch = watch
        self.parallel = parallel
        load = plan.budgets.load
        self.environment = {**dict(load.environment if load else ()), **box.engine.environment}
        self.compose = compose(
            *("--project-name", self.stack.name, "--project-directory", self.stack.directory),
            *("--file", str(plan.run.directory / PROJECT_FILE), "up"),
        )
        self.log = plan.run.directory / "up.log"
        self.began = time.monotonic()
        self.deadline = self.began + plan.budgets.measure.healthy_timeout_seconds
        self.containers: tuple[Container, ...] = ()
        self.refused: dict[str, str] = {}
        self._progress = ""
        self._unanswered = False  # when asked last

    def start(self) -> Start:
        """Start every service that can be started; retry without one that made compose give up."""
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
            raise self._nothing_created(timed_out=timed_out)
        seconds = round(time.monotonic() - self.began, 1)
        late = tuple(self._not_ready()) if timed_out else ()
        report = StartReport(seconds=seconds, timed_out=timed_out, waited_for=late)
        return Start(report=report, began=self.began, refused=self.refused, problem=problem)

    def _nothing_created(self, *, timed_out: bool) -> BootError:
        message = "docker compose could not create the stack"
        advice = "try `docker compose up` on this machine"
        if timed_out or self._unanswered:
            message = "docker compose created no container"
            if self._unanswered:
                message = "the engine of the stack did not answer"
            message += f" within {time.monotonic() - self.began:.0f} s"
            advice = "raise measure.healthy_timeout in budgets.yml, or find out what is so slow"
        return BootError(
            message,
            command="docker compose up",
            advice=advice,
            detail=tail(self.log.read_text(errors="replace")),
        )

    def unstarted(self) -> int:
        """Return the number of containers that were not up yet."""
        return self._expected() - sum(container.ready for container in self.containers)

    def _expected(self) -> int:
        return sum(service.replicas for service in self.stack.services)

    def _up_in_groups(self, names: Sequence[str]) -> tuple[int, bool]:
        """Run `docker compose up` for all services, or for a few after the other.

        Compose has no option for that: with COMPOSE_PARALLEL_LIMIT=3, 23 and 24 of 24 starts
        were under way at once (2.26.1 and 2.40.3). It holds for pulls and builds.
        """
        if self.parallel:
            names = sorted(names, key=lambda name: len(self.stack.needs(name)))
            for at in range(0, len(names) - self.parallel, self.parallel):
                code, timed_out = self._up(names[at : at + self.parallel], settle=False)
                if code != 0 or timed_out:
                    return code, timed_out
        return self._up(names)

    def _up(self, names: Sequence[str], *, settle: bool = True) -> tuple[int, bool]:
        """Run `docker compose up` and wait; return its exit code and whether the time ran out."""
        with self.log.open("wb") as output:
            command = [*self.compose, "--detach", *_AS_IT_IS, *names]
            child = spawn(command, env=self.environment, stdout=output, stderr=output)
        try:
            while time.monotonic() < self.deadline:
                ended, looked = child.poll() is not None, time.monotonic()
                self._look(child)
                if ended and child.returncode != 0:
                    return child.returncode, False
                states = {container.state for container in self.containers}
                if ended and (not settle or ServiceState.NOT_READY not in states):
                    return 0, False
                # answering takes the engine time, too: half of it is for the start
                time.sleep(max(POLL_SECONDS, time.monotonic() - looked))
            return child.poll() or 0, child.poll() is None or bool(list(self._not_ready()))
        finally:
            close(child)

    def _look(self, child: Popen[bytes]) -> None:
        """Read the containers' states; _CrowdedError if the machine is stuck while starting."""
        self._check_crowded(child)
        try:
            self.containers = list_containers(self.box.engine)
        except EngineError:
            self.say("the engine of the stack does not answer")
            self._unanswered = True
            return
        self._unanswered = False
        ready = sum(container.ready for container in self.containers)
        text = f"{ready}/{self._expected()} services ready"
        if text != self._progress:
            self.say(text)
            self._progress = text

    def _check_crowded(self, child: Popen[bytes]) -> None:
        if self.parallel:
            return
        now = time.monotonic()
        failed = child.poll() not in (None, 0)
        cap = self.box.cap_bytes
        if failed and any(is_crowded([each], cap) for each in self.watch.between(self.began, now)):
            raise _CrowdedError
        recent = self.watch.between(max(self.began, now - CROWDED_SECONDS), now)
        # a machine that is stuck is sampled less often
        lasted = recent[-1].time - recent[0].time if recent else 0.0
        if lasted >= CROWDED_SECONDS / 2 and is_crowded(recent, cap):
            raise _CrowdedError

    def _not_ready(self) -> Iterator[str]:
        """Name the services that were not ready, without those that wait for another service."""
        return (name for name, state in self._states().items() if state is ServiceState.NOT_READY)

    def _states(self) -> dict[str, ServiceState]:
        return {
            service.name: ServiceState.REFUSED
            if service.name in self.refused
            else worst_state([c.state for c in self.containers if c.service == service.name])
            for service in self.stack.services
        }

    def _startable(self) -> Iterator[str]:
        """Return the services that do not depend on a failed one, directly or indirectly."""
        states = self._states()
        for name in states:
            if not any(states.get(needed) in FAILED for needed in (name, *self.stack.needs(name))):
                yield name

    def _find_refused(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Create missing containers one by one, to get the engine's reason for refusing.

        Those that it leaves unanswered, and the rest after the deadline, get none.
        """
        with suppress(EngineError):
            self.containers = list_containers(self.box.engine)
        created = {container.service for container in self.containers}
        for name in names:
            left = self.deadline - time.monotonic()
            if name in created or name in self.refused or left <= 0:
                continue
            try:
                done = run(
                    [*self.compose, "--no-start", "--no-deps", *_AS_IT_IS, name],
                    env=self.environment,
                    timeout_seconds=min(CREATE_SECONDS, left),
                    check=False,
                )
            except CommandError:  # it took longer
                self._unanswered = True
                continue
            if done.code != 0:
                yield name, _reason(done.stderr or done.stdout)


def is_crowded(passes: Sequence[Pass], cap_bytes: int) -> bool:
    """Return whether containers that were starting filled the memory during all of these passes."""
    stalled = _stalled_share(passes)
    if stalled is not None and stalled < STALLED_SHARE:
        return False
    full_bytes = (FULL_SHARE if stalled is None else THRASHING_SHARE) * cap_bytes
    return all(
        _used(sample) >= full_bytes and _starting(sample) >= CROWDED_STARTS for sample in passes
    )


def _stalled_share(passes: Sequence[Pass]) -> float | None:
    """Return the share of the time in which a process waited for memory; None if not known."""
    first, last = passes[0], passes[-1]
    if first.pressure is None or last.pressure is None or last.time <= first.time:
        return None
    return last.pressure.since(first.pressure).some / 1e6 / (last.time - first.time)


def _used(sample: Pass) -> int:
    """Return what can't be reclaimed; of a whole machine, with its operating system."""
    machine = sample.machine
    return machine.total - machine.available if machine else sample.box.unreclaimable


def _starting(sample: Pass) -> int:
    return sum(sample.engine[name].processes for name in RUNTIMES if name in sample.engine)


def _reason(output: str) -> str:
    """Return the engine's own reason in compose's output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if _DAEMON in line), max(0, len(lines) - 1))
    text = " ".join(lines[at:])
    return text.partition(_DAEMON)[2] or text
