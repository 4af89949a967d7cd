"""Contents are read where another may be equal, and nowhere else."""

from pathlib import Path

import pytest

from engine_folders import notes_of, unpack
from made_tars import tar_of
from onegig.images.layer import LayerIndex
from onegig.images.reading.contents import settle
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.index_unpacked import index_unpacked
from onegig.images.reading.stored import StoredLayer
from onegig.images.reading.tar_split import UnpackedLayer

Layer = tuple[LayerIndex, UnpackedLayer]


def layer(folder: Path, name: str, **files: bytes) -> Layer:
    """An unpacked layer of these files, and its index."""
    raw = tar_of(*((path, b"0", content, "") for path, content in files.items()))
    place = folder / name
    place.mkdir()
    (place / "notes.gz").write_bytes(notes_of(raw))
    unpack(raw, place / "diff")
    made = UnpackedLayer(diff_id=name, folder=place / "diff", split=place / "notes.gz")
    index = index_unpacked(made)
    assert index is not None
    return index, made


def in_a_tar(folder: Path, name: str, **files: bytes) -> LayerIndex:
    """The index of a layer that came as a tar."""
    path = folder / f"{name}.tar"
    path.write_bytes(tar_of(*((one, b"0", content, "") for one, content in files.items())))
    return index_layer(StoredLayer(diff_id=name, path=path))


def settled(*layers: Layer, others: tuple[LayerIndex, ...] = ()) -> dict[str, bytes]:
    """The digests that are known then, by path."""
    known = {made.diff_id: made for _, made in layers}
    found, faults = settle([*(index for index, _ in layers), *others], known)
    assert faults == {}
    return {one.path: one.digest for index in found.values() for one in index.entries if one.digest}


def test_what_has_no_equal_is_not_read(tmp_path: Path) -> None:
    one = layer(tmp_path, "one", a=b"123", b=b"456", c=b"12345", d=b"", e=b"")
    for file in one[1].folder.iterdir():
        file.unlink()
    assert settled(one) == {}


def test_equal_contents_have_equal_digests_within_a_layer_and_across(tmp_path: Path) -> None:
    one = layer(tmp_path, "one", a=b"123", b=b"123", c=b"456")
    two = layer(tmp_path, "two", d=b"456", e=b"789")
    digests = settled(one, two)
    assert digests.keys() == {"a", "b", "c", "d"}
    assert digests["a"] == digests["b"] != digests["c"] == digests["d"]


def test_equal_checksums_are_not_enough(tmp_path: Path) -> None:
    """These two have the same CRC-32, which the notes here are made with."""
    digests = settled(layer(tmp_path, "one", a=b"plumless", b=b"buckeroo"))
    assert digests.keys() == {"a", "b"}
    assert digests["a"] != digests["b"]


def test_beside_a_layer_without_checksums_equal_lengths_decide(tmp_path: Path) -> None:
    one = layer(tmp_path, "one", a=b"123", b=b"456", c=b"12345")
    digests = settled(one, others=(in_a_tar(tmp_path, "two", d=b"123"),))
    assert digests.keys() == {"a", "b", "d"}
    assert digests["a"] == digests["d"] != digests["b"]


def test_a_file_that_is_gone_is_told_of_by_its_layer(tmp_path: Path) -> None:
    index, made = layer(tmp_path, "one", a=b"123", b=b"123")
    (made.folder / "b").unlink()
    _, faults = settle([index], {"one": made})
    assert faults.keys() == {"one"}
    assert "can't be read" in faults["one"].message


@pytest.mark.parametrize("again", [False, True])
def test_a_layer_that_several_images_have_is_one(again: bool, tmp_path: Path) -> None:
    index, made = layer(tmp_path, "one", a=b"123")
    found, _ = settle([index, index] if again else [index], {"one": made})
    assert found == {"one": index}
