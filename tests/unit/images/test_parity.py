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

from onegig.images import dive
from onegig.images.archive import StoredLayer, write_docker_archive
from onegig.images.index import Entry
from onegig.images.index_layer import index_layer
from onegig.images.manifests import ArchivedImage
from onegig.images.parity import dive_numbers
from onegig.model.accounting import Parity
from onegig.model.images import Dive
from random_layers import as_tar, random_layers

IMAGES = int(os.environ.get("ONEGIG_PARITY_IMAGES", "40"))
SEED = os.environ.get("ONEGIG_PARITY_SEED", "dive 0.13.1")
FORMS = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)

Compare = Callable[[Sequence[Sequence[Entry]]], Parity]


@pytest.fixture
def both(installed_dive: dive.Program, tmp_path: Path) -> Callable[..., tuple[Parity, Parity]]:
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


def test_random_images_equal_dive_to_the_digit(both: Callable[..., tuple[Parity, Parity]]) -> None:
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
