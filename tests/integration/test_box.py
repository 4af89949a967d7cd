"""The box on a real engine: what it measures, how services fare in it, and that nothing stays."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from booting import MIB, READY, MakeStack, measured, shell
from onegig.engine import engine as engines
from onegig.engine.owned import remove_leftovers
from onegig.judge.memory import describe_rise
from onegig.model.budgets import Budgets, MemoryBudget
from onegig.model.measuring import Load, Measure
from onegig.model.memory import MemoryReport
from onegig.model.service import ServiceState
from onegig.model.stack import Stack

pytestmark = pytest.mark.engine

KILLS = int(os.environ.get("ONEGIG_TEST_KILLS", "4"))
# Keeps as many MiB of anonymous memory as asked, in busybox's shell alone.
HOLD = "x=$(head -c {bytes} /dev/zero | tr '\\0' x); touch /tmp/ready; while :; do sleep 1; done"


def hold(mib: int, **more: Any) -> dict[str, Any]:
    return shell(HOLD.format(bytes=mib * MIB), healthcheck=READY, **more)


def observe(
    client: DockerClient, stack: Stack, *, limit_mib: int = 512, load: Load | None = None
) -> MemoryReport:
    budgets = Budgets(
        path="budgets.yml",
        compose="compose.yml",
        memory=MemoryBudget(limit_bytes=limit_mib * MIB),
        measure=Measure(settle_seconds=0.5, window_seconds=2, healthy_timeout_seconds=30),
        load=load,
    )
    return measured(client, stack, budgets)


@pytest.mark.measured
def test_memory_of_services_is_told_apart(
    client: DockerClient, make_stack: MakeStack, machine: Callable[[], set[str]]
) -> None:
    before = machine()
    report = observe(client, make_stack({"small": hold(1), "large": hold(40)}))
    small, large = report.services
    assert (small.state, large.state) == (ServiceState.HEALTHY, ServiceState.HEALTHY)
    assert 40 * MIB <= large.pss_bytes < 60 * MIB
    assert small.pss_bytes < 10 * MIB
    assert large.anon_bytes == pytest.approx(large.pss_bytes, rel=0.15)
    assert large.cost_bytes == pytest.approx(large.pss_bytes + large.kernel_bytes, rel=0.02)
    assert large.kernel_bytes > 0
    assert large.pss_bytes <= large.rss_bytes  # a forking shell counts twice in RSS, once in PSS
    assert report.box.cap_bytes == (512 - 80) * MIB
    assert report.box.charged_bytes <= report.box.usage_bytes <= report.box.peak_bytes  # type: ignore[operator]
    assert {part.name for part in report.engine} >= {"dockerd", "containerd", "shim"}
    shims = next(part for part in report.engine if part.name == "shim")
    assert shims.processes == 2
    assert shims.pss_bytes < shims.rss_bytes
    assert report.incomplete == ()
    assert len(report.windows) == 1  # every limit is far away
    assert describe_rise(report.windows, ["small", "large"], 0) == ""
    assert machine() == before


def test_the_kernels_cap_kills_and_the_victim_is_named(
    client: DockerClient, make_stack: MakeStack
) -> None:
    touch_all = ["dd", "if=/dev/zero", "of=/dev/null", "bs=600M"]
    after = {name: {"condition": "service_healthy"} for name in ("modest", "middling")}
    # Restarted once: over and over, the box's engine hardly gets to answer.
    glutton = {"command": touch_all, "restart": "on-failure:1", "depends_on": after}
    # While the victim's memory is being freed the kernel may kill again: the largest that is
    # left, which is not the modest service.
    stack = make_stack({"modest": hold(1), "middling": hold(30), "glutton": glutton})
    report = observe(client, stack, limit_mib=450)
    modest, _, greedy = report.services
    assert (modest.oom_kills, modest.state) == (0, ServiceState.HEALTHY)
    assert greedy.oom_kills >= 1
    assert greedy.state is ServiceState.OOM_KILLED
    assert report.box.oom_kills >= 1


def test_what_lies_outside_the_project_is_made_in_the_box_and_kept_from_it(
    client: DockerClient, make_stack: MakeStack, tmp_path: Path
) -> None:
    """Networks and volumes of others; and a folder that may be written but keeps nothing."""
    (tmp_path / "seed.txt").write_text("seed")
    command = "cp /data/seed.txt /data/copy.txt && touch /tmp/ready; sleep 600"
    bound = [{"type": "bind", "source": str(tmp_path), "target": "/data"}]
    volumes = [{"type": "volume", "source": "kept", "target": "/data"}]
    stack = make_stack(
        {
            "one": hold(1, networks={"shared": {}}, volumes=volumes),
            "writer": shell(command, healthcheck=READY, volumes=bound),
        }
    )
    config = json.loads(stack.config_json)
    config["networks"] = {"shared": {"external": True, "name": "company-net"}}
    config["volumes"] = {"kept": {"external": True, "name": "company-data"}}
    report = observe(client, replace(stack, config_json=json.dumps(config)))
    assert [service.state for service in report.services] == [ServiceState.HEALTHY] * 2
    assert not client.networks.list(names=["company-net"])
    assert [path.name for path in tmp_path.iterdir()] == ["seed.txt"]


@pytest.mark.measured
def test_load_reaches_the_stack_and_is_not_charged_to_it(
    client: DockerClient, make_stack: MakeStack
) -> None:
    reach = "until echo hello | nc -w 1 10.200.0.1 7777; do sleep 0.1; done"
    service = shell(f"{reach}; touch /tmp/ready; sleep 600", healthcheck=READY)
    heavy = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); nc -lk -p 7777 >/dev/null"
    load = Load(service="client", command=("sh", "-c", heavy))
    report = observe(client, make_stack({"client": service}), load=load)
    assert report.services[0].state is ServiceState.HEALTHY
    assert report.incomplete == ()
    assert "nc -lk" in report.window.load
    assert report.box.total_rss_bytes < 30 * MIB


def test_a_load_that_fails_makes_the_result_incomplete(
    client: DockerClient, make_stack: MakeStack
) -> None:
    load = Load(service="one", command=("sh", "-c", "echo no target; exit 9"))
    report = observe(client, make_stack({"one": hold(1)}), load=load)
    assert "failed (exit 9): no target" in report.incomplete[0]


@pytest.mark.engine(alone=True)
def test_killed_runs_are_cleaned_up_by_the_next(
    client: DockerClient, machine: Callable[[], set[str]], tmp_path: Path
) -> None:
    remove_leftovers(engines.Engine(client))
    before = machine()
    chance = random.Random(20)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, str(tmp_path)]
    children = [subprocess.Popen(command, env=environment) for _ in range(KILLS)]
    began = time.monotonic()
    ends = sorted(chance.uniform(0.5, 14) for _ in children)
    for child, seconds in zip(children, ends, strict=True):
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=max(0.0, began + seconds - time.monotonic()))
        child.kill()
        child.wait()
    remove_leftovers(engines.Engine(client))
    assert machine() == before


if __name__ == "__main__":
    from onegig.engine.engine import connect
    from small_image import SMALL_IMAGE
    from stacks import plain_service

    one = plain_service("one", SMALL_IMAGE, has_healthcheck=True)
    config = {"name": "killed", "services": {"one": {"image": SMALL_IMAGE, **hold(5)}}}
    project = Stack(
        name="killed",
        directory=sys.argv[1],
        files=(),
        services=(one,),
        config_json=json.dumps(config),
    )
    with connect() as connected:
        remove_leftovers(connected)
        observe(connected.client, project)
