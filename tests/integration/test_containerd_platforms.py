"""Indexes, platforms, mixed compression and damage in containerd's image store."""

import os
import platform
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker import DockerClient, utils

from container_files import export, live
from containerd_engine import Store, blob_of
from foreign_tars import ABOVE, BELOW, LAYERS, sparse
from looked_at import content_of, look, look_at
from made_layouts import FORMS, Descriptor, Layout, digest, for_linux_on
from made_tars import tar_of
from onegig.engine.images import Images
from onegig.images.archive import Archive
from onegig.model.images import Accounting
from onegig.process import CommandError, run
from saved_image import read_saved
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

NAME = "onegig-test-layouts:1"
OWN, OTHER = ("arm64", "amd64") if platform.machine() == "aarch64" else ("amd64", "arm64")
OURS = (
    tar_of(("a", tarfile.REGTYPE, b"a" * 5000, ""), ("b", tarfile.REGTYPE, b"b" * 3000, "")),
    tar_of(("b", tarfile.REGTYPE, b"c" * 100, "")),
    tar_of((".wh.a", tarfile.REGTYPE, b"", "")),
)
THEIRS = (tar_of(("a", tarfile.REGTYPE, b"z" * 7000, "")),)


def own(layout: Layout, *forms: str) -> Descriptor:
    return layout.image(OURS, forms or ("gzip",) * 3, architecture=OWN)


def other(layout: Layout) -> Descriptor:
    return layout.image(THEIRS, ["gzip"], architecture=OTHER)


def beside_its_proof(layout: Layout) -> Descriptor:
    image = own(layout)
    return layout.index(image, layout.proof(image))


def beside_a_nested_index(layout: Layout) -> Descriptor:
    nested = layout.index(other(layout)) | {"platform": for_linux_on(OTHER)}
    return layout.index(nested, own(layout))


def beside_the_same_for_another_platform(layout: Layout) -> Descriptor:
    same = layout.image(OURS, ["gzip"] * 3, architecture=OTHER)
    return layout.index(same, own(layout))


MADE: dict[str, Callable[[Layout], Descriptor]] = {
    "of three compressions": lambda layout: own(layout, "plain", "gzip", "zstd"),
    "of several frames": lambda layout: own(layout, "frames", "frames", "frames"),
    "in an index": lambda layout: layout.index(own(layout)),
    "beside its attestation": beside_its_proof,
    "beside another platform": lambda layout: layout.index(other(layout), own(layout)),
    "beside one that is not here": lambda layout: layout.index(
        layout.drop(other(layout)), own(layout)
    ),
    "beside the same layers": beside_the_same_for_another_platform,
    "beside a nested index": beside_a_nested_index,
}


@dataclass(frozen=True)
class Loader:
    """Layouts into the engine."""

    box: Store
    folder: Path

    def load(self, layout: Layout, top: Descriptor) -> Path:
        path = self.folder / "layout.tar"
        path.write_bytes(layout.archive(top, f"docker.io/library/{NAME}"))
        load = ["docker", "load", "--quiet", "--input", str(path)]
        try:
            run(load, env=self.box.environment)
        except CommandError as error:
            if "parent snapshot" not in error.detail:  # which the engine was just removing
                raise
            run(load, env=self.box.environment)
        return path


@pytest.fixture
def loader(store: Store, tmp_path: Path) -> Loader:
    return Loader(store, tmp_path)


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_an_image(make: Callable[[Layout], Descriptor], store: Store, loader: Loader) -> None:
    top = make(layout := Layout())
    loader.load(layout, top)
    image = look_at(Images(store.client), NAME)
    assert (image.image_id, image.architecture) == (top["digest"], OWN)
    assert [layer.diff_id for layer in image.layers] == [digest(layer) for layer in OURS]
    assert [layer.size_bytes for layer in image.layers] == [8000, 100, 0]
    assert [layer.instruction for layer in image.layers] == [f"{OWN} {at}" for at in range(3)]
    assert isinstance(image.accounting, Accounting)
    assert (image.accounting.live_bytes, image.accounting.dead_bytes) == (100, 8000)


def test_an_image_whose_other_platforms_are_missing_comes_from_a_registry(
    store: Store, loader: Loader
) -> None:
    """From Engine 28 on, which says so; what is whole may have been built here."""
    if utils.version_lt(store.client.api.api_version, "1.48"):
        pytest.skip("the engine does not list manifests")
    noise = tar_of(("noise", tarfile.REGTYPE, os.urandom(100), ""))  # seen by no other test
    for is_pulled in (True, False):
        theirs = (layout := Layout()).image([noise], ["gzip"], architecture=OTHER)
        top = layout.index(layout.drop(theirs) if is_pulled else theirs, own(layout))
        loader.load(layout, top)
        images = Images(store.client)
        (listed,) = (image for image in images.listed if image.image_id == top["digest"])
        assert listed.in_registry is is_pulled
        assert bool(images.image(NAME).digests) is is_pulled


def test_an_image_of_another_platform(store: Store, loader: Loader) -> None:
    loader.load(layout := Layout(), layout.index(other(layout)))
    image = look_at(Images(store.client), NAME)
    assert (image.architecture, image.size_bytes) == (OTHER, 7000)


def test_a_layer_that_comes_twice_and_one_of_nothing(store: Store, loader: Loader) -> None:
    layout = Layout()
    layers = [OURS[0], OURS[1], OURS[0], bytes(1024)]
    loader.load(layout, layout.image(layers, ["gzip", "zstd", "gzip", "gzip"], architecture=OWN))
    image = look_at(Images(store.client), NAME)
    assert [layer.size_bytes for layer in image.layers] == [8000, 100, 8000, 0]
    assert isinstance(image.accounting, Accounting)
    assert image.accounting.live_bytes == 8000
    assert image.accounting.dead_bytes == 8100


@pytest.mark.parametrize("form", ["gzip", "zstd", "frames"])
def test_the_bytes_to_pull_are_those_of_the_blobs(form: str, store: Store, loader: Loader) -> None:
    loader.load(layout := Layout(), own(layout, form, form, form))
    image = look_at(Images(store.client), NAME)
    _, compress = FORMS[form]
    sizes = [len(compress(layer)) for layer in OURS]
    assert [layer.compressed_bytes for layer in image.layers] == sizes


@pytest.mark.parametrize("form", ["plain", "zstd"])
@pytest.mark.parametrize("layer", [*LAYERS.values(), sparse("posix")], ids=[*LAYERS, "sparse"])
def test_a_layer_of_another_tool(
    layer: bytes, form: str, store: Store, loader: Loader, tmp_path: Path
) -> None:
    layout, engine = Layout(), Images(store.client)
    path = loader.load(layout, layout.image([BELOW, layer, ABOVE], [form] * 3, architecture=OWN))
    before = Archive(path)
    (reference,) = before.references
    assert content_of(look_at(engine, NAME)) == content_of(look_at(before, reference))
    exported = export(store.client, NAME, tmp_path / "files.tar")
    assert live(read_saved(engine, NAME, tmp_path).account, exported) == exported


def test_what_the_engine_cannot_save_is_an_error(store: Store, loader: Loader) -> None:
    """Engine 26 can't where the only entry of an index is an index; should one, it is whole."""
    loader.load(layout := Layout(), layout.index(layout.index(own(layout))))
    result = look(Images(store.client), NAME)
    if result.problems:
        assert result.report.images == ()
        assert "the engine could not save the image" in result.problems[0]
    else:
        assert [layer.size_bytes for layer in result.report.images[0].layers] == [8000, 100, 0]


@pytest.mark.parametrize("form", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda blob: b"",
        lambda blob: blob[: len(blob) // 2],
        lambda blob: blob[:2000] + bytes([blob[2000] ^ 1]) + blob[2001:],
        None,
    ],
    ids=["empty", "short", "changed", "gone"],
)
def test_damage_is_an_error(
    damage: Callable[[bytes], bytes] | None,
    form: str,
    client: DockerClient,
    store: Store,
    loader: Loader,
) -> None:
    layout = Layout()
    layer = tar_of(("noise", tarfile.REGTYPE, os.urandom(5000), ""))
    loader.load(layout, layout.image([layer], [form], architecture=OWN))
    assert look_at(Images(store.client), NAME).size_bytes == 5000
    blob = FORMS[form][1](layer)
    path = blob_of(client, store, digest(blob))
    assert path.read_bytes() == blob
    path.unlink()
    if damage:
        path.write_bytes(damage(blob))
    result = look(Images(store.client), NAME)
    assert result.report.images == ()
    (problem,) = result.problems
    assert "the archive of images is damaged" in problem or "is not in the archive" in problem


def test_a_damaged_image_takes_no_other_with_it(
    client: DockerClient, store: Store, loader: Loader
) -> None:
    """Engine 26 ends the archive in good order and says so after; 29 leaves images out."""
    layout = Layout()
    layer = tar_of(("noise", tarfile.REGTYPE, os.urandom(5000), ""))
    loader.load(layout, layout.image([layer], ["plain"], architecture=OWN))
    path = blob_of(client, store, digest(layer))
    path.unlink()
    path.write_bytes(layer[:2000] + bytes([layer[2000] ^ 1]) + layer[2001:])
    result = look(Images(store.client), NAME, SMALL_IMAGE)
    assert [image.reference for image in result.report.images] == [SMALL_IMAGE]
    (problem,) = result.problems
    assert problem.startswith(f"{NAME}: ")
    assert "unexpected digest" in problem or "is not in the archive" in problem
