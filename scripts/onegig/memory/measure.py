"""`measure`: box, load, stack, settle, window; ends in a MemoryReport and an empty machine."""

import json
import time
from collections.abc import Callable

from docker import DockerClient
from docker.errors import DockerException
from requests import RequestException

from onegig.errors import MeasureError
from onegig.memory.box import Box, open_box
from onegig.memory.load import apply_load
from onegig.memory.project import prepare_project
from onegig.memory.sampler import Pass
from onegig.memory.stack import Container, Start, list_containers, read_log, start_stack
from onegig.memory.summary import (
    Observation,
    summarise_box,
    summarise_engine,
    summarise_samples,
    summarise_services,
    summarise_windows,
)
from onegig.memory.watch import Watch, watch_box
from onegig.memory.windows import take_windows
from onegig.model.budgets import Budgets, Measure
from onegig.model.environment import Environment
from onegig.model.memory import MemoryReport, ServiceState, Window
from onegig.model.stack import Stack
from onegig.model.tiers import find_tier
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
    project = prepare_project(
        json.loads(stack.config_json),
        directory=stack.directory,
        machine_bytes=machine_bytes(budgets),
        architecture=str(client.version()["Arch"]),
    )
    with (
        open_box(client, run_, images=stack.images, project=project, cap_bytes=cap, say=say) as box,
        watch_box(box, run_, budgets.measure.hz) as watch,
        apply_load(client, budgets.load, stack, box, run_) as load,
    ):
        start = start_stack(
            stack,
            project,
            box,
            run_,
            environment=dict(budgets.load.environment) if budgets.load else {},
            timeout_seconds=budgets.measure.healthy_timeout_seconds,
            say=say,
        )
        _settle(budgets, say)
        windows = take_windows(watch, budgets, stack, _containers(box), say)
        box.lift_cap(client)
        seen = _observe(box, watch, windows)
        window = _window(budgets, seen, start.seconds, load.description)
        gaps = _gaps(seen, stack, budgets.measure)
        problems = tuple(filter(None, (load.problem(), *_never_started(seen, start), *gaps)))
        return _report(seen, stack, budgets, box, window, environment, problems)


def machine_bytes(budgets: Budgets) -> int:
    """Return the MemTotal of the machine that the box stands for: the tier's, within the limit."""
    tier = find_tier(budgets.tier) if budgets.tier else None
    shown = tier.memtotal_bytes if tier else None
    return min(budgets.memory.limit_bytes, shown or budgets.memory.limit_bytes)


def _settle(budgets: Budgets, say: Callable[[str], None]) -> None:
    say(f"settling for {budgets.measure.settle_seconds:g} s")
    time.sleep(budgets.measure.settle_seconds)


def _window(budgets: Budgets, seen: Observation, boot_seconds: float, load: str) -> Window:
    return Window(
        metric=budgets.memory.metric,
        settle_seconds=budgets.measure.settle_seconds,
        seconds=budgets.measure.window_seconds,
        hz=budgets.measure.hz,
        samples=len(seen.window(budgets.memory.metric)),
        boot_seconds=round(boot_seconds, 1),
        load=load,
    )


def _observe(box: Box, watch: Watch, windows: tuple[tuple[Pass, ...], ...]) -> Observation:
    if not windows:
        raise MeasureError(
            "the box was gone before it could be measured",
            advice="the box's own log:",
            detail=box.log.read_text(errors="replace"),
        )
    containers = _containers(box)
    try:
        logs = {c.service: read_log(box.client, c) for c in containers if not c.ready}
    except (DockerException, RequestException):
        containers, logs = (), {}
    return Observation(
        passes=watch.between(0, windows[-1][-1].time),
        windows=windows,
        containers=containers,
        logs=logs,
    )


def _containers(box: Box) -> tuple[Container, ...]:
    """Those of the stack; none when the engine inside the box does not answer."""
    try:
        return list_containers(box.client)
    except (DockerException, RequestException):
        return ()


def _never_started(seen: Observation, start: Start) -> list[str]:
    """Why compose left services out, where none of them says so itself."""
    waiting = [c.service for c in seen.containers if c.state is ServiceState.NOT_STARTED]
    if not waiting or not start.problem:
        return []
    return [f"{', '.join(waiting)} not started: {start.problem}"]


def _gaps(seen: Observation, stack: Stack, plan: Measure) -> list[str]:
    """What makes the numbers less than whole."""
    gaps = []
    if not seen.containers and stack.services:
        gaps.append("the engine inside the box stopped answering")
    if len(seen.windows) < plan.repeats:
        gaps.append(f"the box was gone after {len(seen.windows)} of {plan.repeats} windows")
    expected = plan.hz * plan.window_seconds
    fewest = min(len(window) for window in seen.windows)
    if fewest < expected * ENOUGH_PASSES:
        gaps.append(f"only {fewest} of {expected:.0f} samples could be taken in time")
    unreadable = max(one.unreadable for window in seen.windows for one in window)
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
        windows=summarise_windows(seen.windows, seen.containers, stack, metric),
    )
