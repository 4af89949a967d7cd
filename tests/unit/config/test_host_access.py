"""What a compose file can ask for that reaches the machine, and what does not."""

from pathlib import Path
from typing import Any

import pytest

from onegig.config.host_access import find_host_access
from onegig.model.stack import HostAccess

Config = dict[str, Any]


def reasons(service: Config, **more: Any) -> list[str]:
    result = find_host_access({"services": {"web": service}, **more}, lambda path: path)
    assert {entry.service for entry in result} <= {"web"}
    return [entry.reason for entry in result]


def bind(source: str) -> Config:
    return {"volumes": [{"type": "bind", "source": source, "target": "/x"}]}


ASKS: list[tuple[Config, str]] = [
    ({"privileged": True}, "privileged: true"),
    ({"devices": ["/dev/sda:/dev/xvda:rwm"]}, "devices: /dev/sda"),
    ({"devices": [{"source": "/dev/kvm", "target": "/dev/kvm"}]}, "devices: /dev/kvm"),
    ({"device_cgroup_rules": ["b *:* rwm"]}, "device_cgroup_rules: b *:* rwm"),
    ({"gpus": [{"count": -1}]}, "gpus"),
    (
        {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}},
        "gpus",
    ),
    ({"network_mode": "host"}, "network_mode: host"),
    ({"pid": "host"}, "pid: host"),
    ({"ipc": "host"}, "ipc: host"),
    ({"uts": "host"}, "uts: host"),
    ({"userns_mode": "host"}, "userns_mode: host"),
    ({"cgroup": "host"}, "cgroup: host"),
    ({"cap_add": ["SYS_ADMIN"]}, "cap_add: SYS_ADMIN"),
    ({"cap_add": ["cap_sys_module"]}, "cap_add: cap_sys_module"),
    ({"cap_add": ["ALL"]}, "cap_add: ALL"),
    ({"security_opt": ["seccomp:unconfined"]}, "security_opt: seccomp:unconfined"),
    ({"security_opt": ["seccomp=./mine.json"]}, "security_opt: seccomp=./mine.json"),
    ({"security_opt": ["apparmor=unconfined"]}, "security_opt: apparmor=unconfined"),
    ({"security_opt": ["apparmor:mine"]}, "security_opt: apparmor:mine"),
    ({"runtime": "kata"}, "runtime: kata"),
    ({"security_opt": ["label:disable"]}, "security_opt: label:disable"),
    ({"security_opt": ["label=type:spc_t"]}, "security_opt: label=type:spc_t"),
    ({"security_opt": ["systempaths=unconfined"]}, "security_opt: systempaths=unconfined"),
    ({"provider": {"type": "anything"}}, "provider: anything"),
    ({"use_api_socket": True}, "use_api_socket: true"),
    ({"post_start": [{"command": "id", "privileged": True}]}, "post_start: privileged: true"),
    ({"build": {"privileged": True}}, "build.privileged: true"),
    ({"build": {"entitlements": ["network.host"]}}, "build.entitlements: network.host"),
    ({"build": {"network": "host"}}, "build.network: host"),
    ({"build": {"ssh": ["default"]}}, "build.ssh"),
]
REACHING = [
    *("/", "//", "/proc", "/proc/sys/kernel", "/sys", "/sys/fs/cgroup", "/dev", "/dev/sda"),
    *("/proc/self/root/etc", "/run", "/var/run", "/run/docker", "/var/run/docker/", "/srv/../proc"),
    *("/run/docker.sock", "/var/run/docker.sock", "/run/user/1000/docker.sock", "/run/user/1000"),
    *("/run/containerd/containerd.sock", "/run/podman/podman.sock", "/srv/docker.sock"),
    *("/.onegig", "/.onegig/sock"),
]


@pytest.mark.security
@pytest.mark.parametrize(("service", "reason"), ASKS, ids=lambda value: str(value)[:50])
def test_what_reaches_the_machine_is_named(service: Config, reason: str) -> None:
    assert reasons(service) == [reason]


@pytest.mark.security
@pytest.mark.parametrize("path", REACHING)
def test_paths_that_reach_the_machine_are_named_however_they_are_mounted(path: str) -> None:
    named = [f"mounts {path}"]
    assert reasons(bind(path)) == named
    for options in ({"type": "none", "o": "bind", "device": path}, {"o": "rbind", "device": path}):
        mount = {"volumes": [{"type": "volume", "source": "data", "target": "/x"}]}
        assert reasons(mount, volumes={"data": {"driver_opts": options}}) == named
    for kind in ("configs", "secrets"):
        assert reasons({kind: [{"source": "a"}]}, **{kind: {"a": {"file": path}}}) == named


def of_volume(options: Config) -> list[str]:
    mount = {"volumes": [{"type": "volume", "source": "data", "target": "/x"}]}
    return reasons(mount, volumes={"data": {"driver_opts": options}, "other": None})


@pytest.mark.security
@pytest.mark.parametrize(
    "device",
    ["proc", "./proc", "../proc", "srv/../sys", "run/docker.sock", ".onegig", ".", "dev/sda"],
)
@pytest.mark.parametrize("flags", ["bind", "rbind", "ro,bind"])
def test_a_relative_device_lies_below_the_root(device: str, flags: str) -> None:
    options = {"type": "none", "o": flags, "device": device}
    assert of_volume(options) == [f"mounts /{device}"]


@pytest.mark.security
def test_links_of_a_relative_device_are_followed(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("/proc")
    device = str(tmp_path / "data").lstrip("/")
    volumes = {"data": {"driver_opts": {"type": "none", "o": "bind", "device": device}}}
    web = {"volumes": [{"type": "volume", "source": "data", "target": "/x"}]}
    result = find_host_access({"services": {"web": web}, "volumes": volumes})
    assert result == (HostAccess(service="web", reason=f"mounts /{device}"),)


@pytest.mark.security
@pytest.mark.parametrize("kind", ["proc", "sysfs", "devtmpfs", "overlay", "ext4", "PROC"])
def test_file_systems_that_lead_to_the_kernel_or_a_disk_are_named(kind: str) -> None:
    assert of_volume({"type": kind, "device": "x"}) == [f"driver_opts.type: {kind}"]


@pytest.mark.parametrize(
    "options",
    [
        {"type": "none", "o": "bind", "device": "srv/data"},
        {"type": "tmpfs", "device": "tmpfs"},
        {"type": "nfs", "o": "addr=1.2.3.4", "device": ":/proc"},
        {"type": "nfs4", "o": "addr=1.2.3.4", "device": ":/x"},
        {"type": "cifs", "device": "//nas/x"},
        {"size": "1g"},
    ],
    ids=str,
)
def test_volumes_of_folders_memory_and_servers_are_not_named(options: Config) -> None:
    assert of_volume(options) == []


@pytest.mark.security
@pytest.mark.parametrize("target", ["/proc", "/var/run/docker.sock", "/"])
def test_links_are_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "first").symlink_to(target)
    (tmp_path / "data").symlink_to("first")
    for path in (tmp_path / "data", tmp_path / "data" / "."):
        result = find_host_access({"services": {"web": bind(str(path))}})
        assert result == (HostAccess(service="web", reason=f"mounts {path}"),)


@pytest.mark.security
@pytest.mark.parametrize("network", [{"name": "host", "external": True}, {"driver": "host"}])
def test_the_hosts_network_by_another_name(network: Config) -> None:
    assert reasons({"networks": {"lan": None}}, networks={"lan": network}) == ["network_mode: host"]


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"privileged": False},
        {"network_mode": "bridge", "pid": "service:db", "ipc": "shareable", "cgroup": "private"},
        {"cap_add": ["NET_BIND_SERVICE", "CAP_CHOWN"], "cap_drop": ["ALL"]},
        {"security_opt": ["no-new-privileges:true", "seccomp=builtin", "label=level:s0"]},
        {"security_opt": ["apparmor=docker-default"]},
        {"runtime": "runc"},
        {"runtime": ""},
        {"sysctls": {"net.core.somaxconn": "1024"}},
        {"build": {"context": ".", "network": "none"}},
        bind("/srv/data"),
        bind("/etc/localtime"),
        bind("/home/me/proc"),
        bind("/var/lib/docker-data"),
        bind("/run/mysqld"),
        bind("/dev/null"),
        bind("/dev/shm"),
        bind("/process"),
        {"volumes": [{"type": "tmpfs", "target": "/run"}]},
        {"volumes": [{"type": "volume", "target": "/proc"}]},
    ],
    ids=str,
)
def test_what_stays_in_the_box_is_not_named(service: Config) -> None:
    assert reasons(service) == []


@pytest.mark.security
@pytest.mark.parametrize(
    ("shared", "reason"),
    [
        ({"volumes_from": ["proxy:ro"]}, "volumes_from: proxy:ro"),
        ({"pid": "service:proxy"}, "pid: service:proxy"),
        ({"volumes_from": ["middle"]}, "volumes_from: middle"),
        ({"volumes_from": ["container:other"]}, "volumes_from: container:other"),
        ({"network_mode": "container:other"}, "network_mode: container:other"),
    ],
)
def test_what_is_shared_with_a_service_that_reaches_the_machine(
    shared: Config, reason: str
) -> None:
    services = {
        "web": shared,
        "middle": {"volumes_from": ["proxy"]},
        "proxy": {**bind("/var/run/docker.sock"), "pid": "host"},
    }
    result = find_host_access({"services": services}, lambda path: path)
    assert [entry.reason for entry in result if entry.service == "web"] == [reason]


def test_what_is_shared_with_a_service_that_reaches_nothing() -> None:
    services = {
        "web": {"volumes_from": ["db"], "network_mode": "service:db", "pid": "service:db"},
        "db": bind("/srv/data"),
    }
    assert find_host_access({"services": services}, lambda path: path) == ()


def test_reasons_stand_in_the_files_order_each_once() -> None:
    services = {
        "b": {"privileged": True, "volumes": [*bind("/run")["volumes"] * 2]},
        "a": {"pid": "host"},
    }
    assert [
        (access.service, access.reason) for access in find_host_access({"services": services})
    ] == [
        ("b", "privileged: true"),
        ("b", "mounts /run"),
        ("a", "pid: host"),
    ]
