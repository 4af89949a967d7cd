"""Settling: the wait between the start and the first window.

The windows of a measurement: as many as planned, and more while a limit lies within noise.
"""

import time
from collections.abc import Callable, Sequence

from onegig.judge.noise import MORE_WINDOWS, doubt
from onegig.machine.containers import Container
from onegig.machine.sampler import Pass
from onegig.machine.watch import Watch
from onegig.memory.summary import summarise_windows
from onegig.model.budgets import Budgets
from onegig.model.stack import Stack

RETRY_SECONDS = 30.0  # for services that restart until what they need is there
LEAST_SECONDS = 2.0  # of quiet before a service that was restarted counts as up

Containers = Sequence[Container] | None  # None: the engine does not answer


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
    counts = {one.container_id: one.restarts for one in before}
    names = [
        one.service
        for one in after
        if one.status == "restarting" or one.restarts > counts.get(one.container_id, 0)
    ]
    return ", ".join(dict.fromkeys(names))


def take_windows(
    watch: Watch,
    budgets: Budgets,
    stack: Stack,
    containers: Sequence[Container],
    say: Callable[[str], None],
) -> tuple[tuple[Pass, ...], ...]:
    """Return the passes of each window; fewer than planned when the box was gone by then."""
    planned = budgets.measure.repeats
    windows: list[tuple[Pass, ...]] = []
    why = ""
    while len(windows) < planned or why:
        passes = _take(watch, budgets, _title(len(windows), planned, why), say)
        if not passes:
            break
        windows.append(passes)
        why = ""
        if planned <= len(windows) < planned + MORE_WINDOWS:
            totals = summarise_windows(windows, containers, stack, budgets.memory.metric)
            why = doubt(budgets, [service.name for service in stack.services], totals)
    return tuple(windows)


def _take(
    watch: Watch, budgets: Budgets, title: str, say: Callable[[str], None]
) -> tuple[Pass, ...]:
    plan = budgets.measure
    say(f"{title} for {plan.window_seconds:g} s at {plan.hz:g} Hz")
    opened = time.monotonic()
    time.sleep(plan.window_seconds)
    return watch.between(opened, time.monotonic())


def _title(taken: int, planned: int, why: str) -> str:
    if why:
        return f"{why}: measuring again"
    return "measuring" if planned == 1 else f"measuring window {taken + 1} of {planned}"
