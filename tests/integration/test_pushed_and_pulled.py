"""What is said of an image before it is pushed is what Docker pushes, and holds after a pull."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from onegig.config.stack import load_stack
from onegig.engine import engine as engines
from onegig.engine.bake import absent_images, pull_images
from onegig.engine.images import Images
from onegig.errors import BuildError
from onegig.images.cache import Cache
from onegig.images.inspect import inspect_images
from onegig.model.images import NOT_WEIGHED, Image
from onegig.model.measured import Unknown
from onegig.model.stack import Stack
from onegig.process import run
from registry import Registry, registry
from small_image import SMALL_IMAGE
from stacks import plain_service

pytestmark = pytest.mark.engine

DOCKERFILE = f"""
FROM {SMALL_IMAGE}
RUN echo one > /etc/one && ln /etc/one /etc/two && mkdir -p /opt/d && echo x > /opt/d/x
RUN rm -rf /opt/d && mkdir /opt/d && chmod 700 /etc/one
RUN rm /etc/two
"""


@pytest.fixture
def pushed(client: DockerClient, tmp_path: Path) -> Iterator[tuple[Registry, str]]:
    """A registry and the name of an image that was built and pushed there."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    with registry() as there:
        name = f"{there.address}/onegig-test/pushed:1"
        run(["docker", "build", "--quiet", "--tag", name, str(tmp_path)], timeout_seconds=300)
        try:
            run(["docker", "push", "--quiet", name], timeout_seconds=120)
            yield there, name
        finally:
            with suppress(ImageNotFound):
                client.images.remove(name, force=True)


@pytest.fixture
def inspect(client: DockerClient, tmp_path: Path) -> Callable[..., Image]:
    def look(name: str, cache: str, *, weigh: bool = False) -> Image:
        result = inspect_images(
            {name: ()},
            engine=Images(client),
            cache=Cache(tmp_path / cache),
            environment=engines.Engine(client).describe([name]),
            progress=lambda _line: None,
            program=Unknown(reason="not asked"),
            weigh=weigh,
        )
        assert result.problems == ()
        return result.report.images[0]

    return look


def test_the_bytes_to_pull_are_those_that_docker_pushes(
    pushed: tuple[Registry, str], inspect: Callable[..., Image], client: DockerClient
) -> None:
    there, name = pushed
    sent = [layer["size"] for layer in there.manifest("onegig-test/pushed:1")["layers"]]
    assert [layer.compressed_bytes for layer in inspect(name, "registry").layers] == sent
    client.images.get(name).tag("onegig-test-unknown:1")
    client.images.remove(name, force=True)  # with it goes what the registry calls it
    try:
        unknown = inspect("onegig-test-unknown:1", "unknown")
        weighed = inspect("onegig-test-unknown:1", "weighed", weigh=True)
    finally:
        client.images.remove("onegig-test-unknown:1", force=True)
    assert unknown.compressed_bytes == NOT_WEIGHED
    ours = [layer.compressed_bytes for layer in weighed.layers]
    # containerd's store pushes the base's layer as it was loaded, perhaps without compression
    assert ours[1:] == pytest.approx(sent[1:], rel=0.01, abs=50)
    assert isinstance(ours[0], int)
    assert ours[0] <= sent[0] * 1.01


def test_a_pulled_image_has_the_account_it_had_where_it_was_built(
    client: DockerClient,
    pushed: tuple[Registry, str],
    inspect: Callable[[str, str], Image],
) -> None:
    _, name = pushed
    built = inspect(name, "where it was built")
    client.images.remove(name, force=True)
    run(["docker", "pull", "--quiet", name], timeout_seconds=120)
    pulled = inspect(name, "where it was pulled")
    assert (pulled.image_id, pulled.layers) == (built.image_id, built.layers)
    assert pulled.accounting == built.accounting
    assert pulled.accounting.dead  # type: ignore[union-attr]  # it was accounted


def test_a_stack_pulls_what_the_engine_lacks(
    client: DockerClient, pushed: tuple[Registry, str]
) -> None:
    there, name = pushed
    client.images.remove(name, force=True)
    service = plain_service("web", name)
    stack = Stack(name="shop", directory="/", files=(), services=(service,), config_json="")
    assert absent_images(stack) == (name,)
    pull_images((name,), lambda _line: None)
    assert absent_images(stack) == ()
    with pytest.raises(BuildError, match="nowhere:1 could not be pulled") as caught:
        pull_images((f"{there.address}/onegig-test/nowhere:1",), lambda _line: None)
    assert "Error response from daemon" in caught.value.detail


@pytest.mark.parametrize("tag", ["", ":1"])
def test_an_image_by_digest_is_pulled_and_inspected(
    client: DockerClient,
    pushed: tuple[Registry, str],
    inspect: Callable[[str, str], Image],
    tmp_path: Path,
    tag: str,
) -> None:
    there, name = pushed
    _, manifest = there.manifests["onegig-test/pushed:1"]
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    by_digest = f"{name.removesuffix(':1')}{tag}@{digest}"
    built = inspect(name, "by tag")
    client.images.remove(name, force=True)
    stack = load_stack((compose_file(tmp_path, by_digest),))
    assert absent_images(stack) == (by_digest,)
    try:
        pull_images(absent_images(stack), lambda _line: None)
        assert absent_images(stack) == ()
        pulled = inspect(by_digest, "by digest")
    finally:
        with suppress(ImageNotFound):
            client.images.remove(f"{name.removesuffix(':1')}@{digest}", force=True)
    assert (pulled.reference, pulled.image_id) == (by_digest, built.image_id)
    assert pulled.accounting == built.accounting


def compose_file(folder: Path, image: str) -> Path:
    path = folder / "compose.yml"
    path.write_text(f"services: {{web: {{image: {image!r}}}}}\n")
    return path
