"""The live files of an image are those that the engine shows in a container of it.

What the layers are is left to the builder: links, whiteouts, opaque directories and copied-up files
come as it makes them of instructions, some chosen for what they do, the others at random.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from container_files import Content, export, live
from odd_image import LINKED, NAMES, STEPS, build_odd
from onegig.engine.images import Images
from onegig.images.layer import Kind
from onegig.model.images import Fate
from saved_image import SavedImage, read_saved

pytestmark = pytest.mark.engine

TAG = "onegig-test-account:built"
RANDOM = (
    "mkdir -p {a}",
    "yes {n} | head -c {n}00 > {a}",
    "yes {n} | head -c {n}00 > {a}/{n}",
    "rm -rf {a}",
    "rm -rf {a} && mkdir {a} && yes | head -c {n}0 > {a}/new",
    "ln {a} {b}",
    "ln -s {a} {b}",
    "mv {a} {b}",
    "cp -a {a} {b}",
    "chmod 70{n} {a}",
    "touch {a}",
    "mknod {a} c 1 3",  # a fifo would make the next writer wait
)
RANDOM_STEPS = 8


def random_steps(random: Random, steps: int) -> Iterator[str]:
    """Commands that may fail, as long as they leave something behind."""
    below = (f"{top}/{path}" for top in "pq" for path in ("x", "y", "z/x", "z/y"))
    paths = [*below, "p", "q", "s"]
    for _ in range(steps):
        lines = [
            random.choice(RANDOM).format(
                a=random.choice(paths), b=random.choice(paths), n=random.randint(1, 5)
            )
            for _ in range(10)
        ]
        yield "RUN mkdir -p /w/p/z /w/q/z; cd /w; " + " ".join(f"{line};" for line in lines)


@pytest.fixture(scope="module")
def built(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SavedImage]:
    folder = tmp_path_factory.mktemp("account")
    more = [f"{step} true" for step in random_steps(Random("a container's files"), RANDOM_STEPS)]
    build_odd(TAG, tmp_path_factory.mktemp("context"), more=more)
    try:
        yield read_saved(Images(client), TAG, folder)
    finally:
        with suppress(ImageNotFound):
            client.images.remove(TAG, force=True)


@pytest.fixture(scope="module")
def exported(
    client: DockerClient, built: SavedImage, tmp_path_factory: pytest.TempPathFactory
) -> list[Content]:
    return export(client, TAG, tmp_path_factory.mktemp("export") / "files.tar")


def test_the_image_has_all_that_layers_can_have(built: SavedImage) -> None:
    """Or the other tests would say little."""
    entries = [entry for layer in built.index for entry in layer.entries]
    assert {entry.kind for entry in entries} >= {*Kind} - {Kind.OPAQUE}
    paths = {os.fsencode(entry.path) for entry in entries}
    assert paths >= {
        b"o/%s/%s" % (folder, name) for folder in (b"names", b"lost") for name in NAMES
    }
    assert {*range(len(built.index))} - {entry for entry, _ in built.account.live}
    assert any(layer.size_bytes == 0 for layer in built.index)
    assert max(entry.size for entry in entries if entry.path == "o/sparse") == 3 * 1024**2 + 4


def test_the_live_files_are_those_of_a_container(
    built: SavedImage, exported: list[Content]
) -> None:
    assert live(built.account, exported) == exported


def test_the_live_bytes_are_those_of_a_container(
    built: SavedImage, exported: list[Content]
) -> None:
    assert built.account.live_bytes == sum(size for _, size, _ in exported)


def test_every_removal_is_charged_to_its_step(built: SavedImage) -> None:
    base = len(built.index) - len(STEPS) - 1 - RANDOM_STEPS
    killed = [0] * len(built.index)
    for dead in built.account.dead:
        killed[dead.killer] += dead.bytes
    expected = [bytes_ for _, bytes_ in STEPS]
    assert killed[base : base + len(STEPS)] == expected
    assert killed[base + len(STEPS)] in (0, LINKED[1])


@pytest.mark.parametrize(
    ("path", "fate"),
    [
        ("o/tree/deep/a", Fate.DELETED_WITH_DIRECTORY),
        ("o/to-file/in/a", Fate.DELETED_WITH_DIRECTORY),
        ("o/to-link/in/a", Fate.DELETED_WITH_DIRECTORY),
        ("o/changed-mode", Fate.METADATA),
        ("o/changed-owner", Fate.METADATA),
        ("o/touched", Fate.METADATA),
        ("o/attributes/file", Fate.METADATA),
        ("o/kept/a", Fate.METADATA),
        ("o/comes-and-goes", Fate.DELETED),
        ("o/emptied/a", Fate.DELETED),
        ("o/renamed", Fate.DELETED),
        ("o/replaced", Fate.OVERWRITTEN),
        ("o/to-directory", Fate.OVERWRITTEN),
    ],
)
def test_what_became_of_a_file(built: SavedImage, path: str, fate: Fate) -> None:
    fates = {file.path: dead.fate for dead in built.account.dead for file in dead.largest}
    assert fates[path] is fate


def test_hard_links_keep_their_content(built: SavedImage) -> None:
    """`rm` took one of three names, the directory of another went: the 15,000 bytes are left."""
    sizes = {entry.path: entry.size for _, entry in built.account.live}
    assert sizes["o/kept/link"] == 15_000
