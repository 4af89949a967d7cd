"""The load: a command from one of the stack's images, in the box's network but outside its cap."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from docker import DockerClient
from docker.errors import DockerException
from docker.models.containers import Container

from onegig.engine.owned import Run
from onegig.errors import BootError, ConfigError
from onegig.machine.box import Box
from onegig.model.budgets import Load
from onegig.model.stack import Stack


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningLoad:
    """A load that was started, or none at all."""

    description: str = ""
    container: Container | None = None
    started: float = 0.0  # seconds since the epoch

    def problem(self) -> str:
        """Say why the load did not do its work; "" if it did, or ended and was repeated."""
        if self.container is None or self.container.client is None:
            return ""
        events = self.container.client.api.events(
            since=int(self.started),
            until=int(time.time()) + 1,
            filters={"container": self.container.id, "event": "die"},
            decode=True,
        )
        exits = [int(event["Actor"]["Attributes"].get("exitCode", 0)) for event in events]
        failures = [code for code in exits if code != 0]
        if not failures:
            return ""
        output = self.container.logs(tail=5).decode(errors="replace").strip()
        return f"the load `{self.description}` failed (exit {failures[0]}): {output}"


@contextmanager
def apply_load(
    client: DockerClient, load: Load | None, stack: Stack, box: Box, run_: Run
) -> Iterator[RunningLoad]:
    """Run the load from now to the end of the block, again from the start whenever it is over.

    Raises ConfigError when its service is not in the stack, BootError when it cannot start.
    """
    if load is None:
        yield RunningLoad()
        return
    started = time.time()
    container = _start(client, load, stack, box, run_)
    description = f"{load.service}: {' '.join(load.words)}"
    try:
        yield RunningLoad(description=description, container=container, started=started)
    finally:
        with suppress(DockerException):
            container.remove(force=True, v=True)


def _start(client: DockerClient, load: Load, stack: Stack, box: Box, run_: Run) -> Container:
    image = next((s.image for s in stack.services if s.name == load.service), None)
    if image is None:
        raise ConfigError(
            f"load.service: the stack has no service {load.service!r}",
            advice=f"services: {', '.join(s.name for s in stack.services)}",
        )
    try:
        return client.containers.run(
            image,
            list(load.words),
            entrypoint=[],
            detach=True,
            name=f"{run_.name}-load",
            labels=run_.labels,
            network_mode=f"container:{box.container}",
            cap_drop=["ALL"],
            read_only=True,
            tmpfs={"/tmp": "size=64m"},  # noqa: S108 - in the container
            restart_policy={"Name": "always"},
        )
    except DockerException as error:
        raise BootError(
            f"the load could not be started: {error}",
            command=" ".join(load.words),
            advice="load.command in budgets.yml runs in the image of load.service",
        ) from error
