"""Layers from the engine's own folders and from `docker save` are the same, to the byte.

And they are what the engine was given: layers of other tools that it took in and keeps apart.
"""

import io
import os
import platform
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from container_files import export, live
from foreign_tars import ABOVE, BELOW, LAYERS, sparse
from looked_at import content_of, look, look_at
from made_layouts import Layout
from onegig.images.archive import Archive
from onegig.images.layer import Kind
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.index_unpacked import index_unpacked
from onegig.images.reading.saving import save, take
from onegig.images.reading.source import Engine
from onegig.images.reading.tar_split import UnpackedLayer
from onegig.images.spool import Spool
from onegig.process import run
from saved_image import read_saved, unread
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

BASE = "onegig-test-folders:base"
BUILT = "onegig-test-folders:built"
LOADED = "onegig-test-folders:loaded"
DOCKERFILE = f"""
FROM {BASE}
COPY tree /srv/
RUN ["/bin/busybox", "rm", "-rf", "/opt/gone"]
RUN ["/bin/busybox", "sh", "-c", "busybox rm /etc/gone && busybox chmod 600 /etc/kept"]
RUN ["/bin/busybox", "sh", "-c", "busybox rm -rf /opt/new; busybox mkdir /opt/new; >/opt/new/b"]
RUN ["/bin/busybox", "mkfifo", "/srv/pipe"]
"""


@pytest.fixture(scope="module")
def images(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """An imported image with odd names, and one built on it that deletes and changes things."""
    busybox = client.images.get(SMALL_IMAGE)
    run(["docker", "tag", busybox.id, "onegig-test-folders:tools"])
    context = tmp_path_factory.mktemp("context")
    client.api.import_image_from_data(odd_tar(client), repository=BASE.split(":")[0], tag="base")
    tree = context / "tree"
    (tree / ("d" * 120) / ("é" * 60)).mkdir(parents=True)
    (tree / ("d" * 120) / ("é" * 60) / "file").write_bytes(os.urandom(70_000))
    os.link(tree / ("d" * 120) / ("é" * 60) / "file", tree / "same")
    (tree / "link").symlink_to("../" * 40 + "etc/kept")
    (context / "Dockerfile").write_text(DOCKERFILE)
    run(["docker", "build", "--quiet", "--tag", BUILT, str(context)], timeout_seconds=300)
    yield [BASE, BUILT]
    for reference in (BUILT, BASE, "onegig-test-folders:tools"):
        try:
            client.images.remove(reference, force=True)
        except ImageNotFound:
            continue


def odd_tar(client: DockerClient) -> bytes:
    """Busybox of the Alpine image, with files whose names and sizes are unusual."""
    container = client.containers.create("onegig-test-folders:tools", command=["true"])
    try:
        files = {
            path: b"".join(container.get_archive(path)[0])
            for path in ("/bin/busybox", f"/lib/ld-musl-{platform.machine()}.so.1")
        }
    finally:
        container.remove()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, packed in files.items():
            with tarfile.open(fileobj=io.BytesIO(packed)) as one:
                member = one.getmembers()[0]
                content = one.extractfile(member)
                member.name = path.lstrip("/")
                tar.addfile(member, content)
        for name, size in (
            ("etc/gone", 3000),
            ("etc/kept", 4000),
            ("etc/empty", 0),
            ("opt/gone/a/b", 5000),
            ("opt/new/a", 100),
            ("srv/caf\udce9", 17),
            ("srv/" + "n" * 200, 513),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode = size, 0o644
            tar.addfile(member, io.BytesIO(os.urandom(size)))
    return out.getvalue()


@pytest.fixture
def unpacked(client: DockerClient, images: list[str], tmp_path: Path) -> Spool:
    """The images in the engine's own folders."""
    engine = Engine(client)
    spool = Spool(tmp_path, lambda _layer: None)
    if take([engine.image(one) for one in images], engine, spool):
        pytest.skip("the engine's folders are not here, not overlay2, or not ours to read")
    return spool


def test_folders_give_what_docker_save_gives(
    client: DockerClient, images: list[str], unpacked: Spool, tmp_path: Path
) -> None:
    found = [Engine(client).image(one) for one in images]
    saved = Spool(tmp_path, lambda _layer: None)
    assert save(found, Engine(client), saved) == {}
    assert unpacked.layers.keys() == saved.layers.keys()
    assert len(saved.layers) == 6
    for diff_id, layer in saved.layers.items():
        mine = unpacked.layers[diff_id]
        assert isinstance(mine, UnpackedLayer)
        assert b"".join(mine.tar()) == b"".join(layer.tar())
        assert mine.tar_bytes() == layer.tar_bytes()
        without_tar, index = index_unpacked(mine), index_layer(layer)
        assert without_tar
        assert unread(without_tar) == unread(index)
        assert without_tar.contents == index.contents
    for one in found:
        mine, theirs = (spool.find(one.image_id, one.diff_ids) for spool in (unpacked, saved))
        assert (mine.config, mine.diff_ids) == (theirs.config, one.diff_ids)


def test_these_images_have_every_kind_of_entry(images: list[str], unpacked: Spool) -> None:
    indexes = [index_unpacked(layer) for layer in unpacked.layers.values()]
    kinds = {entry.kind for index in indexes if index for entry in index.entries}
    assert kinds >= set(Kind) - {Kind.OPAQUE}


@pytest.fixture
def load(client: DockerClient, tmp_path: Path) -> Iterator[Callable[[bytes], Archive]]:
    """Have the engine take in a layer, and give the archive that it came with."""

    def into_the_engine(layer: bytes) -> Archive:
        layout = Layout()
        made = layout.image([BELOW, layer, ABOVE], ["plain"] * 3)
        path = tmp_path / "loaded.tar"
        path.write_bytes(layout.archive(made, LOADED))
        run(["docker", "load", "--quiet", "--input", str(path)])
        return Archive(path)

    yield into_the_engine
    with suppress(ImageNotFound):
        client.images.remove(LOADED, force=True)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_layer_of_another_tool_is_what_it_was_before(
    client: DockerClient, load: Callable[[bytes], Archive], layer: bytes, tmp_path: Path
) -> None:
    before, engine = load(layer), Engine(client)
    assert content_of(look_at(engine, LOADED)) == content_of(look_at(before, LOADED))
    exported = export(client, LOADED, tmp_path / "files.tar")
    assert live(read_saved(engine, LOADED, tmp_path).account, exported) == exported


def test_a_layer_that_the_engine_may_not_give_back_comes_whole_or_not_at_all(
    client: DockerClient, load: Callable[[bytes], Archive]
) -> None:
    """The classic store takes sparse files as PAX has them, and does not know them again."""
    before = load(sparse("posix"))
    found = look(Engine(client), LOADED)
    if found.problems:
        assert found.report.images == ()
        assert "the engine could not save the image" in found.problems[0]
    else:
        assert content_of(found.report.images[0]) == content_of(look_at(before, LOADED))
