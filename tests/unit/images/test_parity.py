"""dive's numbers by our computation, beside those of the real dive on the same images."""

import hashlib
import os
import tarfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import pytest

from layer_entries import directory, file, hardlink, opaque, symlink, whiteout
from onegig.images import dive
from onegig.images.accounts.parity import dive_numbers
from onegig.images.layer import Entry
from onegig.images.manifests import ArchivedImage
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.stored import StoredLayer
from onegig.images.spool import write_docker_archive
from onegig.model.images import Dive, Parity
from random_layers import as_tar, random_layers

IMAGES = int(os.environ.get("ONEGIG_PARITY_IMAGES", "40"))
SEED = os.environ.get("ONEGIG_PARITY_SEED", "dive 0.13.1")
FORMS = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)

Both = Callable[..., tuple[Parity, Parity]]


@pytest.fixture
def both(installed_dive: dive.Program, tmp_path: Path) -> Both:
    """(ours, dive's) for an image of these layers."""

    def ask(
        layers: Sequence[Sequence[Entry]], form: int = tarfile.GNU_FORMAT
    ) -> tuple[Parity, Parity]:
        folder = Path(mkdtemp(dir=tmp_path))
        stored = [_store(as_tar(entries, form), folder) for entries in layers]
        image = ArchivedImage(digests=frozenset(), config=b"{}", diff_ids=())
        write = partial(write_docker_archive, reference="a:1", image=image, layers=stored)
        found = dive.analyse(installed_dive, write, tmp_path)
        assert isinstance(found, Dive), found
        theirs = Parity(
            efficiency=found.efficiency,
            wasted_bytes=found.wasted_bytes,
            user_wasted_share=found.user_wasted_share,
        )
        return dive_numbers([index_layer(one) for one in stored]), theirs

    return ask


def _store(tar: bytes, folder: Path) -> StoredLayer:
    digest = hashlib.sha256(tar).hexdigest()
    path = folder / f"{digest}.tar"
    path.write_bytes(tar)
    return StoredLayer(diff_id=f"sha256:{digest}", path=path)


def test_random_images_equal_dive_to_the_digit(both: Both) -> None:
    """ONEGIG_PARITY_IMAGES says how many, ONEGIG_PARITY_SEED which."""

    def differs(number: int) -> str:
        random = Random(f"{SEED}/{number}")
        layers = random_layers(random)
        ours, theirs = both(layers, random.choice(FORMS))
        return "" if ours == theirs else f"seed {SEED!r}, image {number}: {ours} is not {theirs}"

    with ThreadPoolExecutor(2) as pool:
        different = [one for one in pool.map(differs, range(IMAGES)) if one]
    print(f"{IMAGES} images of seed {SEED!r}, {len(different)} differ")  # noqa: T201  # pytest -s
    assert different == []


D_AND_DASH = [whiteout("d"), whiteout("-d")]  # named before what it removes, and after
ODD = {
    "rm -rf": [[directory("d"), file("d/a", 90), file("kept", 10)], [whiteout("d")]],
    "rm -rf of an empty directory": [[directory("d"), file("kept", 10)], [whiteout("d")]],
    "rm": [[file("a", 90), file("kept", 10)], [whiteout("a")]],
    "a file in a directory that the tar does not list": [[file("d/a", 90)], [whiteout("d")]],
    "a directory that the upper tar does not list": [
        [directory("d"), file("d/a", 90)],
        [file("d/b", 10)],
        [whiteout("d")],
    ],
    "rm -rf, made again, rm -rf": [
        [directory("d"), file("d/a", 90)],
        [whiteout("d")],
        [directory("d"), file("d/a", 50)],
        [whiteout("d")],
    ],
    "an opaque directory": [
        [directory("d"), file("d/a", 90)],
        [directory("d"), opaque("d"), file("d/b", 10)],
    ],
    "an opaque mark in place of a file": [[file("d", 90)], [opaque("d")]],
    "a directory becomes a file": [
        [directory("p"), directory("p/d"), file("p/d/a", 90)],
        [directory("p"), file("p/d", 7)],
        [whiteout("p")],
    ],
    "a file becomes an empty directory": [[file("d", 90)], [directory("d")]],
    "a file becomes a full directory": [[file("d", 90)], [directory("d"), file("d/a", 5)]],
    "one path twice in a layer": [[file("a", 90), file("a", 40)], [file("b", 5), file("b", 6)]],
    "a path below a file": [[file("a", 90), file("a/b", 40)], [file("a", 3)]],
    "hard links": [
        [file("a", 90), hardlink("b", "a")],
        [hardlink("b", "a"), file("a", 90)],
        [whiteout("b")],
    ],
    "links over a file": [[file("a", 90), file("b", 10)], [symlink("a", "b")]],
    "a whiteout of nothing leaves out later names": [
        [file("-x", 90), file("z", 50)],
        [file("z", 1), whiteout("m"), file("-x", 2)],
    ],
    "a whiteout of nothing, deep": [
        [file("a-b", 90), file("a/f", 50)],
        [file("a-b", 1), file("a/f", 2), whiteout("a/nothing")],
    ],
    "names are compared as bytes": [
        [file("\uffff", 90), file("\udcff/f", 50)],
        [file("\uffff", 1), whiteout("\udcff/nothing")],
    ],
    "nothing but a whiteout of nothing": [[file("a", 1)], [whiteout("b")]],
    "a whiteout in the lowest layer": [
        [file(".a", 10), directory("d"), file("d/a", 90), whiteout("d")],
        [file(".a", 5)],
    ],
    "removed from the lowest layer by itself, in the order of names": [
        [directory("-d"), file("-d/a", 90), directory("d"), file("d/a", 80), *D_AND_DASH],
        [*D_AND_DASH, file("z", 10)],
        [file("z", 5)],
    ],
    "a whiteout without a name is one of the root": [
        [directory(""), file("z", 90)],
        [directory(""), opaque(""), whiteout(""), file("z", 5)],
    ],
    "a whiteout of the root removes nothing": [
        [directory(""), opaque(""), directory("d"), file("d/a", 90), file("z", 50)],
        [whiteout("")],
        [whiteout("d"), file("z", 5)],
    ],
    "a whiteout with something below it": [
        [directory("d"), file("d/a", 90), file("z", 50)],
        [whiteout("d"), file(".wh.d/a", 40), whiteout("nothing"), file("z", 5)],
        [directory("d"), file("z", 4)],
    ],
    "removed and made again in one layer": [
        [directory("-d"), file("-d/a", 90), directory("d"), file("d/a", 80)],
        [whiteout("-d"), directory("-d"), file("-d/b", 7), whiteout("d"), file("d/b", 7)],
        [whiteout("-d"), whiteout("d")],
    ],
    "empty layers": [[], [file("a", 90)], [], [file("a", 90)]],
    "nothing at all": [[]],
    "only the upper layer wastes": [[file("a", 90)], [whiteout("a")]],
    "long names": [[file("n" * 300, 90)], [file("n" * 300, 10)]],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_images_equal_dive(both: Both, name: str) -> None:
    ours, theirs = both(ODD[name])
    assert ours == theirs


def test_a_removed_directory_is_efficient_to_dive(both: Both) -> None:
    """The case that the exact account is for: 90 of 100 bytes are dead."""
    _, theirs = both(ODD["rm -rf"])
    assert theirs == Parity(efficiency=1.0, wasted_bytes=0, user_wasted_share=0.0)
