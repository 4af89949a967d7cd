"""`measure`: box, load, stack, settle, window; ends in a MemoryReport and an empty machine."""

import time
from collections.abc import Callable

from docker import DockerClient
from docker.errors import DockerException
from requests import RequestException

from onegig.errors import MeasureError
from onegig.memory.box import Box, open_box
from onegig.memory.load import apply_load
from onegig.memory.stack import Start, list_containers, read_log, start_stack
from onegig.memory.summary import (
    Observation,
    summarise_box,
    summarise_engine,
    summarise_samples,
    summarise_services,
)
from onegig.memory.watch import Watch, watch_box
from onegig.model.budgets import Budgets
from onegig.model.environment import Environment
from onegig.model.memory import MemoryReport, ServiceState, Window
from onegig.model.stack import Stack
from onegig.owned import Run

ENOUGH_PASSES = 0.5  # of those the window should have had


def measure(
    client: DockerClient,
    stack: Stack,
    budgets: Budgets,
    environment: Environment,
    run_: Run,
    say: Callable[[str], None],
) -> MemoryReport:
    """Boot the stack in the box under load and measure it.

    Raises BootError when box or stack cannot start at all, MeasureError when nothing was sampled.
    """
    cap = budgets.memory.limit_bytes
    with (
        open_box(
            client, run_, images=stack.images, project=stack.directory, cap_bytes=cap, say=say
        ) as box,
        watch_box(box, run_, budgets.measure.hz) as watch,
        apply_load(client, budgets.load, stack, box, run_) as load,
    ):
        start = start_stack(
            stack,
            box,
            run_,
            environment=dict(budgets.load.environment) if budgets.load else {},
            timeout_seconds=budgets.measure.healthy_timeout_seconds,
            say=say,
        )
        opened, closed = _wait(budgets, say)
        box.lift_cap(client)
        seen = _observe(box, watch, opened, closed)
        window = _window(budgets, seen, start.seconds, load.description)
        gaps = _gaps(seen, stack, window.hz * window.seconds)
        problems = tuple(filter(None, (load.problem(), *_never_started(seen, start), *gaps)))
        return _report(seen, stack, budgets, box, window, environment, problems)


def _wait(budgets: Budgets, say: Callable[[str], None]) -> tuple[float, float]:
    """Let the stack settle, then let the window pass: when it opened and closed."""
    plan = budgets.measure
    say(f"settling for {plan.settle_seconds:g} s")
    time.sleep(plan.settle_seconds)
    say(f"measuring for {plan.window_seconds:g} s at {plan.hz:g} Hz")
    opened = time.monotonic()
    time.sleep(plan.window_seconds)
    return opened, time.monotonic()


def _window(budgets: Budgets, seen: Observation, boot_seconds: float, load: str) -> Window:
    return Window(
        metric=budgets.memory.metric,
        settle_seconds=budgets.measure.settle_seconds,
        seconds=budgets.measure.window_seconds,
        hz=budgets.measure.hz,
        samples=len(seen.window),
        boot_seconds=round(boot_seconds, 1),
        load=load,
    )


def _observe(box: Box, watch: Watch, opened: float, closed: float) -> Observation:
    window = watch.between(opened, closed)
    if not window:
        raise MeasureError(
            "the box was gone before it could be measured",
            advice="the box's own log:",
            detail=box.log.read_text(errors="replace"),
        )
    try:
        containers = list_containers(box.client)
        logs = {c.service: read_log(box.client, c) for c in containers if not c.ready}
    except (DockerException, RequestException):
        containers, logs = (), {}
    return Observation(
        passes=watch.between(0, closed), window=window, containers=containers, logs=logs
    )


def _never_started(seen: Observation, start: Start) -> list[str]:
    """Why compose left services out, where none of them says so itself."""
    waiting = [c.service for c in seen.containers if c.state is ServiceState.NOT_STARTED]
    if not waiting or not start.problem:
        return []
    return [f"{', '.join(waiting)} not started: {start.problem}"]


def _gaps(seen: Observation, stack: Stack, expected: float) -> list[str]:
    """What makes the numbers less than whole."""
    gaps = []
    if not seen.containers and stack.services:
        gaps.append("the engine inside the box stopped answering")
    if len(seen.window) < expected * ENOUGH_PASSES:
        gaps.append(f"only {len(seen.window)} of {expected:.0f} samples could be taken in time")
    unreadable = max(one.unreadable for one in seen.window)
    if unreadable:
        gaps.append(f"the memory of {unreadable} processes could not be read")
    return gaps


def _report(
    seen: Observation,
    stack: Stack,
    budgets: Budgets,
    box: Box,
    window: Window,
    environment: Environment,
    problems: tuple[str, ...],
) -> MemoryReport:
    metric = budgets.memory.metric
    return MemoryReport(
        environment=environment,
        window=window,
        box=summarise_box(seen, mode=box.mode, cap_bytes=budgets.memory.limit_bytes, metric=metric),
        engine=summarise_engine(seen, metric),
        services=summarise_services(seen, stack, metric),
        samples=summarise_samples(seen, stack, metric),
        incomplete=problems,
        stack=stack.name,
    )
