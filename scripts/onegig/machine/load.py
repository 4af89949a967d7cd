"""The load that runs beside the stack, in the machine's network and outside its memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

from onegig.engine.engine import Engine
from onegig.errors import BootError, ConfigError, EngineError
from onegig.machine.machine import BootPlan

LOG_LINES = 5
PAUSE_SECONDS = 1.0  # after a run that failed


@dataclass(kw_only=True, slots=True)
class RunningLoad:
    """A load that is run again whenever it ends, or none at all."""

    description: str = ""
    container: str = ""
    counts_from: float = 0.0  # monotonic seconds; failures of runs that began earlier do not count
    failure: str = ""  # why the first run that counts failed

    def keep_running(self, outer: Engine, over: Event) -> None:
        """Start the load again whenever it has ended, after a failure with a pause.

        The engine's restart policy is no help: after runs of less than 10 s it doubles its own
        pause each time, up to a minute, and the windows would show an idle stack.
        """
        began = time.monotonic()
        while not over.is_set():
            try:
                code = outer.wait(self.container)
                if code != 0:
                    self._record(outer, code, began)
                    over.wait(PAUSE_SECONDS)
                began = time.monotonic()
                outer.start_again(self.container)
            except EngineError:  # it runs for longer than a call may take, or was removed
                over.wait(PAUSE_SECONDS)

    def _record(self, outer: Engine, code: int, began: float) -> None:
        output = ""
        with suppress(EngineError):  # the engine's log driver may keep none
            output = outer.log(self.container, LOG_LINES).strip()
        if not self.failure and began >= self.counts_from:
            self.failure = f"the load `{self.description}` failed (exit {code}): {output}"

    def resume(self, outer: Engine) -> None:
        """Start a load anew that failed while the stack was starting, as clients do."""
        if self.failure:
            self.counts_from, self.failure = time.monotonic(), ""
            outer.restart(self.container)


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
    command = " ".join(load.words)
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
        )
    except EngineError as error:
        raise BootError(
            f"the load could not be started: {error.message}",
            command=command,
            advice="load.command in budgets.yml runs in the image of load.service",
        ) from error
    running = RunningLoad(description=f"{load.service}: {command}", container=started_id)
    over = Event()
    keeper = Thread(target=running.keep_running, args=(outer, over), daemon=True)
    keeper.start()
    try:
        yield running
    finally:
        over.set()
        outer.remove(started_id)
        keeper.join()
