"""Engines of the twin's guest: what is started, and what a project becomes for each."""

import tomllib

import pytest

from onegig.machine.project import BoxProject
from onegig.machine.subnets import Addresses
from onegig.machine.twin.engines import adapt_project, containers_conf, guest_engine
from onegig.model.engines import EngineKind

WEB = {
    "ports": [{"target": 80, "published": "80", "host_ip": "127.0.0.1"}],
    "healthcheck": {"interval": "10s", "start_interval": "1s"},
    "logging": {"driver": "local"},
}
DB = {"logging": {"driver": "json-file"}, "ports": [{"target": 5, "host_ip": "127.0.0.1"}]}
PROJECT = BoxProject(
    directory="/demo", config={"name": "demo", "services": {"web": WEB, "db": DB}}, remarks=("x",)
)
OPEN = [{"target": 80, "published": "80"}]


def test_docker_takes_a_project_as_it_is() -> None:
    assert adapt_project(PROJECT, EngineKind.DOCKER) == PROJECT


def test_without_a_proxy_the_load_reaches_ports_of_loopback_addresses() -> None:
    adapted = adapt_project(PROJECT, EngineKind.TUNED)
    services = {"web": {**WEB, "ports": OPEN}, "db": {**DB, "ports": [{"target": 5}]}}
    assert adapted.config == {"name": "demo", "services": services}
    assert adapted.remarks == ("x",)


def test_podman_gets_no_key_that_it_refuses_and_each_is_remarked() -> None:
    adapted = adapt_project(PROJECT, EngineKind.PODMAN)
    assert adapted.config["services"]["web"] == {"ports": OPEN, "healthcheck": {"interval": "10s"}}
    assert adapted.config["services"]["db"]["logging"] == {"driver": "json-file"}
    assert adapted.remarks == (
        "x",
        "web: start_interval is ignored: docker compose refuses it for Podman.",
        "web: the twin logs to json-file instead of local, which Podman does not have.",
    )


@pytest.mark.parametrize("kind", [EngineKind.PODMAN, EngineKind.PODMAN_RUNC])
def test_podman_is_configured_as_docker_is(kind: EngineKind) -> None:
    addresses = Addresses(bridge="10.200.0.1/24", pool="10.201.0.0/16")
    assert tomllib.loads(containers_conf(kind, addresses)) == {
        "containers": {"host_containers_internal_ip": "192.0.2.2"},
        "engine": {"runtime": kind.runtime},
        "network": {
            "default_subnet": "10.200.0.0/24",
            "default_subnet_pools": [{"base": "10.201.0.0/16", "size": 24}],
        },
    }


def test_only_a_tuned_docker_has_options() -> None:
    plain, tuned = (guest_engine(kind).settings() for kind in (EngineKind.DOCKER, EngineKind.TUNED))
    assert plain["ENGINE_OPTIONS"] == ""
    options = "--userland-proxy=false --log-driver=local --live-restore=true"
    assert tuned == {**plain, "ENGINE_OPTIONS": options, "GOGC": "20"}


def test_an_image_without_podman_is_an_error_of_its_own() -> None:
    podman = guest_engine(EngineKind.PODMAN)
    assert "no podman" in podman.failure(127, "").message
    assert podman.failure(1, "the journal").detail == "the journal"
