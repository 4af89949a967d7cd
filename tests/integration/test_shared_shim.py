"""Containers under one shim on a real engine: each comes and goes while the others stay."""

import time
from collections.abc import Callable

import pytest
from docker import DockerClient
from docker.errors import APIError
from docker.models.containers import Container

from booting import MIB, MakeStack, boot, run_as_root, run_shell, sleeper
from onegig.machine.box import Box
from onegig.plan.shim import GROUP

pytestmark = pytest.mark.engine

NAMES = ("first", "second", "third", "fourth")
PATIENCE_SECONDS = 60


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def shims(client: DockerClient, box: Box) -> list[int]:
    """Return the shims in the box, by their id outside of it."""
    top = client.containers.get(box.nested.container).top()
    at = top["Titles"].index("PID")
    return [int(row[at]) for row in top["Processes"] if "containerd-shim" in row[-1]]


def running(box: Box) -> set[str]:
    found: list[Container] = box.engine.client.containers.list()
    return {container.labels["com.docker.compose.service"] for container in found}


def is_back(container: Container) -> bool:
    """Return whether a command runs in the container.

    The engine restarts it by its policy, but gives up on one whose start failed: that is started.
    """
    container.reload()
    try:
        if container.status == "exited":
            container.start()
        return run_shell(container, "echo here") == (0, "here")
    except (APIError, AssertionError):  # it is restarting
        return False


def test_containers_under_one_shim_come_and_go_alone(
    client: DockerClient, make_stack: MakeStack
) -> None:
    shared = {"annotations": {GROUP: "desk"}, "restart": "unless-stopped"}
    stack = make_stack({name: sleeper(**shared) for name in NAMES})
    with boot(client, stack, 700 * MIB) as (box, _start):
        eventually(lambda: len(shims(client, box)) == 1)  # each start has one for a moment
        (shim,) = shims(client, box)
        first, second, third, fourth = (
            box.engine.client.containers.get(f"{stack.name}-{name}-1") for name in NAMES
        )
        first.stop(timeout=1)
        second.kill()
        eventually(lambda: running(box) == {"third", "fourth"})
        first.start()
        third.restart(timeout=1)
        second.remove()
        eventually(lambda: running(box) == {"first", "third", "fourth"})
        assert run_shell(fourth, "echo here") == (0, "here")
        first.remove(force=True)  # the one that the shim was started for
        assert run_shell(third, "echo here") == (0, "here")
        eventually(lambda: shims(client, box) == [shim])

        run_as_root(f"kill -KILL {shim}")
        eventually(lambda: is_back(third) and is_back(fourth))
        assert shims(client, box) not in ([], [shim])
