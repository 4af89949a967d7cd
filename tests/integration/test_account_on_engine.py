"""The live files of an image are those that the engine shows in a container of it.

What the layers are is left to the builder: links, whiteouts, opaque directories and copied-up files
come as it makes them of shell commands, some chosen for what they do, the others at random.
"""

import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import IO, cast

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from onegig.images import dive
from onegig.images.accounts.account import Account, account
from onegig.images.accounts.parity import dive_numbers
from onegig.images.reading.archive import Spool, StoredLayer, write_docker_archive
from onegig.images.reading.index import LayerIndex
from onegig.images.reading.index_layer import digest_of, index_layer
from onegig.images.reading.manifests import ArchivedImage
from onegig.images.reading.source import Engine
from onegig.model.accounting import Fate, Parity
from onegig.model.images import Dive
from onegig.process import run
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

TAG = "onegig-test-account:built"
STEPS = (
    (
        "mkdir -p /w/tree/below /w/again /w/swap && yes 1 | head -c 50000 > /w/tree/below/file"
        " && yes 2 | head -c 20000 > /w/tree/other && yes 3 | head -c 30000 > /w/again/old"
        " && yes 4 | head -c 40000 > /w/links && ln /w/links /w/link && ln /w/links /w/swap/link"
        " && yes 5 | head -c 60000 > /w/owned && yes 6 | head -c 10000 > /w/file"
    ),
    "rm -rf /w/tree",
    "rm -rf /w/again && mkdir /w/again && yes 7 | head -c 5000 > /w/again/new",
    "chmod 600 /w/owned",
    "rm /w/links",
    "rm -rf /w/swap && ln -s /etc /w/swap",
    "rm /w/file && mkdir /w/file && yes 8 | head -c 3000 > /w/file/inside",
)
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
OF_THE_ENGINE = {".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf"}


@dataclass(frozen=True)
class Built:
    """An image that the engine has, and its layers read."""

    stored: tuple[StoredLayer, ...]
    config: bytes
    index: tuple[LayerIndex, ...]
    account: Account


def random_steps(random: Random, steps: int) -> Iterator[str]:
    """Commands that may fail, as long as they leave something behind."""
    paths = [f"{one}/{two}" for one in "pq" for two in ("x", "y", "z/x", "z/y")] + ["p", "q", "s"]
    for _ in range(steps):
        lines = [
            random.choice(RANDOM).format(
                a=random.choice(paths), b=random.choice(paths), n=random.randint(1, 5)
            )
            for _ in range(10)
        ]
        yield "cd /w; mkdir -p p/z q/z; " + " ".join(f"{line};" for line in lines) + " true"


@pytest.fixture(scope="module")
def built(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("account")
    steps = (*STEPS, *random_steps(Random("a container's files"), RANDOM_STEPS))
    dockerfile = "\n".join([f"FROM {SMALL_IMAGE}", *(f"RUN {step}" for step in steps)])
    (folder / "Dockerfile").write_text(dockerfile)
    run(["docker", "build", "--quiet", "--tag", TAG, str(folder)], timeout_seconds=300)
    try:
        yield _read(Engine(client), folder)
    finally:
        with suppress(ImageNotFound):
            client.images.remove(TAG, force=True)


def _read(engine: Engine, folder: Path) -> Built:
    image = engine.image(TAG)
    spool = Spool(folder, lambda layer: None)
    with engine.save([image.image_id]) as stream:
        spool.add(stream)
    config = spool.find(image.image_id, image.diff_ids).config
    stored = tuple(spool.layers[diff_id] for diff_id in image.diff_ids)
    index = tuple(index_layer(layer) for layer in stored)
    return Built(stored=stored, config=config, index=index, account=account(index))


@pytest.fixture(scope="module")
def exported(client: DockerClient, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`docker export` of a container that was never started."""
    path = tmp_path_factory.mktemp("export") / "files.tar"
    container = client.containers.create(TAG, ["true"])
    try:
        with path.open("wb") as file:
            file.writelines(cast(Iterator[bytes], container.export()))
    finally:
        container.remove()
    return path


def contents(path: Path) -> list[tuple[set[str], int, bytes]]:
    """Each regular file of a container once: all its names, its size, its digest."""
    files: dict[str, tuple[set[str], int, bytes]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            if member.islnk():
                files[member.name] = files[member.linkname]
                files[member.name][0].add(member.name)
            elif member.isreg():
                read = cast(IO[bytes], tar.extractfile(member)).read()
                files[member.name] = ({member.name}, member.size, digest_of([read]))
    distinct = {id(file): file for file in files.values()}
    return [file for file in distinct.values() if not (file[0] <= OF_THE_ENGINE and not file[1])]


def test_the_live_files_are_those_of_a_container(built: Built, exported: Path) -> None:
    expected = contents(exported)
    files = {entry.path: entry for _, entry in built.account.live}
    found = []
    for names, _, _ in expected:
        (path,) = names & set(files)
        found.append((names, files[path].size, files.pop(path).digest))
    assert found == expected
    assert {path for path, one in files.items() if one.size or path not in OF_THE_ENGINE} == set()


def test_the_live_bytes_are_those_of_a_container(built: Built, exported: Path) -> None:
    assert built.account.live_bytes == sum(size for _, size, _ in contents(exported))


def test_every_removal_is_charged_to_its_step(built: Built) -> None:
    base = len(built.index) - len(STEPS) - RANDOM_STEPS
    killed = {
        (dead.killer - base, dead.fate): (dead.bytes, dead.largest[0].path)
        for dead in built.account.dead
        if dead.layer == base and dead.killer - base < len(STEPS)
    }
    assert killed == {
        (1, Fate.DELETED_WITH_DIRECTORY): (70_000, "w/tree/below/file"),
        (2, Fate.DELETED_WITH_DIRECTORY): (30_000, "w/again/old"),
        (3, Fate.METADATA): (60_000, "w/owned"),
        (6, Fate.OVERWRITTEN): (10_000, "w/file"),
    }


def test_hard_links_keep_their_content(built: Built) -> None:
    """`rm` took one of its three names, the directory of another went: 40,000 bytes are left."""
    assert [entry.size for _, entry in built.account.live if entry.path == "w/link"] == [40_000]


def test_dives_numbers_are_equal(built: Built, tmp_path: Path) -> None:
    program = dive.find()
    assert isinstance(program, dive.Program), program
    image = ArchivedImage(digests=frozenset(), config=built.config, diff_ids=())
    write = partial(write_docker_archive, reference=TAG, image=image, layers=built.stored)
    found = dive.analyse(program, write, tmp_path)
    assert isinstance(found, Dive), found
    assert dive_numbers(built.index) == Parity(
        efficiency=found.efficiency,
        wasted_bytes=found.wasted_bytes,
        user_wasted_share=found.user_wasted_share,
    )
