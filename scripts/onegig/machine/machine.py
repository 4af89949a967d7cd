"""The machine that a stack is booted on, as an interface: box and twin implement it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.machine.project import box_references
from onegig.machine.sampler import Pass
from onegig.machine.watch import Watch
from onegig.model.budgets import Budgets
from onegig.model.memory import Start as StartReport
from onegig.model.service import READY, ServiceState
from onegig.model.settings import UNKNOWN, Settings
from onegig.model.stack import Stack
from onegig.model.twin import Guest

MACHINES = {
    "box": "onegig.machine.box",
    "twin": "onegig.machine.twin.machine",
}  # modules with `open_machine(plan)`
HEALTH_LOG_LENGTH = 300  # of the end, in whole lines where possible: there the error stands
SERVICE_LABEL = "com.docker.compose.service"
_STAYS_UP = ("always", "unless-stopped")
# The engine's words for a start whose client is gone: compose gives up all others when one fails.
_CANCELLED = "context canceled"


@dataclass(frozen=True, kw_only=True, slots=True)
class BootPlan:
    """The stack to boot, and the size of the machine for it. `engine` is this machine's own."""

    engine: Engine
    run: Run
    stack: Stack
    budgets: Budgets
    cap_bytes: int  # what engine and stack may take
    memtotal_bytes: int  # what the stack sees
    sold_bytes: int  # the same as clouds sell it: with what the kernel reserves
    reboot: bool = False  # at the end, where the machine can be
    audit: bool = False  # each Redis of the stack, at the end
    say: Callable[[str], None]
    vcpus: int = 0  # processors that the stack sees; 0: as many as there are
    cpus: float = 0.0  # so many processors' worth of work the machine may do; 0: all
    settings: Settings = UNKNOWN  # of the tier's image, to apply if that can be done
    parallel: int = 0  # containers to start at once; 0: all, as compose does


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The course of the stack's start."""

    report: StartReport
    began: float  # monotonic seconds
    refused: Mapping[str, str] = field(default_factory=dict)  # by service, the engine's reason
    problem: str = ""  # compose's own last line when it gave up


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """One container of the stack as the machine's engine sees it."""

    container_id: str
    service: str
    status: str  # created, running, paused, restarting, exited, dead
    health: str  # healthy, unhealthy, starting, "" without a health check
    exit_code: int
    restarts: int
    error: str  # why the engine could not start it
    health_log: str = ""  # what the last failing health check printed
    comes_back: bool = False  # the engine starts it by itself after a reboot
    stays_up: bool = False  # has ports, a health check or restarts always: not a job

    @property
    def state(self) -> ServiceState:
        """Return the service's state that follows from this container's."""
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
        """Return whether it is up and healthy (if it has a health check), or completed."""
        return self.state in READY


@dataclass(frozen=True, kw_only=True, slots=True)
class TwinFacts:
    """Figures that only a virtual machine has. The passes are those of an idle machine."""

    guest: Guest
    before: Pass  # without an engine; from then on each pass's `machine.available_before` is its
    idle: Pass  # with the engine, without a container


class Machine(Protocol):
    """A running machine under load, sampled all the time."""

    plan: BootPlan  # with the time limits and the samples that are possible on this machine
    engine: Engine  # inside
    mode: str  # how it describes itself in the report
    cap_bytes: int
    watch: Watch
    load: str  # the load's command, "" for an idle stack
    remarks: tuple[str, ...]  # what is different from the machine that it stands for
    twin: TwinFacts | None  # None: a box
    settings: Settings  # that hold inside

    def start_stack(self) -> Start:
        """Start the stack and wait until it is ready; BootError when nothing could start."""

    def lift_cap(self) -> None:
        """Give the machine room, so that its engine can say what happened."""

    def rest(self) -> None:
        """Wait until the engine has no client any more, not even onegig."""

    def load_problem(self) -> str:
        """Return why the load did not do its work, or "" if it did."""

    def log(self) -> str:
        """Return the machine's own log."""

    def reboot(self) -> tuple[float, float]:
        """Reboot; return when it began and when the engine answered again (monotonic seconds).

        Raises MeasureError when the engine does not come back, and on a box.
        """


def open_machine(plan: BootPlan, kind: str = "box") -> AbstractContextManager[Machine]:
    """Return a machine of that kind, up for as long as its block and gone afterwards."""
    opened = import_module(MACHINES[kind]).open_machine(plan)
    return cast(AbstractContextManager[Machine], opened)


def names_inside(images: Sequence[str]) -> dict[str, str]:
    """Map images given by digest or id to the names by which a machine's engine knows them."""
    return box_references(images)


def list_containers(engine: Engine) -> tuple[Container, ...]:
    """Return every container of the stack, by service name; EngineError without an answer."""
    containers = map(parse_container, engine.inspect(SERVICE_LABEL))
    return tuple(sorted(containers, key=lambda c: (c.service, c.container_id)))


def parse_container(inspected: Mapping[str, Any]) -> Container:
    """Parse the output of `docker inspect` for a container."""
    state, config = inspected["State"], inspected["Config"]
    host = inspected.get("HostConfig") or {}
    health: Mapping[str, Any] = state.get("Health") or {}
    test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    policy = (host.get("RestartPolicy") or {}).get("Name", "")
    return Container(
        container_id=inspected["Id"],
        service=config["Labels"][SERVICE_LABEL],
        status=state["Status"],
        health=str(health.get("Status", "")).replace("none", ""),
        exit_code=state["ExitCode"],
        restarts=inspected["RestartCount"],
        error="" if _CANCELLED in state.get("Error", "") else state.get("Error", ""),
        health_log=_health_log(health),
        comes_back=policy in _STAYS_UP,
        stays_up=bool(host.get("PortBindings") or test[0] != "NONE" or policy in _STAYS_UP),
    )


def worst_state(states: Sequence[ServiceState]) -> ServiceState:
    """Return the worst of the states of a service's containers; WAITING if there are none."""
    return min(states, key=list(ServiceState).index, default=ServiceState.WAITING)


def _health_log(health: Mapping[str, Any]) -> str:
    failures = [entry for entry in health.get("Log") or () if entry.get("ExitCode")]
    if not failures:
        return ""
    latest = max(failures, key=lambda entry: str(entry.get("Start", ""))[:19])  # RFC 3339
    output = str(latest.get("Output", "")).strip()
    if len(output) > HEALTH_LOG_LENGTH:
        end = output[-HEALTH_LOG_LENGTH:]
        output = f"… {end.partition(chr(10))[2] or end}"
    code = latest["ExitCode"]
    if code == -1:  # the engine's own words: the time limit, or it could not be run
        return output or "the health check could not be run"
    return f"health check exit code {code}" + (f": {output}" if output else "")
