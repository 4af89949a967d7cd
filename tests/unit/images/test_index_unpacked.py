"""An unpacked layer's index is that of its tar, without its contents having been read."""

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from engine_folders import notes_of, unpack
from made_tars import tar_of, tars
from onegig.errors import InspectError
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.index_unpacked import index_unpacked
from onegig.images.reading.stored import StoredLayer
from onegig.images.reading.tar_split import UnpackedLayer
from random_layers import as_tar, random_layers

Both = Callable[[bytes], tuple[LayerIndex | None, LayerIndex]]
FILE, FOLDER, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE


@pytest.fixture
def noted(tmp_path: Path) -> Callable[[bytes], UnpackedLayer]:
    """A layer of which the engine has notes, and an empty folder."""

    def note(raw: bytes) -> UnpackedLayer:
        (tmp_path / "notes.gz").write_bytes(notes_of(raw))
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        return UnpackedLayer(diff_id="sha256:0", folder=folder, split=tmp_path / "notes.gz")

    return note


@pytest.fixture
def both(tmp_path: Path, noted: Callable[[bytes], UnpackedLayer]) -> Both:
    """(from the notes, from the tar) of one layer."""

    def index(raw: bytes) -> tuple[LayerIndex | None, LayerIndex]:
        (tmp_path / "layer.tar").write_bytes(raw)
        stored = StoredLayer(diff_id="sha256:0", path=tmp_path / "layer.tar")
        return index_unpacked(noted(raw)), index_layer(stored)

    return index


def bare(entries: Sequence[Entry]) -> list[Entry]:
    """Entries without what is known of their contents."""
    return [replace(entry, digest=b"", checksum=b"") for entry in entries]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=tars())
def test_notes_say_what_the_tar_says_or_that_they_do_not_know(raw: bytes, both: Both) -> None:
    ours, theirs = both(raw)
    assert ours is None or bare(ours.entries) == bare(theirs.entries)


@pytest.mark.parametrize(
    ("form", "odd"), [(tarfile.GNU_FORMAT, ""), (tarfile.PAX_FORMAT, "\udcff")]
)
@pytest.mark.parametrize("seed", range(40))
def test_the_layers_that_builders_write_are_known_from_their_notes(
    seed: int, form: int, odd: str, both: Both
) -> None:
    """Python writes what is not UTF-8 into PAX headers as Go, and so the engine, does not."""
    for layer in random_layers(Random(seed)):
        distinct = {one.path: one for one in layer if one.kind is not Kind.SYMLINK}
        usual = [one for one in distinct.values() if not odd or odd not in one.path + one.link]
        ours, theirs = both(as_tar(usual, form))
        assert ours is not None
        assert bare(ours.entries) == bare(theirs.entries)
        known = [bool(one.checksum) for one in ours.entries]
        assert known == [bool(one.size) for one in ours.entries]


@pytest.mark.parametrize(
    "entries",
    [
        [("a", FILE, b"1", ""), ("a", FILE, b"2", "")],
        [("a", FILE, b"1", ""), ("./a", FILE, b"2", "")],
        [("a", FILE, b"1", ""), ("a", LINK, b"", "/etc/passwd")],
        [("lib", LINK, b"", "/usr/lib"), ("lib/a/b", FILE, b"1", "")],
        [("lib/a", FILE, b"1", ""), ("lib", LINK, b"", "/usr/lib")],
    ],
)
def test_a_folder_that_may_hold_other_files_is_not_believed(
    entries: Sequence[tuple[str, bytes, bytes, str]], both: Both
) -> None:
    assert both(tar_of(*entries))[0] is None


def test_package_databases_are_read(
    tmp_path: Path, noted: Callable[[bytes], UnpackedLayer]
) -> None:
    raw = tar_of(
        ("lib/apk/db/installed", FILE, b"P:musl\n", ""),
        ("app/main.py", FILE, b"print()", ""),
    )
    layer = noted(raw)
    with pytest.raises(InspectError, match=r"can't be read: .*installed"):
        index_unpacked(layer)
    unpack(raw, tmp_path / "folder")
    index = index_unpacked(layer)
    assert index is not None
    assert index.contents == {"lib/apk/db/installed": b"P:musl\n"}


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_damaged_notes_are_an_error(cut: int, noted: Callable[[bytes], UnpackedLayer]) -> None:
    layer = noted(tar_of(*((f"file{number}", FILE, b"1", "") for number in range(50))))
    layer.split.write_bytes(layer.split.read_bytes()[:-cut])
    with pytest.raises(InspectError, match="can't be read"):
        index_unpacked(layer)


def test_global_headers_change_nothing(both: Both) -> None:
    out = io.BytesIO()
    headers = {"comment": "made by git archive"}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        member = tarfile.TarInfo("first")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"data"))
    ours, theirs = both(out.getvalue())
    assert ours is None or bare(ours.entries) == bare(theirs.entries)
