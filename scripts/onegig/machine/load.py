"""The load that runs beside the stack, in the machine's network and outside its memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from onegig.engine.engine import Engine
from onegig.errors import BootError, ConfigError, EngineError
from onegig.machine.machine import BootPlan

LOG_LINES = 5


@dataclass(kw_only=True, slots=True)
class RunningLoad:
    """A load that was started, or none at all."""

    description: str = ""
    container: str = ""
    started: float = 0.0  # seconds since the epoch; what failed before does not count

    def resume(self, outer: Engine) -> None:
        """Start a load anew that failed while the stack was starting, as clients do.

        After failures the engine waits up to a minute before the next attempt: the windows would
        show an idle stack.
        """
        if self._failures(outer):
            outer.restart(self.container)
            self.started = time.time() + 1  # events are counted in whole seconds

    def _failures(self, outer: Engine) -> list[int]:
        codes = outer.exit_codes(self.container, self.started) if self.container else []
        return [code for code in codes if code != 0]

    def problem(self, outer: Engine) -> str:
        """Return why the load did not do its work, or "" if it did."""
        failures = self._failures(outer)
        if not failures:
            return ""
        output = outer.log(self.container, LOG_LINES).strip()
        return f"the load `{self.description}` failed (exit {failures[0]}): {output}"


@contextmanager
def apply_load(plan: BootPlan, container: str) -> Iterator[RunningLoad]:
    """Run the load in that container's network but outside its cap, again whenever it is over.

    Raises ConfigError for a load whose service is not in the stack, BootError when it can't start.
    """
    outer, run, load, stack = plan.engine, plan.run, plan.budgets.load, plan.stack
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
        started_id = outer.start(
            image,
            load.words,
            f"{run.name}-load",
            labels=run.labels,
            network_mode=f"container:{container}",
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
        yield RunningLoad(description=description, container=started_id, started=started)
    finally:
        outer.remove(started_id)
