"""The windows of a measurement: as many as planned, and more while a limit lies within noise."""

import time
from collections.abc import Callable, Sequence

from onegig.judge.windows import MORE_WINDOWS, doubt
from onegig.memory.containers import Container
from onegig.memory.sampler import Pass
from onegig.memory.summary import summarise_windows
from onegig.memory.watch import Watch
from onegig.model.budgets import Budgets
from onegig.model.stack import Stack


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
