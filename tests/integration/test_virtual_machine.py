"""The twin: one virtual machine, with a stack that uses all that it offers, rebooted once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container

from booting import HERE, run_shell
from onegig.engine.engine import Engine
from onegig.engine.owned import Run, new_run, remove_leftovers
from onegig.machine.forward import open_forwarder
from onegig.machine.machine import BootPlan, list_containers
from onegig.machine.twin.machine import Twin, open_machine
from onegig.model.measuring import Load
from onegig.model.service import ServiceState
from onegig.model.settings import HugePages, Settings
from onegig.model.stack import Stack
from small_image import SMALL_IMAGE
from stacks import plain_service
from twins import NEEDS_TWIN

pytestmark = NEEDS_TWIN

MIB = 1024**2
MEMTOTAL = 700 * MIB
GONE_SECONDS = 30.0
FORWARD_SECONDS = 60.0  # emulated, a container takes ten to start
PORTS = (
    "echo served >/tmp/served; nc -lk -p 8080 -e cat /tmp/served & "
    "while nc -n -u -l -p 5353 -s 0.0.0.0 -e cat /tmp/served; do :; done"
)
LOAD = (
    "nc -lk -p 9400 -e echo fed & "
    "until nc -w 9 127.0.0.2 8080 </dev/null | grep served; do sleep 1; done; "
    "until echo | nc -u -w 5 127.0.0.3 5353 | grep served; do sleep 1; done; echo reached UDP; wait"
)


@dataclass(frozen=True, kw_only=True)
class Booted:
    """The twin, its stack's folder here, and the run that it belongs to."""

    twin: Twin
    folder: Path
    run: Run
    outer: DockerClient
    said: list[str]

    def sh(self, command: str) -> tuple[int, str]:
        """Run a command in the service's container; its exit code and output."""
        container = self.twin.engine.client.containers.get("onegig-test-web-1")
        return run_shell(container, command)


def _stack(folder: Path) -> Stack:
    (folder / "conf").mkdir()
    (folder / "conf" / "hello").write_text("from the host\n")
    (folder / "secret").write_text("s3cret")
    web = {
        "image": SMALL_IMAGE,
        "command": ["sh", "-c", PORTS],
        "init": True,
        "restart": "always",
        "ports": [
            {"target": 8080, "published": "8080", "protocol": "tcp", "host_ip": "127.0.0.2"},
            {"target": 5353, "published": "5353", "protocol": "udp", "host_ip": "127.0.0.3"},
        ],
        "extra_hosts": ["feed=host-gateway"],
        "healthcheck": {"test": ["CMD", "test", "-f", "/tmp/served"], "interval": "2s"},
        "volumes": [
            {"type": "bind", "source": str(folder / "conf"), "target": "/conf"},
            {"type": "bind", "source": str(folder / "secret"), "target": "/secret"},
        ],
    }
    config = {"name": "onegig-test", "services": {"web": web}}
    return Stack(
        name="onegig-test",
        directory=str(folder),
        files=(),
        services=(plain_service("web", SMALL_IMAGE, has_healthcheck=True),),
        config_json=json.dumps(config),
    )


@pytest.fixture(scope="module")
def booted(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine of 700 MB whose stack was started."""
    folder, said = tmp_path_factory.mktemp("project"), list[str]()
    budgets = replace(
        HERE,
        tier_names=("aws-t3-micro",),
        load=Load(service="web", command=("sh", "-c", LOAD)),
        swap_bytes=64 * MIB,
    )
    with new_run() as run:
        plan = BootPlan(
            engine=Engine(client),
            run=run,
            stack=_stack(folder),
            budgets=budgets,
            cap_bytes=MEMTOTAL,
            memtotal_bytes=MEMTOTAL,
            sold_bytes=1024 * MIB,
            vcpus=1,
            settings=Settings(thp=HugePages.NEVER, overcommit=1, swappiness=10),
            say=said.append,
        )
        with open_machine(plan) as twin:
            start = twin.start_stack()
            assert not start.report.timed_out
            yield Booted(twin=twin, folder=folder, run=run, outer=client, said=said)
        left = client.containers.list(all=True, filters={"label": f"onegig.run={run.name}"})
        assert not left
        with pytest.raises(NotFound):
            client.volumes.get(f"{run.name}-data")


def test_the_stack_finds_a_machine_like_the_tiers(booted: Booted) -> None:
    twin = booted.twin
    (web,) = list_containers(twin.engine)
    assert web.state is ServiceState.HEALTHY
    code, seen = booted.sh("grep MemTotal /proc/meminfo; cat /sys/fs/cgroup/memory.max; nproc")
    assert code == 0
    memtotal, limit, processors = seen.splitlines()
    assert int(memtotal.split()[1]) * 1024 == twin.cap_bytes == pytest.approx(MEMTOTAL, abs=MIB)
    assert (limit, processors) == ("max", "1")
    settings = twin.settings
    assert (settings.thp, settings.overcommit, settings.swappiness) == (HugePages.NEVER, 1, 10)
    assert settings.swap_bytes == pytest.approx(64 * MIB, rel=0.01)
    assert settings.cgroup_version == 2


def test_bind_mounts_are_copies(booted: Booted) -> None:
    code, seen = booted.sh("cat /conf/hello /secret; echo changed >/conf/hello; cat /conf/hello")
    assert (code, seen) == (0, "from the host\ns3cretchanged")
    assert (booted.folder / "conf" / "hello").read_text() == "from the host\n"


def test_stack_and_load_reach_each_other_but_not_the_engine(booted: Booted) -> None:
    twin = booted.twin
    assert booted.sh("nc -w 20 feed 9400 </dev/null") == (0, "fed")
    load = booted.outer.containers.get(f"{booted.run.name}-load")
    _await(lambda: "reached UDP" in load.logs().decode(), "the load never reached both ports")
    assert twin.load_problem() == ""
    control = next(port for port in _listening(load) if port not in (8080, 9400))
    code, _ = booted.sh(f"nc -w 5 -z 192.0.2.15 2375 || nc -w 5 -z 192.0.2.2 {control}")
    assert code != 0
    assert load.exec_run(["nc", "-w", "5", "-z", "127.0.0.1", str(control)]).exit_code != 0
    status = (booted.run.directory / "twin" / "engine.sock").stat()
    assert (status.st_mode & 0o077, status.st_uid) == (0, os.getuid())


def test_a_port_is_reached_in_the_network_of_its_container(booted: Booted) -> None:
    (web,) = list_containers(booted.twin.engine)
    with open_forwarder(booted.twin.engine, booted.run, web.container_id) as forwarder:
        (listener,) = (each for each in forwarder.listeners() if each.port == 8080)
        with forwarder.open(listener) as path, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(FORWARD_SECONDS)
            connection.connect(str(path))
            assert connection.recv(64).strip() == b"served"
    assert [each.service for each in list_containers(booted.twin.engine)] == ["web"]


def test_passes_show_what_engine_and_stack_take(booted: Booted) -> None:
    facts, latest = booted.twin.twin, booted.twin.watch.passes[-1]
    before, idle, now = (sample.machine for sample in (facts.before, facts.idle, latest))
    assert before is not None
    assert idle is not None
    assert now is not None
    assert before.available > idle.available > now.available > 0
    assert "dockerd" not in facts.before.engine
    assert latest.engine["dockerd"].pss > 20 * MIB
    (container,) = list_containers(booted.twin.engine)
    assert latest.containers[container.container_id].usage.rss > 0


def test_a_reboot_brings_the_stack_back(booted: Booted) -> None:
    began, answered = booted.twin.reboot()
    assert began < answered
    _await(
        lambda: [c.state for c in list_containers(booted.twin.engine)] == [ServiceState.HEALTHY],
        "the service did not come back",
    )
    since = booted.twin.watch.between(answered, time.monotonic() + GONE_SECONDS)
    assert any(sample.containers for sample in since)


def test_a_machine_that_is_stuck_is_cleared(booted: Booted) -> None:
    assert list_containers(booted.twin.engine)
    booted.twin.clear()
    assert not list_containers(booted.twin.engine)


def test_nothing_runs_on_after_a_kill(client: DockerClient, tmp_path: Path) -> None:
    """Its volume and folder are removed by the next run, as a box's are."""
    (tmp_path / "compose.yml").write_text(
        f"name: onegig-test\nservices:\n  web: {{image: '{SMALL_IMAGE}', command: sleep 600}}\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "onegig.cli", "measure", "--on", "twin"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(Path("~/.cache").expanduser())},
        stderr=subprocess.DEVNULL,
    )
    try:
        names: list[str] = []

        def runs() -> bool:
            containers = client.containers.list(filters={"label": "onegig.owner"})
            names[:] = [
                str(item.name)
                for item in containers
                if f":{child.pid}:" in item.labels["onegig.owner"]
            ]
            return any(name.endswith("-twin") for name in names)

        _await(runs, "QEMU was not started", seconds=600)
        child.send_signal(signal.SIGKILL)
        _await(lambda: not runs() and not names, "QEMU outlived onegig", seconds=GONE_SECONDS)
    finally:
        child.kill()
        child.wait()
        remove_leftovers(Engine(client))


def _await(look: Callable[[], bool], problem: str, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(NotFound):
            if look():
                return
        assert time.monotonic() < deadline, problem
        time.sleep(0.2)


def _listening(container: Container) -> list[int]:
    """Return the TCP ports that something listens on in a container's network."""
    table = run_shell(container, "cat /proc/net/tcp")[1]
    rows = [line.split() for line in table.splitlines()[1:]]
    return [int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A"]
