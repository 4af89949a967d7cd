"""A stack under Podman in the twin: through its Docker-compatible API, health checks included."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from docker import DockerClient

from booting import HERE, run_shell
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.machine.machine import BootPlan, list_containers
from onegig.machine.twin.machine import Twin, open_machine
from onegig.model.engines import EngineKind
from onegig.model.service import ServiceState
from onegig.model.settings import HugePages, Settings
from onegig.model.stack import Stack
from small_image import SMALL_IMAGE
from stacks import plain_service
from twins import NEEDS_TWIN

pytestmark = NEEDS_TWIN

MIB = 1024**2
MEMTOTAL = 700 * MIB
BACK_SECONDS = 300.0
SERVICES: dict[str, Any] = {
    "web": {
        "image": SMALL_IMAGE,
        "command": ["sh", "-c", "echo served >/tmp/served; nc -lk -p 8080 -e cat /tmp/served"],
        "init": True,
        "restart": "unless-stopped",
        "ports": [{"target": 8080, "published": "8080", "host_ip": "127.0.0.1"}],
        "extra_hosts": ["feed=host-gateway"],
        "healthcheck": {
            "test": ["CMD", "test", "-f", "/tmp/served"],
            "interval": "2s",
            "start_interval": "1s",
        },
    },
    "client": {
        "image": SMALL_IMAGE,
        "command": ["sleep", "600"],
        "restart": "always",
        "mem_limit": "16m",
        "logging": {"driver": "local"},
        "depends_on": {"web": {"condition": "service_healthy", "required": True}},
    },
}


@pytest.fixture(scope="module")
def booted(
    client: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Twin, list[str]]]:
    """A machine of 700 MB whose stack was started under Podman, and the services' names."""
    stack = Stack(
        name="onegig-test",
        directory=str(tmp_path_factory.mktemp("project")),
        files=(),
        services=tuple(plain_service(name, SMALL_IMAGE) for name in SERVICES),
        config_json=json.dumps({"name": "onegig-test", "services": SERVICES}),
    )
    with new_run() as run:
        plan = BootPlan(
            engine=Engine(client),
            run=run,
            stack=stack,
            budgets=replace(HERE, tier_names=("aws-t3-micro",), engine=EngineKind.PODMAN),
            cap_bytes=MEMTOTAL,
            memtotal_bytes=MEMTOTAL,
            sold_bytes=1024 * MIB,
            vcpus=1,
            settings=Settings(thp=HugePages.MADVISE),
            say=lambda _: None,
        )
        with open_machine(plan) as twin:
            start = twin.start_stack()
            assert not start.report.timed_out
            yield twin, list(SERVICES)


def _states(twin: Twin) -> dict[str, ServiceState]:
    return {each.service: each.state for each in list_containers(twin.engine)}


UP = {"client": ServiceState.RUNNING, "web": ServiceState.HEALTHY}


def test_the_stack_is_up_and_what_it_lacks_is_said(booted: tuple[Twin, list[str]]) -> None:
    twin, _ = booted
    assert _states(twin) == UP
    lacks = [text for text in twin.remarks if "Podman" in text]
    assert [text.partition(":")[0] for text in lacks] == list(SERVICES)
    client = twin.engine.client.containers.get("onegig-test-client-1")
    command = "nc -w 20 web 8080 </dev/null; cat /sys/fs/cgroup/memory.max; cat /etc/hosts"
    code, printed = run_shell(client, command)
    assert (code, printed.splitlines()[:2]) == (0, ["served", str(16 * MIB)])
    web = twin.engine.client.containers.get("onegig-test-web-1")
    assert "192.0.2.2\tfeed" in run_shell(web, "cat /etc/hosts")[1]


def test_only_conmon_and_dns_stay(booted: tuple[Twin, list[str]]) -> None:
    twin, services = booted
    twin.rest()
    rested = time.monotonic()
    twin.virtual.wait_for(
        lambda: bool(twin.watch.between(rested, time.monotonic())), 60, "is not sampled"
    )
    latest = twin.watch.passes[-1]
    assert latest.engine["conmon"].processes >= len(services)
    assert latest.engine["dns"].processes == 1
    assert latest.engine.keys() <= {"conmon", "dns", "podman", "crun", "netavark"}
    assert {each.container_id for each in list_containers(twin.engine)} == latest.containers.keys()


def test_a_reboot_brings_back_what_restarts(booted: tuple[Twin, list[str]]) -> None:
    twin, _ = booted
    twin.reboot()
    twin.virtual.wait_for(lambda: _states(twin) == UP, BACK_SECONDS, "did not start the stack")
