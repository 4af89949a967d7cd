"""The box as a machine: the nested engine, its sampler, the stack in it and the load beside it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BootError, ConfigError, EngineError
from onegig.machine.machine import BootPlan, Start
from onegig.machine.nested import NestedEngine, open_nested
from onegig.machine.nesting import HostPrograms
from onegig.machine.project import BoxProject, prepare_project
from onegig.machine.start import start_stack
from onegig.machine.watch import Watch, watch_box
from onegig.model.budgets import Load
from onegig.model.stack import Stack

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
        self.load = load.description
        self._load = load
        self.engine, self.mode = nested.engine, nested.mode
        self.cap_bytes, self.remarks = nested.cap_bytes, nested.remarks
        self.lift_cap = nested.limit

    def start_stack(self) -> Start:
        """Start the stack and wait until it is ready; BootError when nothing could start."""
        return start_stack(self.plan, self.project, self.nested, self.watch)

    def log(self) -> str:
        """Return the box's own log."""
        return self.nested.log.read_text(errors="replace")

    def load_problem(self) -> str:
        """Say why the load did not do its work; "" if it did, or ended and was repeated."""
        load, outer = self._load, self.plan.engine
        codes = outer.exit_codes(load.container, load.started) if load.container else []
        failures = [code for code in codes if code != 0]
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
        watch_box(
            plan.engine,
            plan.run,
            pid=nested.pid,
            hz=plan.budgets.measure.hz,
            host_programs=nested.mode == HostPrograms.mode,
        ) as watch,
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
