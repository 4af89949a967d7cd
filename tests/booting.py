"""Boots stacks in a box, and measures them, as `onegig measure` does."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from docker import DockerClient
from docker.models.containers import Container

from onegig import process
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.judge.fit import doubt
from onegig.judge.throttled import plan_throttle
from onegig.machine.box import Box, open_machine
from onegig.machine.machine import BootPlan, Start
from onegig.memory.measure import measure
from onegig.model.budgets import Budgets
from onegig.model.measuring import Measure
from onegig.model.memory import MemoryReport
from onegig.model.stack import Stack
from small_image import SMALL_IMAGE

MIB = 1024**2
FILL = "head -c {bytes} /dev/zero | tr '\\0' x"
READY = {"test": ["CMD", "test", "-f", "/tmp/ready"], "interval": "1s", "retries": 60}
MakeStack = Callable[[dict[str, dict[str, Any]]], Stack]
HERE = Budgets(path="budgets.yml", compose="compose.yml", measure=Measure(hz=2))


END_MARK = "-- end --"


def run_shell(container: Container, command: str) -> tuple[int, str]:
    """Return the exit code and output of a command in a container.

    Engines lose the output of a command that ends at once now and then: it is repeated until the
    mark after it arrives.
    """
    marked = f"(\n{command}\n)\ncode=$?; echo; echo '{END_MARK}'; exit $code"
    for _ in range(10):
        done = container.exec_run(["sh", "-c", marked])
        output, mark, _rest = done.output.decode().rpartition(END_MARK)
        if mark:
            return done.exit_code, output.strip()
    raise AssertionError(f"no output of {command} in ten attempts: {done}")


def run_as_root(*lines: str) -> None:
    """Run a script as root on this machine; an ordinary user asks the engine for it."""
    command = ["sh", "-ec", "\n".join(lines)]
    if os.geteuid() != 0:
        own = ("--privileged", "--pid", "host", SMALL_IMAGE, "nsenter", "--target", "1", "--mount")
        command = ["docker", "run", "--rm", *own, *command]
    process.run(command, timeout_seconds=120)


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """A stack in a box."""

    box: Box
    name: str

    def sh(self, service: str, command: str, *, check: bool = False) -> str:
        """Return what a command prints in a service's container, errors included."""
        container = self.box.engine.client.containers.get(f"{self.name}-{service}-1")
        code, text = run_shell(container, command)
        assert code == 0 or not check, f"{command}: {text}"
        return text


def shell(script: str, **more: Any) -> dict[str, Any]:
    """A service that runs a script in the shell of its image."""
    return {"command": ["sh", "-c", script.replace("$", "$$")], "init": True, **more}


def sleeper(**keys: Any) -> dict[str, Any]:
    """A service of the small image that does nothing."""
    return {"image": SMALL_IMAGE, "command": ["sleep", "3600"], "init": True, **keys}


def ignore(_line: str) -> None:
    """Drop what is said of the progress."""


@contextmanager
def boot(
    client: DockerClient, stack: Stack, memory_bytes: int, **more: Any
) -> Iterator[tuple[Box, Start]]:
    """The stack in a box of that size, and how its start went; `more` are parts of the plan."""
    with new_run() as run:
        plan = BootPlan(
            engine=Engine(client),
            run=run,
            stack=stack,
            budgets=HERE,
            cap_bytes=memory_bytes,
            memtotal_bytes=memory_bytes,
            sold_bytes=memory_bytes,
            say=ignore,
            **more,
        )
        with open_machine(plan) as box:
            yield box, box.start_stack()


def measured(
    client: DockerClient, stack: Stack, budgets: Budgets, say: Callable[[str], None] = ignore
) -> MemoryReport:
    """What was measured of the stack."""
    engine = Engine(client)
    with new_run() as run:
        environment, check = engine.describe(stack.images), partial(doubt, budgets)
        return measure(
            engine,
            stack,
            budgets,
            environment,
            run,
            say,
            doubt=check,
            throttle=partial(plan_throttle, budgets),
        )
