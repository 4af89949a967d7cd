"""`measure`: box, load, stack, settle, window; ends in a MemoryReport and an empty machine."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress

from docker.errors import DockerException
from requests import RequestException

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import MeasureError
from onegig.machine.box import Box, open_box
from onegig.machine.containers import Container, list_containers, read_log
from onegig.machine.load import apply_load
from onegig.machine.project import prepare_project
from onegig.machine.sampler import Pass
from onegig.machine.start import Start, start_stack
from onegig.machine.watch import Watch, watch_box
from onegig.memory.observation import Observation
from onegig.memory.settle import settle, take_windows
from onegig.memory.summary import (
    summarise_boot,
    summarise_box,
    summarise_engine,
    summarise_samples,
    summarise_services,
    summarise_windows,
)
from onegig.model.budgets import Budgets, Measure
from onegig.model.measured import Environment
from onegig.model.memory import MemoryReport, ServiceState, Window
from onegig.model.stack import Stack
from onegig.model.tiers import NO_TIER, find_tier, smallest_tier

LEAST_CAP_BYTES = 160 * 1024**2  # so that the engine starts and a tiny limit gets its NO-GO
ENOUGH_PASSES = 0.5  # of those the window should have had
STOPPED = ServiceState.STOPPED


def measure(
    engine: Engine,
    stack: Stack,
    budgets: Budgets,
    environment: Environment,
    run_: Run,
    say: Callable[[str], None],
) -> MemoryReport:
    """Boot the stack in the box under load and measure it.

    Raises BootError when box or stack cannot start at all, MeasureError when nothing was sampled.
    """
    client = engine.client
    cap = max(LEAST_CAP_BYTES, budgets.memory.room_bytes)
    project = prepare_project(
        json.loads(stack.config_json),
        directory=stack.directory,
        machine_bytes=machine_bytes(budgets, environment.architecture),
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
            client,
            watch,
            run_,
            environment=dict(budgets.load.environment) if budgets.load else {},
            timeout_seconds=budgets.measure.healthy_timeout_seconds,
            say=say,
        )
        before = settle(lambda: _containers(box), budgets.measure.settle_seconds, say)
        windows = take_windows(watch, budgets, stack, before or (), say)
        box.lift_cap(client)
        seen = _observe(box, watch, start, before or (), windows)
        window = _window(budgets, seen, load.description)
        gaps = _gaps(seen, budgets.measure)
        problems = tuple(filter(None, (load.problem(), *gaps)))
        return _report(seen, stack, budgets, box, window, environment, problems)


def machine_bytes(budgets: Budgets, architecture: str) -> int:
    """Return the MemTotal of the machine that the box stands for: the tier's, within the limit."""
    limit = budgets.memory.limit_bytes
    if budgets.tier == NO_TIER:
        return limit
    tier = find_tier(budgets.tier) if budgets.tier else smallest_tier(limit, architecture)
    return min(limit, (tier.memtotal_bytes if tier else None) or limit)


def _window(budgets: Budgets, seen: Observation, load: str) -> Window:
    return Window(
        metric=budgets.memory.metric,
        settle_seconds=budgets.measure.settle_seconds,
        seconds=budgets.measure.window_seconds,
        hz=budgets.measure.hz,
        samples=len(seen.window(budgets.memory.metric)),
        boot_seconds=seen.start.report.seconds,
        load=load,
    )


def _observe(
    box: Box,
    watch: Watch,
    start: Start,
    before: Sequence[Container],
    windows: tuple[tuple[Pass, ...], ...],
) -> Observation:
    if not windows:
        raise MeasureError(
            "the box was gone before it could be measured",
            advice="the box's own log:",
            detail=box.log.read_text(errors="replace"),
        )
    containers = _containers(box)
    logs: dict[str, str] = {}
    with suppress(DockerException, RequestException):
        for container in containers or ():
            if not container.ready or container.restarts or container.state is STOPPED:
                logs[container.service] = read_log(box.client, container)
    return Observation(
        passes=watch.between(0, windows[-1][-1].time),
        windows=windows,
        containers=containers or (),
        answered=containers is not None,
        restarts_before={one.container_id: one.restarts for one in before},
        logs=logs,
        start=start,
    )


def _containers(box: Box) -> tuple[Container, ...] | None:
    """Return those of the stack; None when the engine inside the box does not answer."""
    try:
        return list_containers(box.client)
    except (DockerException, RequestException):
        return None


def _gaps(seen: Observation, plan: Measure) -> list[str]:
    """List what is missing from the numbers."""
    gaps = []
    if not seen.answered:
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
        box=summarise_box(seen, mode=box.mode, cap_bytes=box.cap_bytes, metric=metric),
        engine=summarise_engine(seen, metric),
        services=summarise_services(seen, stack, metric),
        samples=summarise_samples(seen, stack, metric),
        incomplete=problems,
        stack=stack.name,
        windows=summarise_windows(seen.windows, seen.containers, stack, metric),
        boot=summarise_boot(seen, stack, metric),
        start=seen.start.report,
        notes=tuple(dict.fromkeys((*stack.warnings, *box.remarks))),
    )
