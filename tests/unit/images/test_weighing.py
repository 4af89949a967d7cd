"""What a pull moves, and that every byte of a layer is looked at."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zlib_ng import gzip_ng

from engine_folders import notes_of, unpack
from made_tars import tar_of
from onegig.errors import InspectError
from onegig.images.reading.stored import StoredLayer
from onegig.images.reading.tar_split import UnpackedLayer
from onegig.images.reading.weighing import weigh

RAW = tar_of(("data", b"0", b"lines of a layer\n" * 3000, ""))


def stored(raw: bytes, folder: Path, compressed_bytes: int | None = None) -> StoredLayer:
    path = folder / "layer.tar"
    path.write_bytes(raw)
    return StoredLayer(diff_id="sha256:0", path=path, compressed_bytes=compressed_bytes)


def unpacked(raw: bytes, folder: Path) -> UnpackedLayer:
    (folder / "notes.gz").write_bytes(notes_of(raw))
    unpack(raw, folder / "diff")
    diff_id = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return UnpackedLayer(diff_id=diff_id, folder=folder / "diff", split=folder / "notes.gz")


@given(content=st.binary(max_size=3000), copies=st.integers(0, 700))
def test_it_is_the_size_of_gzip(
    content: bytes, copies: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = tar_of(("data", b"0", content * copies, ""))
    layer = stored(raw, tmp_path_factory.mktemp("layer"))
    assert weigh(layer) == len(gzip_ng.compress(raw, compresslevel=6))


def test_a_long_layer_is_compressed_in_pieces_without_losing_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece still sees the end of the one before it."""
    raw = b"".join(b"%d lines of a layer\n" % (number % 4999) for number in range(130_000))
    layer = stored(raw, tmp_path)
    whole = len(gzip_ng.compress(raw, 6))
    monkeypatch.setattr("onegig.images.reading.weighing.PIECE_BYTES", 2**20)
    assert whole != weigh(layer) == pytest.approx(whole, rel=0.01)


def test_what_came_compressed_took_what_it_took(tmp_path: Path) -> None:
    assert weigh(stored(RAW, tmp_path, compressed_bytes=123)) == 123


def test_an_unpacked_layer_weighs_as_much_as_its_tar(tmp_path: Path) -> None:
    assert weigh(unpacked(RAW, tmp_path)) == weigh(stored(RAW, tmp_path))


@pytest.mark.parametrize("content", [b"LINES of a layer\n" * 3000, b"lines", b"more" * 20_000])
def test_an_unpacked_layer_that_was_changed_is_an_error(content: bytes, tmp_path: Path) -> None:
    layer = unpacked(RAW, tmp_path)
    (tmp_path / "diff/data").write_bytes(content)
    with pytest.raises(InspectError, match=r"changed since it was made|can't be put together"):
        weigh(layer)
