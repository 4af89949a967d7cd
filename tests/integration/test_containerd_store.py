"""An engine with containerd's image store says of an image what one with the classic store says."""

import json
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pytest
from click.testing import CliRunner
from docker import DockerClient
from docker.errors import ImageNotFound

from container_files import export, live
from containerd_engine import Store
from looked_at import content_of, look, look_at
from odd_image import STEPS, build_odd
from onegig.cli import main
from onegig.engine.images import Images
from onegig.images import dive
from onegig.images.archive import Archive
from onegig.machine.project import box_references
from onegig.model.images import Accounting, Dive, Image
from onegig.process import run
from saved_image import read_saved
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

CLASSIC = "onegig-test-store:classic"
HERE = "onegig-test-store:here"
COMPRESSED = ("gzip", "zstd")


@dataclass(frozen=True)
class Packed:
    """An image in the store, and the archive that it was loaded from."""

    reference: str
    archive: Path


@pytest.fixture(scope="module")
def classic(
    client: DockerClient, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An image that the machine's own engine built, and the other one was given."""
    folder = tmp_path_factory.mktemp("context")
    build_odd(CLASSIC, folder)
    run(["docker", "save", "--output", str(folder / "saved.tar"), CLASSIC])
    load = ["docker", "load", "--quiet", "--input", str(folder / "saved.tar")]
    run(load, env=store.environment)
    yield CLASSIC
    with suppress(ImageNotFound):
        client.images.remove(CLASSIC, force=True)


@pytest.fixture(scope="module")
def expected(client: DockerClient, classic: str, installed_dive: dive.Program) -> Image:
    """What is said of it there."""
    return look_at(Images(client), classic, installed_dive)


@pytest.fixture(scope="module")
def packed(
    store: Store, classic: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Packed]:
    """The same layers compressed anew by buildx, an attestation beside them; by compression."""
    return {entry: pack(store, entry, tmp_path_factory.mktemp(entry)) for entry in COMPRESSED}


def pack(store: Store, compression: str, folder: Path) -> Packed:
    (folder / "Dockerfile").write_text(f"FROM {CLASSIC}\n")
    packed_image = Packed(f"onegig-test-store:{compression}", folder / "image.tar")
    output = f"type=oci,dest={packed_image.archive},name=docker.io/library/{packed_image.reference}"
    output += f",compression={compression},force-compression=true"
    build = ["docker", "buildx", "build", "--provenance=true", "--output", output, str(folder)]
    run(build, env=store.environment)
    run(["docker", "load", "--quiet", "--input", str(packed_image.archive)], env=store.environment)
    return packed_image


@pytest.fixture(scope="module")
def built(store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image as this store's own builder makes it, in an index with its attestation."""
    folder = tmp_path_factory.mktemp("context")
    build_odd(HERE, folder, options=["--provenance=true"], environment=store.environment)
    return HERE


def test_a_loaded_image_has_the_account_it_had(
    store: Store, expected: Image, installed_dive: dive.Program
) -> None:
    result = look_at(Images(store.client), CLASSIC, installed_dive)
    assert content_of(result) == content_of(expected)
    assert isinstance(result.dive, Dive)
    assert result.image_id == store.client.images.get(CLASSIC).id


@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_compressed_image_has_the_same_account(
    compression: str,
    store: Store,
    packed: dict[str, Packed],
    expected: Image,
    installed_dive: dive.Program,
) -> None:
    reference = packed[compression].reference
    result = look_at(Images(store.client), reference, installed_dive)
    assert content_of(result) == content_of(expected)
    assert result.image_id == store.client.images.get(reference).id


@pytest.mark.parametrize("compression", COMPRESSED)
def test_the_bytes_to_pull_are_those_of_the_blobs(
    compression: str, store: Store, packed: dict[str, Packed]
) -> None:
    packed_image = packed[compression]
    result = look_at(Images(store.client), packed_image.reference)
    assert [layer.compressed_bytes for layer in result.layers] == blob_sizes(packed_image.archive)


def blob_sizes(archive: Path) -> list[int]:
    """Sizes of an image's layers by its manifest, the first in the archive's index."""
    with tarfile.open(archive) as tar:

        def read(path: str) -> Any:
            return json.load(cast(IO[bytes], tar.extractfile(path)))

        document = read("index.json")
        while "manifests" in document:
            digest = document["manifests"][0]["digest"]
            document = read(f"blobs/sha256/{digest.removeprefix('sha256:')}")
    return [layer["size"] for layer in document["layers"]]


@pytest.mark.parametrize("compression", COMPRESSED)
def test_an_archive_of_buildx_has_the_same_account(
    compression: str, packed: dict[str, Packed], expected: Image, installed_dive: dive.Program
) -> None:
    archive = Archive(packed[compression].archive)
    assert archive.left_out == ("attestations, which are not images: 1",)
    (reference,) = archive.references
    assert content_of(look_at(archive, reference, installed_dive)) == content_of(expected)


def test_the_live_files_of_what_it_builds_are_those_of_a_container(
    store: Store, built: str, tmp_path: Path
) -> None:
    exported = export(store.client, built, tmp_path / "files.tar")
    assert live(read_saved(Images(store.client), built, tmp_path).account, exported) == exported


def test_removals_in_what_it_builds_are_charged_to_their_steps(
    store: Store, built: str, installed_dive: dive.Program
) -> None:
    image = look_at(Images(store.client), built, installed_dive)
    assert isinstance(image.accounting, Accounting)
    assert isinstance(image.dive, Dive)
    killed = [0] * len(image.layers)
    for dead in image.accounting.dead:
        killed[dead.killer] += dead.bytes
    assert killed == [0, *(dying for _, dying in STEPS), 0]
    assert image.accounting.remark == dive.explain_difference(image.dive, image.accounting)


def test_what_it_builds_has_the_same_account_on_the_classic_store(
    client: DockerClient, store: Store, built: str, installed_dive: dive.Program, tmp_path: Path
) -> None:
    run(["docker", "save", "--output", str(tmp_path / "saved.tar"), built], env=store.environment)
    run(["docker", "load", "--quiet", "--input", str(tmp_path / "saved.tar")])
    try:
        result = look_at(Images(client), built, installed_dive)
    finally:
        client.images.remove(built, force=True)
    assert content_of(result) == content_of(look_at(Images(store.client), built, installed_dive))


def test_images_inspected_together_share_their_layers(
    store: Store, built: str, packed: dict[str, Packed]
) -> None:
    compressed = [entry.reference for entry in packed.values()]
    result = look(Images(store.client), built, *compressed, CLASSIC, SMALL_IMAGE)
    assert result.problems == ()
    layers = [layer for image in result.report.images for layer in image.layers]
    sizes = {layer.chain_id: layer.size_bytes for layer in layers}
    steps = len(STEPS) + 1
    assert (len(layers), len(sizes)) == (1 + 4 * (1 + steps), 1 + 2 * steps)
    assert result.report.disk_bytes == sum(sizes.values())


def test_on_the_command_line(
    store: Store,
    packed: dict[str, Packed],
    expected: Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", store.environment["DOCKER_HOST"])
    reference = packed["zstd"].reference
    done = CliRunner().invoke(main, ["inspect", "--image", reference, "--json"])
    assert done.exit_code == 0, done.output
    (image,) = json.loads(done.stdout)["images"]
    assert image["size_bytes"] == expected.size_bytes
    assert image["image_id"] == store.client.images.get(reference).id
    layers = [layer["diff_id"] for layer in image["layers"]]
    assert layers == [layer.diff_id for layer in expected.layers]


def test_images_by_id_reach_an_engine_with_another_image_store(
    client: DockerClient, store: Store
) -> None:
    (reference,) = box_references([str(client.images.get(SMALL_IMAGE).id)]).values()
    assert store.client.containers.run(reference, ["echo", "hello"], remove=True) == b"hello\n"
