"""What builds take from elsewhere: which images of other services their Dockerfiles name."""

import json
from pathlib import Path
from typing import Any

import pytest

from onegig.config.stack import read_build_inputs
from onegig.model.stack import Stack


def bases(services: dict[str, Any]) -> dict[str, dict[str, str]]:
    """By service, the images it starts or copies from and the services that build them."""
    stack = Stack(
        name="shop",
        directory="/shop",
        files=("compose.yml",),
        services=(),
        config_json=json.dumps({"name": "shop", "services": services}),
    )
    return {name: dict(result) for name, result in read_build_inputs(stack, {}).bases.items()}


def inline(text: str, **build: Any) -> dict[str, Any]:
    """A build section with this Dockerfile."""
    return {"context": "/shop", "dockerfile_inline": text, **build}


BASE = {"image": "shop/base", "build": inline("FROM scratch", tags=["shop/tools:2"])}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FROM shop/base", ["shop/base"]),
        ("FROM shop/base:latest AS x", ["shop/base"]),
        ("FROM docker.io/shop/base", ["shop/base"]),
        ("ARG OF=base\nFROM shop/$OF", ["shop/base"]),
        ("FROM scratch\nCOPY --from=shop/base /a /a", ["shop/base"]),
        ("FROM scratch\nRUN --mount=type=bind,from=shop/base true", ["shop/base"]),
        ("FROM shop/base\nCOPY --from=shop/tools:2 /a /a", ["shop/base", "shop/tools:2"]),
        ("FROM scratch AS shop/base\nFROM shop/base", []),
        ("FROM shop/base:1", []),
        ("FROM shop/base@sha256:12", []),
        ("FROM shop/base AS unused\nFROM scratch", []),
    ],
)
def test_images_that_another_service_builds(text: str, names: list[str]) -> None:
    result = bases({"web": {"build": inline(text)}, "base": BASE})
    assert result == ({"web": dict.fromkeys(names, "base")} if names else {})


def test_a_dockerfile_in_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM shop-lib\n")
    services = {"web": {"build": {"context": str(tmp_path)}}, "lib": {"build": inline("FROM a")}}
    assert bases(services) == {"web": {"shop-lib": "lib"}}


def test_a_stage_may_be_chosen_by_the_platform() -> None:
    text = "FROM shop/base AS for-arm64\nFROM alpine AS for-amd64\nFROM for-$TARGETARCH\n"
    arm = {"platform": "linux/arm64/v8", "build": inline(text)}
    amd = {"platform": "linux/amd64", "build": inline(text)}
    assert bases({"arm": arm, "amd": amd, "base": BASE}) == {"arm": {"shop/base": "base"}}


def test_a_secrets_variable_may_have_a_name_that_compose_cannot_write() -> None:
    build = inline("FROM scratch", secrets=[{"source": "odd"}])
    config = {"services": {"web": {"build": build}}, "secrets": {"odd": {"environment": "A-B"}}}
    stack = Stack(name="shop", directory="/", files=(), services=(), config_json=json.dumps(config))
    assert read_build_inputs(stack, {}).secrets == {}


def test_a_services_own_image_is_not_its_base() -> None:
    worker = {"image": "shop/web", "build": inline("FROM shop/web")}
    assert bases({"web": worker, "worker": worker}) == {}


def test_a_context_of_that_name_goes_before_the_image() -> None:
    build = inline("FROM shop/base", additional_contexts={"shop/base": "docker-image://mine"})
    assert bases({"web": {"build": build}, "base": BASE}) == {}
