"""Images from a registry, with a stand-in for docker: only those that are missing are pulled."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from onegig.engine.bake import absent_images, platforms_of, pull_images
from onegig.errors import BuildError
from onegig.model.stack import Stack
from stacks import plain_service

DOCKER = """\
#!/bin/sh
for image; do :; done
[ "$1" = pull ] && echo "$*" >>"{folder}/asked"
case "$1 $image" in
"image mail:1") echo sha256:1 ;;
"image"*) exit 1 ;;
"buildx -") grep -q "^FROM base:1" && echo "$*" >>"{folder}/built" ;;
"pull cache:1") echo "$image" >>"{folder}/pulled" ;;
*) echo "denied: $image" >&2; exit 1 ;;
esac
"""
SERVICE = plain_service("")


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that has mail:1, and a registry that gives cache:1."""
    path = tmp_path / "docker"
    path.write_text(DOCKER.format(folder=tmp_path))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def stack(**images: bool) -> Stack:
    services = [
        replace(SERVICE, name=name, image=f"{name.rstrip('_')}:1", builds=builds)
        for name, builds in images.items()
    ]
    return Stack(name="shop", directory="/", files=(), services=tuple(services), config_json="")


def test_what_is_built_or_there_already_is_not_pulled(tmp_path: Path) -> None:
    shop = stack(web=True, web_=False, mail=False, cache=False)
    lines: list[str] = []
    pull_images(absent_images(shop), lines.append)
    assert lines == ["cache:1"]
    assert (tmp_path / "pulled").read_text() == "cache:1\n"


def test_one_that_cannot_be_had_is_named_with_what_the_registry_said() -> None:
    with pytest.raises(BuildError, match="the image queue:1 could not be pulled") as caught:
        pull_images(absent_images(stack(queue=False)), lambda _line: None)
    assert caught.value.detail == "denied: queue:1"


def test_what_only_the_builder_has_is_taken_from_there(tmp_path: Path) -> None:
    lines: list[str] = []
    pull_images(absent_images(stack(base=False)), lines.append)
    assert lines == ["base:1", "base:1 comes from the builder: it could not be pulled"]
    assert "--output=type=docker,name=base:1 -" in (tmp_path / "built").read_text()
    with pytest.raises(BuildError, match=r"base:1@sha256:1 could not be pulled"):
        pull_images(["base:1@sha256:1"], lines.append)


def test_the_platform_of_a_service_is_pulled(tmp_path: Path) -> None:
    shop = stack(cache=False)
    shop = replace(shop, services=(replace(shop.services[0], platform="linux/arm64"),))
    pull_images(absent_images(shop), lambda _line: None, platforms_of(shop))
    assert (tmp_path / "asked").read_text() == "pull --quiet --platform=linux/arm64 cache:1\n"


@pytest.mark.security
def test_a_name_adds_nothing_to_the_output(tmp_path: Path) -> None:
    pull_images(["base:1,dest=/tmp/x"], lambda _line: None)
    assert '--output=type=docker,"name=base:1,dest=/tmp/x" -' in (tmp_path / "built").read_text()


@pytest.mark.security
@pytest.mark.parametrize("image", ["base:1\nRUN x", "base:1 AS x", ""])
def test_a_name_adds_nothing_to_the_dockerfile(tmp_path: Path, image: str) -> None:
    with pytest.raises(BuildError):
        pull_images([image], lambda _line: None)
    assert not (tmp_path / "built").exists()
