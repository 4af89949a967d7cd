"""The load beside a stack, on a real engine."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from docker import DockerClient
from docker.models.containers import Container

from booting import HERE, MIB, MakeStack, ignore
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.machine.load import LOG_LINES, RunningLoad, apply_load
from onegig.machine.machine import BootPlan
from onegig.model.measuring import Load
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

PATIENCE_SECONDS = 30.0
CLIENT = "nc -z 127.0.0.1 7777 || { echo no server; exit 7; }; echo served; sleep 0.1"
SERVER = ["nc", "-lk", "-p", "7777", "-e", "true"]
MakeLoad = Callable[[str], AbstractContextManager[RunningLoad]]


@pytest.fixture
def engine(client: DockerClient) -> Engine:
    return Engine(client)


@pytest.fixture
def server(client: DockerClient) -> Iterator[Container]:
    """A container in the place of a machine: the load joins its network."""
    container = client.containers.run(SMALL_IMAGE, ["sleep", "600"], init=True, detach=True)
    yield container
    container.remove(force=True)


@pytest.fixture
def load(engine: Engine, server: Container, make_stack: MakeStack) -> Iterator[MakeLoad]:
    """Run a script of the shell as the load."""

    def make(script: str) -> AbstractContextManager[RunningLoad]:
        load = Load(service="client", command=("sh", "-c", script))
        plan = BootPlan(
            engine=engine,
            run=run,
            stack=make_stack({"client": {}}),
            budgets=replace(HERE, load=load),
            cap_bytes=MIB,
            memtotal_bytes=MIB,
            sold_bytes=MIB,
            say=ignore,
        )
        return apply_load(plan, str(server.id))

    with new_run() as run:
        yield make


def await_true(happens: Callable[[], bool]) -> None:
    """Wait for something that takes seconds, longer only on a busy machine."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_short_load_is_run_again_without_a_pause(engine: Engine, load: MakeLoad) -> None:
    with load("echo run") as running:
        # the engine's own restart policy would take 102 s for so many
        await_true(lambda: engine.log(running.container, 100).count("run") >= 11)
        assert running.failure == ""


def test_a_load_that_failed_until_the_stack_was_up_is_started_anew(
    engine: Engine, server: Container, load: MakeLoad
) -> None:
    with load(CLIENT) as running:
        await_true(lambda: bool(running.failure))
        server.exec_run(SERVER, detach=True)
        running.resume(engine)
        await_true(lambda: engine.log(running.container, 1) == "served")
        assert running.failure == ""


def test_a_failure_is_reported_with_its_output_even_if_the_load_recovers(
    engine: Engine, server: Container, load: MakeLoad
) -> None:
    with load(CLIENT) as running:
        await_true(lambda: bool(running.failure))
        server.exec_run(SERVER, detach=True)
        await_true(lambda: engine.log(running.container, 100).count("served") > LOG_LINES)
        assert running.failure.endswith("failed (exit 7): no server")
