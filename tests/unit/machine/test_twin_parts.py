"""The twin's parts that need no virtual machine: sizes, ports, QEMU's command, accelerators."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace
from typing import Any, cast

import pytest

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BootError
from onegig.machine.machine import BootPlan
from onegig.machine.project import BoxProject
from onegig.machine.twin import host, launcher, qemu, virtual
from onegig.machine.twin.disks import published_ports, settings_text
from onegig.machine.twin.emulation import allow_time, least_times, lengthen
from onegig.model.budgets import Budgets
from onegig.model.stack import Stack

KIB = 1024
HARDWARE = qemu.Hardware(
    memory_kib=989_248,
    processors=1,
    drives=(qemu.Drive(path="/root,1.img", keep=True), qemu.Drive(path="/data.img")),
    agent_socket="/run/agent.sock",
    console="/run/console.log",
    control_port=20_001,
    ports=(
        qemu.Port(number=53, protocol="udp"),
        qemu.Port(number=80, address="127.0.0.2"),
    ),
    kernel="/vmlinuz",
    initrd="/initrd.img",
    parameters="root=/dev/vda",
)


@pytest.mark.parametrize(
    ("memory_kib", "memtotal_kib"), [(1024 * KIB, 990_892), (989_248, 931_560)]
)
def test_memory_for_a_memtotal_that_was_seen(memory_kib: int, memtotal_kib: int) -> None:
    reserved = qemu.reserved_by(memory_kib, memtotal_kib * KIB)
    assert 40_000 < reserved < 44_000
    assert abs(qemu.memory_for(memtotal_kib * KIB, reserved) - memory_kib) <= 64
    assert abs(qemu.memory_for(memtotal_kib * KIB) - memory_kib) <= KIB  # before any was booted


@pytest.mark.parametrize("accelerator", [qemu.KVM, qemu.TCG])
def test_command_of_qemu(accelerator: str) -> None:
    command = " ".join(qemu.arguments(HARDWARE, accelerator))
    assert f"-accel {accelerator}" in command
    assert ("-cpu host" in command) == (accelerator == qemu.KVM)
    assert ("mitigations=off" in command) == (accelerator == qemu.TCG)
    for part in (
        "-m size=989248k",
        "file=/root,,1.img,format=raw,if=none,id=disk0,cache=unsafe,snapshot=on",
        "file=/data.img,format=raw,if=none,id=disk1,cache=unsafe,snapshot=off",
        "hostfwd=tcp:127.0.0.1:20001-192.0.2.15:2375,hostfwd=udp::53-192.0.2.15:53,",
        "hostfwd=tcp:127.0.0.2:80-192.0.2.15:80 ",
        "-kernel /vmlinuz -initrd /initrd.img -append root=/dev/vda",
    ):
        assert part in command


PORTS: list[dict[str, Any]] = [
    {"target": 80, "published": "8080", "protocol": "tcp"},
    {"target": 53, "published": "53", "protocol": "udp"},
    {"target": 5432, "published": "5432", "protocol": "tcp", "host_ip": "127.0.0.1"},
    {"target": 53, "published": "53", "protocol": "udp", "host_ip": "127.0.1.1"},
    {"target": 6, "published": "6000", "protocol": "tcp", "host_ip": "::"},
    {"target": 9, "published": "9000-9010", "protocol": "tcp"},
    {"target": 5, "published": "5000", "protocol": "sctp"},
    {"target": 7},
]


def test_ports_that_services_publish() -> None:
    config = {"services": {"web": {"ports": PORTS}, "same": {"ports": PORTS[:1]}, "none": {}}}
    published = [(port.protocol, port.address, port.number) for port in published_ports(config)]
    assert published == [
        ("tcp", "", 8080),
        ("udp", "", 53),
        ("tcp", "127.0.0.1", 5432),
        ("udp", "127.0.1.1", 53),
        ("tcp", "", 6000),
        ("tcp", "", 9000),
    ]


def test_a_volume_hides_no_folder_of_the_host(tmp_path: Path) -> None:
    run = Run(name="onegig-1", owner="here:1:2.0", directory=tmp_path)
    options = host.options(run, "empty", ("/bin/true",), volume="data")
    (mount,) = (option for option in options if "source=data" in option)
    folder = Path(mount.partition("target=/host")[2])
    assert folder.is_relative_to(tmp_path)
    assert list(folder.iterdir()) == []


def test_a_machine_that_is_gone_shows_what_docker_printed(tmp_path: Path) -> None:
    script = "echo 'docker: no such image' >&2; exit 125"
    outer = SimpleNamespace(
        run=lambda _name, _options, **streams: Popen(["/bin/sh", "-c", script], **streams),
        remove=lambda _name: None,
    )
    run = Run(name="onegig-1", owner="here:1:2.0", directory=tmp_path)
    places = {"agent_socket": str(tmp_path / "agent.sock"), "console": str(tmp_path / "console")}
    hardware = replace(HARDWARE, **places)
    with (
        virtual.start(
            cast(Engine, outer), run, hardware, image="empty", volume="data", folders=()
        ) as machine,
        pytest.raises(BootError, match="did not boot: the machine is gone") as caught,
    ):
        machine.wait_for(machine.is_sampled, 60, "did not boot")
    assert caught.value.detail == "docker: no such image"


def test_settings_are_quoted_for_the_shell() -> None:
    assert settings_text({"PORTS": "80 90", "HZ": 10}) == "PORTS='80 90'\nHZ=10\n"


def test_health_checks_have_time_where_the_processor_is_emulated() -> None:
    check = {"test": ["CMD", "a"], "timeout": "5s", "start_period": "2m0.5s", "retries": 3}
    for containers, interval in ((1, "6s"), (40, "16s")):
        assert lengthen(check, least_times(containers, 4.0)) == {
            **check,
            "timeout": "24s",
            "start_period": "120.5s",
            "interval": interval,
        }


@pytest.mark.parametrize(
    ("api", "keys"),
    [
        ("1.43", {"timeout", "start_period", "interval"}),
        ("1.44", {"timeout", "start_period", "interval", "start_interval"}),
    ],
)
def test_an_engine_gets_only_keys_of_health_checks_that_it_knows(api: str, keys: set[str]) -> None:
    engine = Engine(cast(Any, SimpleNamespace(api=SimpleNamespace(api_version=api))))
    plan = BootPlan(
        engine=engine,
        run=Run(name="onegig-1", owner="here:1:2.0", directory=Path("/run")),
        stack=Stack(name="demo", directory="/", files=(), services=(), config_json="{}"),
        budgets=Budgets(path="budgets.yml", compose="compose.yml"),
        cap_bytes=1,
        memtotal_bytes=1,
        sold_bytes=1,
        say=print,
    )
    project = BoxProject(directory="/", config={"services": {"web": {}}})
    known = engine.has_start_interval
    _, longer, remark = allow_time(plan, project, (), 10.0, start_interval=known)
    assert longer.config["services"]["web"]["healthcheck"].keys() == keys
    assert "health checks get at least 60 s" in remark


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="onegig-test-"))
    yield path
    shutil.rmtree(path)


CRASH = "echo 'qemu: warning: no such feature'; echo 'qemu: KVM failed'; exit 1"
ERROR, MISSING = "KVM internal error. Suberror: 1", "there is no"
HANG = f"echo '{ERROR}'; echo registers; exec sleep 600"
STOP = f"echo GRUB >{{console}}; {HANG}"
BOOT = "echo Linux >{console}; exec sleep 0.3"
DIE = "exit 3"


@pytest.mark.parametrize(
    ("kvm", "tcg", "events"),
    [
        (CRASH, BOOT, ["kvm", "failed: qemu: KVM failed", "tcg", "ended: QEMU ended with code 0"]),
        (HANG, BOOT, ["kvm", f"failed: {ERROR}", "tcg", "ended: QEMU ended with code 0"]),
        (STOP, BOOT, ["kvm", f"failed: {ERROR}", "tcg", "ended: QEMU ended with code 0"]),
        (BOOT, DIE, ["kvm", "ended: QEMU ended with code 0"]),
        (MISSING, BOOT, [f"failed: {MISSING}", "tcg", "ended: QEMU ended with code 0"]),
        (
            DIE,
            DIE,
            ["kvm", "failed: QEMU ended with code 3", "tcg", "failed: QEMU ended with code 3"],
        ),
    ],
    ids=[
        "kvm crashes",
        "kvm hangs",
        "kvm runs the boot loader only",
        "kvm works",
        "no kvm",
        "none works",
    ],
)
def test_the_first_accelerator_that_works_is_taken(
    kvm: str, tcg: str, events: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = folder / "console"
    console.touch()
    scripts = {"kvm": kvm, "tcg": tcg}
    config = launcher.Config(
        commands=[
            (kind, ["/bin/sh", "-c", script.format(console=console)])
            for kind, script in scripts.items()
        ],
        console=str(console),
        agent_socket=str(folder / "agent.sock"),
        engine_socket=str(folder / "engine.sock"),
        control_port=1,
        owner=(os.getuid(), os.getgid()),
    )
    monkeypatch.setattr(launcher, "KVM_DEVICE", folder / "missing" if kvm == MISSING else console)
    monkeypatch.setattr(launcher, "guard", lambda *_: 0)  # the rules are this machine's own here
    seen: list[str] = []

    def emit(**event: str) -> None:
        if "failed" in event:
            reason = event["reason"]
            seen.append(f"failed: {MISSING if reason.startswith(MISSING) else reason}")
        else:
            seen.append(event.get("accelerator") or f"ended: {event['ended']}")

    asyncio.run(launcher.launch(config, emit))
    assert seen == events
