"""Which builder builds, and what a target says when GitHub's cache is used."""

from collections.abc import Callable

import pytest

from onegig.engine.bake import Builder, built_from_scratch, choose_builder, with_cache

ON_GITHUB = {"ACTIONS_RUNTIME_TOKEN": "secret", "ACTIONS_RESULTS_URL": "https://results.example/"}
LOCAL = {"ONEGIG_BASES": "assembled locally"}
CONTAINER = """\
Name:          builder-1f2e
Driver:        docker-container
Last Activity: 2026-11-23 20:44:00 +0000 UTC

Nodes:
Name:                  builder-1f2e0
Endpoint:              unix:///var/run/docker.sock
Status:                running
BuildKit daemon flags: --allow-insecure-entitlement security.insecure
BuildKit version:      v0.26.2
Platforms:             linux/amd64*, linux/386
Labels:
 org.mobyproject.buildkit.worker.executor:         oci
 org.mobyproject.buildkit.worker.snapshotter:      overlayfs
"""
ENGINE = """\
Name:   default
Driver: docker

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.20.2
Platforms:        linux/amd64, linux/386
Labels:
 org.mobyproject.buildkit.worker.moby.host-gateway-ip: 172.17.0.1
"""
CONTAINERD = f"{ENGINE} org.mobyproject.buildkit.worker.snapshotter: overlayfs\n"


def answers(text: str) -> Callable[[str], str]:
    return lambda _name: text


def refuses(_name: str) -> str:
    raise AssertionError("no builder needs to be looked at")


@pytest.mark.parametrize("variable", ON_GITHUB)
@pytest.mark.parametrize("bases", [{}, {"ONEGIG_BASES": "official"}])
def test_without_a_cache_on_offer_buildx_chooses(variable: str, bases: dict[str, str]) -> None:
    environment = ON_GITHUB | {variable: ""} | bases
    assert choose_builder(environment, refuses) == Builder(name="", cache=False)


@pytest.mark.parametrize("text", [CONTAINER, CONTAINERD])
def test_a_builder_that_can_uses_the_cache(text: str) -> None:
    assert choose_builder(ON_GITHUB, answers(text)) == Builder(cache=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ENGINE, "the engine's own builder has no cache (docker/setup-buildx-action creates one"),
        (CONTAINER.replace("v0.26.2", "v0.19.9"), "it needs BuildKit 0.20 or later"),
        (CONTAINERD.replace("v0.20.2", "v0.0.0+unknown"), "it needs BuildKit 0.20 or later"),
        (CONTAINER.replace("BuildKit version:", "Buildkit:"), ""),
        (CONTAINER.replace("docker-container", "kubernetes"), "builders of the kind kubernetes"),
        ("", "buildx does not report its builder"),
    ],
)
def test_one_that_cannot_builds_as_ever_and_says_why(text: str, why: str) -> None:
    builder = choose_builder(ON_GITHUB, answers(text))
    assert builder.cache == (not why)
    assert why in builder.remark
    assert builder.arguments == ()


def test_bases_assembled_on_the_engine_need_the_engines_own_builder() -> None:
    asked: list[str] = []

    def inspect(name: str) -> str:
        asked.append(name)
        return CONTAINERD

    assert choose_builder(LOCAL, refuses).arguments == ("--builder=default",)
    assert choose_builder(LOCAL | ON_GITHUB, inspect) == Builder(name="default", cache=True)
    assert asked == ["default"]


def test_every_target_has_a_scope_of_its_own_and_failing_to_write_it_is_ignored() -> None:
    plan = {
        "group": {"default": {"targets": ["web", "jobs"]}},
        "target": {
            "web": {"context": ".", "output": ["type=docker"], "tags": ["shop/web"]},
            "jobs": {"context": ".", "cache-from": ["shop/jobs:cache"]},
        },
    }
    assert with_cache(plan, "shop") == {
        "group": {"default": {"targets": ["web", "jobs"]}},
        "target": {
            "web": {
                "context": ".",
                "output": ["type=docker"],
                "tags": ["shop/web"],
                "cache-from": ["type=gha,scope=shop-web,timeout=5m"],
                "cache-to": ["type=gha,scope=shop-web,timeout=5m,mode=max,ignore-error=true"],
            },
            "jobs": {
                "context": ".",
                "cache-from": ["shop/jobs:cache", "type=gha,scope=shop-jobs,timeout=5m"],
                "cache-to": ["type=gha,scope=shop-jobs,timeout=5m,mode=max,ignore-error=true"],
            },
        },
    }


def test_a_build_from_nothing_knows_no_cache_and_its_bases_by_the_names_they_have_there() -> None:
    alpine = "alpine:3.23@sha256:1"
    plan = {
        "group": {"default": {"targets": ["web", "api"]}},
        "target": {
            "web": {"context": "/web", "cache-from": ["shop/web"], "cache-to": ["type=inline"]},
            "api": {"context": "/api", "contexts": {alpine: "target:web", "files": "/files"}},
        },
    }
    named, own = {alpine: "docker-image://alpine:3.23"}, {alpine: "target:web", "files": "/files"}
    assert built_from_scratch(plan, {alpine: "alpine:3.23"}) == plan | {
        "target": {
            "web": {"context": "/web", "contexts": named},
            "api": {"context": "/api", "contexts": own},
        }
    }
    assert built_from_scratch(plan, {})["target"]["web"] == {"context": "/web"}
