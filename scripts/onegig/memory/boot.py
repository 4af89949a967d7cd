"""One boot of a stack: machine, load, start, settle, windows; ends in a MemoryReport.

The machine is gone afterwards. What kind of machine it is, and how large, stands in the plan: a
boot of another size or speed is the same boot with another plan.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from onegig.errors import EngineError, MeasureError
from onegig.machine.machine import (
    BootPlan,
    Container,
    Machine,
    Start,
    list_containers,
    open_machine,
)
from onegig.machine.sampler import Pass
from onegig.memory.figures import Figures, Observation, take_figures
from onegig.memory.reboot import reboot_stack
from onegig.memory.summary import (
    summarise_boot,
    summarise_box,
    summarise_engine,
    summarise_samples,
    summarise_services,
    summarise_windows,
)
from onegig.memory.twin import summarise_twin
from onegig.model.measured import Environment
from onegig.model.measuring import Measure
from onegig.model.memory import MemoryReport, Window
from onegig.model.service import ServiceState
from onegig.model.stack import unescape
from onegig.model.twin import NO_TWIN
from onegig.redis.stack import audit_stack

LOG_LINES = 15  # of a service that failed
ENOUGH_PASSES = 0.5  # of those the window should have had
OLD_SECONDS = 1.0  # processes read longer ago than that are mentioned
RETRY_SECONDS = 30.0  # for services that restart until what they need is there
NO_ANSWER = "the engine of the stack stopped answering"
LEAST_SECONDS = 2.0  # of quiet before a service that was restarted counts as up

Containers = Sequence[Container] | None  # None: the engine does not answer


def boot(plan: BootPlan, environment: Environment) -> MemoryReport:
    """Boot the stack on the machine that was planned, under load, and measure it.

    Raises BootError when machine or stack cannot start, MeasureError when nothing was sampled.
    """
    with open_machine(plan, plan.budgets.machine) as machine:
        plan = machine.plan
        start, seconds = machine.start_stack(), plan.budgets.measure.settle_seconds
        before = settle(lambda: _containers(machine), seconds, plan.say) or ()
        machine.rest()
        windows = _take_windows(machine, plan)
        parts = machine.watch.read_parts() if windows else {}
        machine.lift_cap()
        seen = replace(_observe(machine, start, before, windows), parts=parts)
        report = _report(seen, plan, machine, environment)
        if plan.audit:
            project = unescape(json.loads(plan.stack.config_json))
            report = replace(report, redis=audit_stack(machine, project))
        if not plan.reboot or machine.twin is None:
            return report
        metric = plan.budgets.memory.metric
        rebooted = reboot_stack(
            machine, seen.containers, metric, lambda: _containers(machine) or ()
        )
        return replace(report, reboot=rebooted)


def settle(
    look: Callable[[], Containers],
    seconds: float,
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Containers:
    """Wait `seconds`, and on while services restart, for RETRY_SECONDS at most.

    Between two attempts a service looks up for a moment: only a stretch without a restart tells
    that it is. Return the containers as they are at the end.
    """
    say(f"settling for {seconds:g} s")
    deadline = clock() + max(seconds, RETRY_SECONDS)
    before, waiting = look(), ""
    sleep(seconds)
    after = look()
    while names := _restarting(before, after):
        if clock() >= deadline:
            break
        if names != waiting:
            say(f"waiting for {names}: restarting")
            waiting = names
        before = after
        sleep(min(max(seconds, LEAST_SECONDS), max(0.0, deadline - clock())))
        after = look()
    return after


def _restarting(before: Containers, after: Containers) -> str:
    """Name the services that were restarted in between, or wait for their next attempt."""
    if before is None or after is None:
        return ""
    counts = {container.container_id: container.restarts for container in before}
    names = [
        container.service
        for container in after
        if container.status == "restarting"
        or container.restarts > counts.get(container.container_id, 0)
    ]
    return ", ".join(dict.fromkeys(names))


def _take_windows(machine: Machine, plan: BootPlan) -> tuple[Sequence[Pass], ...]:
    """Return the passes of each window; fewer windows when the machine was gone by then."""
    measured, windows = plan.budgets.measure, list[Sequence[Pass]]()
    planned, seconds = measured.windows, measured.window_seconds
    while len(windows) < planned:
        title = "measuring" if planned == 1 else f"measuring window {len(windows) + 1} of {planned}"
        plan.say(f"{title} for {seconds:g} s at {measured.hz:g} Hz")
        opened = time.monotonic()
        time.sleep(seconds)
        passes = machine.watch.between(opened, time.monotonic())
        if not passes:
            break
        windows.append(passes)
    return tuple(windows)


def _observe(
    machine: Machine,
    start: Start,
    before: Sequence[Container],
    windows: tuple[Sequence[Pass], ...],
) -> Observation:
    if not windows:
        message = "the machine was gone before it could be measured"
        raise MeasureError(message, advice="its own log:", detail=machine.log())
    containers = _containers(machine)
    return Observation(
        passes=machine.watch.between(0, windows[-1][-1].time),
        windows=windows,
        containers=containers or (),
        answered=containers is not None,
        restarts_before={container.container_id: container.restarts for container in before},
        logs={
            container.service: _log(machine, container)
            for container in containers or ()
            if not container.ready or container.restarts or container.state is ServiceState.STOPPED
        },
        start=start,
    )


def _containers(machine: Machine) -> tuple[Container, ...] | None:
    with suppress(EngineError):
        return list_containers(machine.engine)
    return None


def _log(machine: Machine, container: Container) -> str:
    with suppress(EngineError):  # its log driver may keep none
        return machine.engine.log(container.container_id, LOG_LINES)
    return ""


def _gaps(figures: Figures, plan: Measure) -> list[str]:
    """List the gaps in the numbers."""
    gaps, seen = [], figures.seen
    if not seen.answered:
        gaps.append(NO_ANSWER)
    if len(seen.windows) < plan.windows:
        gaps.append(f"the machine was gone after {len(seen.windows)} of {plan.windows} windows")
    expected = plan.hz * plan.window_seconds
    fewest = min(len(window) for window in seen.windows)
    if fewest < expected * ENOUGH_PASSES:
        gaps.append(f"only {fewest} of {expected:.0f} samples could be taken in time")
    unreadable = max(window.unreadable for window in figures.windows)
    if unreadable:
        gaps.append(f"the memory of {unreadable} processes could not be read")
    return gaps


def _notes(figures: Figures, machine: Machine) -> tuple[str, ...]:
    """List differences from the machine that is simulated, each once."""
    notes = [*figures.stack.warnings, *machine.remarks]
    age = max(window.age_seconds for window in figures.windows)
    if age > OLD_SECONDS:
        notes.append(
            f"this machine is slow: memory figures of processes were up to {age:.1f} s old"
        )
    return tuple(dict.fromkeys(notes))


def _report(
    seen: Observation, plan: BootPlan, machine: Machine, environment: Environment
) -> MemoryReport:
    stack, measured, metric = plan.stack, plan.budgets.measure, plan.budgets.memory.metric
    figures = take_figures(seen, stack, metric)
    problems = (machine.load_problem(), *_gaps(figures, measured))
    facts = machine.twin
    return MemoryReport(
        environment=environment,
        window=Window(
            metric=metric,
            settle_seconds=measured.settle_seconds,
            seconds=measured.window_seconds,
            hz=measured.hz,
            samples=len(figures.window.totals),
            boot_seconds=seen.start.report.seconds,
            load=machine.load,
        ),
        box=summarise_box(figures, mode=machine.mode, cap_bytes=machine.cap_bytes),
        engine=summarise_engine(figures),
        services=summarise_services(figures),
        samples=summarise_samples(figures),
        incomplete=tuple(filter(None, problems)),
        stack=stack.name,
        windows=summarise_windows(figures.windows),
        boot=summarise_boot(figures),
        start=seen.start.report,
        notes=_notes(figures, machine),
        settings=machine.settings,
        engine_kind=plan.budgets.engine,
        twin=summarise_twin(figures, facts, plan.budgets, plan.sold_bytes) if facts else NO_TWIN,
    )
