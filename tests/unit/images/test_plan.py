"""The definition for bake, from the build sections of a project as compose resolves it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onegig.engine.build_plan import dump_plan, make_plan, target_of
from onegig.model.stack import BuildInputs, Stack
from stacks import plain_service

CONTEXT = {"context": "/shop"}


@pytest.fixture(autouse=True)
def _no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def stack(services: dict[str, Any], **config: Any) -> Stack:
    """The stack of these services; those that are scaled to zero are not of it."""
    return Stack(
        name="shop",
        directory="/shop",
        files=(),
        services=tuple(
            plain_service(name, one.get("image", f"shop-{name}"), builds="build" in one)
            for name, one in services.items()
            if one.get("scale") != 0
        ),
        config_json=json.dumps({"name": "shop", "services": services, **config}),
    )


def target(build: dict[str, Any], **config: Any) -> dict[str, Any]:
    """The target of a single service."""
    service = {"build": {**CONTEXT, **build}, **config.pop("service", {})}
    plan = make_plan(stack({"web": service}, **config), BuildInputs())
    web: dict[str, Any] = plan["target"]["web"]
    return web


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ({}, {}),
        *(
            (same, same)
            for same in (
                {"dockerfile": "docker/web", "target": "run"},
                {"ssh": ["default", "mine=/key"]},
                {"network": "host", "pull": True},
                {"platforms": ["linux/arm64"]},
            )
        ),
        (
            {"dockerfile_inline": "FROM $${X}", "dockerfile": "Dockerfile"},
            {"dockerfile-inline": "FROM ${X}"},
        ),
        ({"args": {"A": "1", "B": "", "UNSET": None}}, {"args": {"A": "1", "B": ""}}),
        ({"shm_size": "1000"}, {"shm-size": "1000"}),
        (
            {"ulimits": {"nofile": {"soft": 1, "hard": 2}, "nproc": 5}},
            {"ulimits": ["nofile=1:2", "nproc=5"]},
        ),
        (
            {"extra_hosts": ["db:1.2.3.4", "six=::1"]},
            {"extra-hosts": {"db": "1.2.3.4", "six": "::1"}},
        ),
        ({"platforms": ["linux/amd64", "linux/arm64"]}, {}),
        ({"additional_contexts": {"lib": "/lib"}}, {"contexts": {"lib": "/lib"}}),
    ],
)
def test_a_build_section_in_bakes_terms(build: dict[str, Any], expected: dict[str, Any]) -> None:
    fixed = {"context": "/shop", "tags": ["shop-web"], "output": ["type=docker"]}
    assert target(build) == {**fixed, **expected}


def test_the_platform_that_runs_is_built() -> None:
    both = {"platforms": ["linux/amd64", "linux/arm64"]}
    assert target(both, service={"platform": "linux/arm64"})["platforms"] == ["linux/arm64"]


def test_secrets_are_files_and_variables_whatever_the_folder_is_called() -> None:
    build = {"secrets": [{"source": "file", "target": "key"}, {"source": "token"}]}
    secrets = {"file": {"file": "/a,b/key"}, "token": {"environment": "TOKEN"}}
    assert target(build, secrets=secrets)["secret"] == [
        'id=key,"src=/a,b/key"',
        "id=token,env=ONEGIG_SECRET_TOKEN",
    ]


def test_a_base_that_another_service_builds_is_built_too() -> None:
    services = {
        "web": {"build": CONTEXT},
        "lib.base": {"build": CONTEXT, "scale": 0},
        "other": {"build": CONTEXT, "scale": 0},
    }
    plan = make_plan(stack(services), BuildInputs(bases={"web": {"shop/base": "lib.base"}}))
    base = target_of("lib.base")
    assert plan["group"] == {"default": {"targets": ["web", base]}}
    assert list(plan["target"]) == ["web", base]
    assert plan["target"]["web"]["contexts"] == {"shop/base": f"target:{base}"}
    assert plan["target"][base]["tags"] == ["shop-lib.base"]


def test_services_whose_names_differ_in_a_dot_are_both_built() -> None:
    plan = make_plan(stack({name: {"build": CONTEXT} for name in ("b.c", "b_c")}), BuildInputs())
    tags = sorted(target["tags"] for target in plan["target"].values())
    assert tags == [["shop-b.c"], ["shop-b_c"]]


def test_a_context_may_be_another_services_image() -> None:
    services = {
        "web": {
            "build": {**CONTEXT, "additional_contexts": {"a": "service:lib", "b": "service:db"}}
        },
        "lib": {"build": CONTEXT},
        "db": {"image": "postgres:18"},
    }
    plan = make_plan(stack(services), BuildInputs())
    contexts = {"a": "target:lib", "b": "docker-image://postgres:18"}
    assert plan["target"]["web"]["contexts"] == contexts


def test_only_the_services_of_a_part_are_put_on_the_engine() -> None:
    whole = stack({"web": {"build": CONTEXT}, "mail": {"build": CONTEXT}})
    part = replace(whole, services=whole.services[:1])
    assert list(make_plan(part, BuildInputs())["target"]) == ["web"]


def test_what_looks_like_bakes_templates_is_text() -> None:
    plan = make_plan(
        stack({"web": {"build": {**CONTEXT, "args": {"A": "$${x} %{if}"}}}}), BuildInputs()
    )
    assert '"A": "$${x} %%{if}"' in dump_plan(plan)


def test_this_machines_certificates_are_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert target({})["secret"] == [f"id=ca,src={bundle}"]
