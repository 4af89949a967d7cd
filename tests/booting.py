"""Boots stacks in a box, and measures them, as `onegig measure` does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from docker import DockerClient

from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.judge.memory import doubt
from onegig.machine.box import Box, open_machine
from onegig.machine.machine import BootPlan, Start
from onegig.memory.measure import measure
from onegig.model.budgets import Budgets, Measure
from onegig.model.memory import MemoryReport
from onegig.model.stack import Stack

HERE = Budgets(path="budgets.yml", compose="compose.yml", measure=Measure(hz=2))


def ignore(_line: str) -> None:
    """Drop what is said of the progress."""


@contextmanager
def boot(client: DockerClient, stack: Stack, memory_bytes: int) -> Iterator[tuple[Box, Start]]:
    """The stack in a box of that size, and how its start went."""
    with new_run() as run:
        plan = BootPlan(
            engine=Engine(client),
            run=run,
            stack=stack,
            budgets=HERE,
            cap_bytes=memory_bytes,
            memtotal_bytes=memory_bytes,
            say=ignore,
        )
        with open_machine(plan) as box:
            yield box, box.start_stack()


def measured(
    client: DockerClient, stack: Stack, budgets: Budgets, say: Callable[[str], None] = ignore
) -> MemoryReport:
    """What was measured of the stack."""
    engine = Engine(client)
    with new_run() as run:
        return measure(engine, stack, budgets, engine.describe(stack.images), run, say, doubt=doubt)
