"""The box as a machine: the nested engine, its sampler, the stack in it and the load beside it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BootError, ConfigError, EngineError
from onegig.machine.machine import BootPlan, Container, Start, list_containers
from onegig.machine.nested import NestedEngine, open_nested
from onegig.machine.project import BoxProject, prepare_project
from onegig.machine.sampler import Pass
from onegig.machine.start import start_stack
from onegig.machine.watch import Watch, watch_box
from onegig.model.budgets import Load
from onegig.model.stack import Stack

LOG_LINES = 15
LOAD_LOG_LINES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningLoad:
    """A load that was started, or none at all."""

    description: str = ""
    container: str = ""
    started: float = 0.0  # seconds since the epoch


class Box:
    """A Machine; see open_machine."""

    def __init__(
        self,
        plan: BootPlan,
        project: BoxProject,
        nested: NestedEngine,
        watch: Watch,
        load: RunningLoad,
    ) -> None:
        self.plan = plan
        self.project = project
        self.nested = nested
        self.watch = watch
        self.mode, self.cap_bytes = nested.mode, nested.cap_bytes
        self.load, self._load = load.description, load

    @property
    def engine(self) -> Engine:
        """Return the engine inside the box."""
        return self.nested.engine

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what is different from the machine that the box stands for."""
        return self.nested.remarks

    @property
    def log(self) -> str:
        """Return the box's own log."""
        return self.nested.log.read_text(errors="replace")

    def start_stack(self) -> Start:
        """Start the stack and wait until it is ready; BootError when nothing could start."""
        return start_stack(self.plan, self.project, self.nested, self.watch)

    def containers(self) -> tuple[Container, ...] | None:
        """Return those of the stack; None when the engine in the box does not answer."""
        try:
            return list_containers(self.engine)
        except EngineError:
            return None

    def passes(self, opened: float, closed: float) -> tuple[Pass, ...]:
        """Return what was sampled between two times of the monotonic clock."""
        return self.watch.between(opened, closed)

    def lift_cap(self) -> None:
        """Give the box room, so that its engine can say what happened."""
        self.nested.lift_cap()

    def log_of(self, container: Container) -> str:
        """Return the last lines a container printed; "" where its log driver keeps none."""
        with suppress(EngineError):
            return self.engine.log(container.container_id, LOG_LINES)
        return ""

    def load_problem(self) -> str:
        """Say why the load did not do its work; "" if it did, or ended and was repeated."""
        load, outer = self._load, self.plan.engine
        if not load.container:
            return ""
        failures = [code for code in outer.exit_codes(load.container, load.started) if code != 0]
        if not failures:
            return ""
        output = outer.log(load.container, LOAD_LOG_LINES).strip()
        return f"the load `{load.description}` failed (exit {failures[0]}): {output}"


@contextmanager
def open_machine(plan: BootPlan) -> Iterator[Box]:
    """Yield a box in which the stack's images are, sampled and under load; gone afterwards.

    Raises BootError and EngineError where no engine can be nested, ConfigError for a load whose
    service is not in the stack.
    """
    project = prepare_project(
        json.loads(plan.stack.config_json),
        directory=plan.stack.directory,
        machine_bytes=plan.memtotal_bytes,
        architecture=plan.engine.architecture,
    )
    with (
        open_nested(
            plan.engine,
            plan.run,
            images=plan.stack.images,
            project=project,
            cap_bytes=plan.cap_bytes,
            say=plan.say,
        ) as nested,
        watch_box(nested, plan.run, plan.budgets.measure.hz) as watch,
        _apply_load(plan.engine, plan.budgets.load, plan.stack, nested, plan.run) as load,
    ):
        yield Box(plan, project, nested, watch, load)


@contextmanager
def _apply_load(
    outer: Engine, load: Load | None, stack: Stack, nested: NestedEngine, run: Run
) -> Iterator[RunningLoad]:
    """Run the load in the box's network but outside its cap, again whenever it is over."""
    if load is None:
        yield RunningLoad()
        return
    image = next((s.image for s in stack.services if s.name == load.service), None)
    if image is None:
        raise ConfigError(
            f"load.service: the stack has no service {load.service!r}",
            advice=f"services: {', '.join(s.name for s in stack.services)}",
        )
    started, command = time.time(), " ".join(load.words)
    try:
        container = outer.start(
            image,
            load.words,
            f"{run.name}-load",
            labels=run.labels,
            network_mode=f"container:{nested.container}",
            cap_drop=["ALL"],
            read_only=True,
            tmpfs={"/tmp": "size=64m"},  # noqa: S108 - in the container
            restart_policy={"Name": "always"},
        )
    except EngineError as error:
        raise BootError(
            f"the load could not be started: {error.message}",
            command=command,
            advice="load.command in budgets.yml runs in the image of load.service",
        ) from error
    description = f"{load.service}: {command}"
    try:
        yield RunningLoad(description=description, container=container, started=started)
    finally:
        outer.remove(container)
