"""The compose project as the box runs it: what changes, what stays, and which remarks there are."""

import copy
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from box_projects import (
    MACHINE,
    Config,
    bind,
    prepare,
    resources,
    service,
)
from onegig.engine.owned import Run
from onegig.errors import BootError, EngineError
from onegig.machine.box import did_not_come_up, read_remarks
from onegig.machine.cgroup import meminfo_text
from onegig.machine.nesting import Dind, asks_for_disk, bind_option, read_sockets
from onegig.machine.project import BoxProject, prepare_project, raise_oom_scores

# Services


def test_nothing_of_the_build_is_left_and_the_given_project_is_not_changed() -> None:
    given: Config = {"name": "shop", "services": {"web": {"build": {}, "develop": {}}}}
    before = copy.deepcopy(given)
    project = prepare_project(given, directory="/", machine_bytes=MACHINE, architecture="amd64")
    assert given == before
    web = project.config["services"]["web"]
    assert (web.keys(), web["image"]) == ({"image", "volumes", "mem_limit"}, "shop-web")


@pytest.mark.parametrize(
    ("key", "value", "remark"),
    [
        ("cgroup_parent", "/limited", "web: cgroup_parent is ignored in the box."),
        ("pull_policy", "always", None),
        ("platform", "linux/arm64", "web: its platform is linux/arm64, this machine's is amd64."),
        ("platform", "linux/amd64", None),
        ("logging", {"driver": "syslog"}, "web: the box logs to json-file instead of syslog."),
    ],
)
def test_keys_that_reach_outside_the_box_are_removed(
    key: str, value: Any, remark: str | None
) -> None:
    project = prepare({"web": {key: value}})
    assert key not in project.config["services"]["web"]
    assert project.remarks == ((remark,) if remark else ())


@pytest.mark.parametrize("driver", ["none", "json-file", "local"])
def test_log_drivers_of_the_engine_stay(driver: str) -> None:
    logging = {"driver": driver, "options": {"max-size": "1m"}}
    assert service(logging=logging)["logging"] == logging


def test_services_with_the_same_remark_share_it() -> None:
    logging = {"driver": "gelf"}
    remarks = prepare({"a": {"logging": logging}, "b": {"logging": logging}}).remarks
    assert remarks == ("a, b: the box logs to json-file instead of gelf.",)


def test_ports_on_addresses_of_the_machine_do_not_collide() -> None:
    given = ("192.168.1.5", "192.168.1.6", "127.0.0.1", "0.0.0.0", "::")
    ports = [{"target": 53, "published": "53", "host_ip": host} for host in given]
    hosts = [port["host_ip"] for port in service(ports=ports)["ports"]]
    assert hosts == ["127.0.1.1", "127.0.1.2", "127.0.0.1", "0.0.0.0", "::"]


# Mounts


@pytest.mark.parametrize(
    "source", ["/var/run/docker.sock", "/run/user/1000/docker.sock", "/run/podman/podman.sock"]
)
def test_an_engines_socket_is_that_of_the_box(source: str) -> None:
    mounts = [bind(source, "/var/run/docker.sock", read_only=True)]
    project = prepare({"web": {"volumes": mounts}})
    shown = project.config["services"]["web"]["volumes"][0]
    assert shown == bind("/run/docker.sock", "/var/run/docker.sock", read_only=True)
    assert project.remarks == (f"web: {source} is the socket of the box's own engine.",)


def test_folders_and_files_that_the_box_must_show() -> None:
    project = prepare(
        {
            "a": {"volumes": [bind("/srv/x", "/x"), bind("/srv/x", "/y"), bind("/a:b", "/z")]},
            "b": {"volumes": [bind("/run/docker.sock", "/s"), {"type": "volume", "target": "/v"}]},
        },
        volumes={
            "disk": {"name": "d", "driver_opts": {"type": "none", "o": "rw,bind", "device": "/d"}},
            "plain": {"name": "p"},
            "none": None,
        },
        configs={"c": {"file": "/etc/c.conf"}, "inline": {"content": "x"}},
        secrets={"s": {"file": "/srv/secret"}, "e": {"environment": "X"}},
    )
    assert project.folders == ("/srv/x", "/a:b", "/d")
    assert project.files == ("/etc/c.conf", "/srv/secret")
    assert project.remarks == ("b: /run/docker.sock is the socket of the box's own engine.",)


def test_a_path_with_a_colon_is_not_handed_on_as_source_and_target() -> None:
    mounts = service(
        volumes=[
            bind("/a:b", "/x", bind={"create_host_path": True, "propagation": "rslave"}),
            bind("/ab", "/y", bind={"create_host_path": True}),
        ]
    )["volumes"]
    assert mounts[0]["bind"] == {"create_host_path": False, "propagation": "rslave"}
    assert mounts[1]["bind"] == {"create_host_path": True}


@pytest.mark.parametrize(
    ("source", "option"),
    [
        ("/plain dir", "type=bind,source=/plain dir,target=/t,readonly"),
        ("/a:b", "type=bind,source=/a:b,target=/t,readonly"),
        ("/a,b", 'type=bind,"source=/a,b",target=/t,readonly'),
        ('/a"b', 'type=bind,"source=/a""b",target=/t,readonly'),
    ],
)
def test_mount_options_hold_any_path(source: str, option: str) -> None:
    assert bind_option(source, "/t", read_only=True) == option


def test_sockets_of_the_host(tmp_path: Path) -> None:
    table = tmp_path / "unix"
    table.write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "ffff8c00: 00000002 00000000 00010000 0001 01 12345 /var/lib/my sql/mysql.sock\n"
        "ffff8c01: 00000003 00000000 00000000 0001 03 12346\n"
        "ffff8c02: 00000002 00000000 00010000 0001 01 12347 @/tmp/abstract\n"
        "ffff8c03: 00000002 00000000 00010000 0001 01 12348 /run/docker.sock\n"
        "ffff8c04: 00000002 00000000 00010000 0001 01 12349 /var/lib/my sql/mysql.sock\n"
    )
    assert read_sockets(table) == ("/run/docker.sock", "/var/lib/my sql/mysql.sock")
    assert read_sockets(tmp_path / "none") == ()


# Memory


def test_a_service_sees_the_machines_memory() -> None:
    result = service()
    assert result["mem_limit"] == str(MACHINE)
    assert result["volumes"] == [bind("/.onegig/meminfo", "/proc/meminfo", read_only=True)]


@pytest.mark.parametrize("target", ["/proc", "/proc/", "/proc/meminfo"])
def test_a_service_keeps_its_own_meminfo(target: str) -> None:
    mounts = [bind("/srv/own", target)]
    assert service(volumes=mounts)["volumes"] == mounts


@pytest.mark.parametrize(
    ("keys", "limit"),
    [
        ({"mem_limit": "1000"}, "1000"),
        ({"mem_limit": str(MACHINE * 4)}, str(MACHINE)),  # a machine has no more than it has
        ({"mem_reservation": "1000"}, str(MACHINE)),
        ({"mem_reservation": str(MACHINE * 2)}, str(MACHINE * 2)),
        ({"deploy": resources("reservations", MACHINE * 2)}, str(MACHINE * 2)),
        ({"deploy": resources("limits", 1000)}, None),
        ({"memswap_limit": "-1"}, str(MACHINE)),
        ({"memswap_limit": "1000"}, None),  # the engine refuses it, on a machine as well
    ],
)
def test_limits_of_memory(keys: Config, limit: str | None) -> None:
    assert service(**keys).get("mem_limit") == limit


@pytest.mark.parametrize("given", [{}, {"memory": str(MACHINE * 4)}])
def test_a_limit_goes_where_compose_allows_it(given: Config) -> None:
    result = service(deploy={"resources": {"limits": {"cpus": "0.5", **given}}})
    assert result["deploy"]["resources"]["limits"] == {"cpus": "0.5", "memory": str(MACHINE)}
    assert "mem_limit" not in result


@pytest.mark.parametrize(
    ("given", "bytes_"),
    [
        ("", MACHINE // 2),
        ("mode=755", MACHINE // 2),
        ("size=25%", MACHINE // 4),
        ("size=64m", None),
        ("size=50%,size=1g,mode=700", None),
    ],
)
def test_a_tmpfs_has_the_size_that_it_has_on_the_machine(given: str, bytes_: int | None) -> None:
    volume = {"name": "v", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": given}}
    long = {"type": "tmpfs", "target": "/long"}
    services = {"web": {"tmpfs": [f"/short:{given}" if given else "/short"], "volumes": [long]}}
    config = prepare(services, volumes={"v": volume}).config
    options = config["volumes"]["v"]["driver_opts"]["o"]
    assert config["services"]["web"]["tmpfs"] == [f"/short:{options}"]
    assert options.split(",")[-1] == (given.split(",")[-1] if bytes_ is None else f"size={bytes_}")
    assert config["services"]["web"]["volumes"][0]["tmpfs"] == {"size": str(MACHINE // 2)}


def test_oom_scores_are_raised_by_the_same() -> None:
    services = {"a": {}, "b": {"oom_score_adj": -300}, "c": {"oom_score_adj": 900}}
    config = raise_oom_scores({"name": "shop", "services": services}, 500)
    assert [keys["oom_score_adj"] for keys in config["services"].values()] == [500, 200, 1000]


def test_meminfo_of_a_machine() -> None:
    lines = meminfo_text(MACHINE).splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    assert all(re.fullmatch(r"[\w()]+: +\d+( kB)?", line) for line in lines)
    assert lines[0] == "MemTotal:         990208 kB"
    assert values["MemFree"] < values["MemAvailable"] < values["MemTotal"]
    assert values["MemFree"] + values["Buffers"] + values["Cached"] < values["MemTotal"]
    assert values["SwapTotal"] == values["SwapFree"] == 0


# The box itself


def test_the_dind_image_sees_the_projects_folder_only(tmp_path: Path) -> None:
    project = BoxProject(
        directory="/home/me/shop", folders=("/home/me/shop/data", "/srv/x"), files=("/etc/x.conf",)
    )
    run = Run(name="onegig-1", owner="me", directory=tmp_path)
    assert Dind(Mock(), run, project).remarks == (
        "/srv/x is missing in the box: the dind image can only see the project's folder.",
        "/etc/x.conf is missing in the box: the dind image can only see the project's folder.",
    )


def test_a_lost_bridge_of_the_engine_is_recognised() -> None:
    log = (
        "docker: Error response from daemon: failed to set up container networking: failed to "
        "create endpoint x on network bridge: adding interface veth1 to bridge docker0 failed: "
        "could not find bridge docker0: route ip+net: no such network interface"
    )
    error = did_not_come_up(log)
    assert error.message == "the Docker Engine has lost its bridge docker0: no container can start"
    assert isinstance(error, EngineError)  # the dind image is not tried: it would fail as well
    assert error.detail == log
    assert did_not_come_up("dockerd: no").message == "the engine inside the box did not start"


@pytest.mark.security
def test_a_box_that_could_write_on_the_machine_says_so() -> None:
    remark = "onegig: x is read-only in the box.\n"
    log = f"mount: no\n{remark}onegig refuses: /srv of this machine could be x.\n"
    error = did_not_come_up(log)
    assert error.message == "the box was not started: /srv of this machine could be x"
    assert isinstance(error, BootError)
    assert read_remarks(log) == ("x is read-only in the box.",)


@pytest.mark.security
def test_disks_stay_out_of_the_box_unless_a_service_asks_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "is_block_device", lambda path: str(path) == "/dev/sda")
    for keys, asks in (
        ({}, False),
        ({"privileged": True}, False),
        ({"devices": ["/dev/net/tun:/dev/net/tun:rwm"]}, False),
        ({"devices": ["/dev/sda:/dev/sda:rwm"]}, True),
        ({"devices": [{"source": "/dev/sda", "target": "/dev/x"}]}, True),
        ({"volumes": [{"type": "bind", "source": "/dev/sda", "target": "/dev/sda"}]}, True),
    ):
        assert asks_for_disk(prepare({"web": keys})) is asks
