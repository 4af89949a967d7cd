"""A layer's bytes, chain ids and instructions."""

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onegig.errors import InspectError
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.layers import chain_ids, instructions
from onegig.images.reading.stored import StoredLayer
from onegig.images.reading.weighing import weigh


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[bytes], StoredLayer]:
    def store(raw: bytes) -> StoredLayer:
        path = tmp_path / "layer.tar"
        path.write_bytes(raw)
        return StoredLayer(diff_id=f"sha256:{hashlib.sha256(raw).hexdigest()}", path=path)

    return store


def entry(name: str, kind: bytes, content: bytes = b"", link: str = "") -> tuple[Any, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, len(content), link
    return member, content


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for member, content in entries:
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_only_content_of_regular_files_counts(
    form: int, stored: Callable[[bytes], StoredLayer]
) -> None:
    raw = tar_of(
        entry("usr", tarfile.DIRTYPE),
        entry("usr/a", tarfile.REGTYPE, b"12345"),
        entry("usr/hard", tarfile.LNKTYPE, link="usr/a"),
        entry("usr/soft", tarfile.SYMTYPE, link="a/long/way/off"),
        entry("dev/null", tarfile.CHRTYPE),
        entry("run/pipe", tarfile.FIFOTYPE),
        entry("usr/.wh.gone", tarfile.REGTYPE),
        entry("n" * 300, tarfile.REGTYPE, b"1234567"),
        entry("caf\udce9", tarfile.REGTYPE, b"1"),
        form=form,
    )
    assert index_layer(stored(raw)).size_bytes == 13


def test_a_sparse_file_counts_as_long_as_it_reads(
    tmp_path: Path, stored: Callable[[bytes], StoredLayer]
) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1_000_000)
    command = ["tar", "--sparse", "-cC", str(tmp_path), "sparse"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(raw) < 100_000
    assert index_layer(stored(raw)).size_bytes == 1_000_000


def test_an_empty_layer_has_no_content(stored: Callable[[bytes], StoredLayer]) -> None:
    layer = stored(bytes(1024))
    assert index_layer(layer).size_bytes == 0
    assert weigh(layer) == 30


@pytest.mark.parametrize("raw", [b"no tar at all" * 100, b"\x01" * 2000])
def test_a_layer_that_is_no_tar_is_an_error(
    raw: bytes, stored: Callable[[bytes], StoredLayer]
) -> None:
    with pytest.raises(InspectError, match="not a readable tar"):
        index_layer(stored(raw))


def test_a_chain_id_names_a_layer_with_all_below_it() -> None:
    """ChainID(L0|...|Ln) = Digest(ChainID(L0|...|Ln-1) + " " + DiffID(Ln)), OCI image-spec."""
    first, second, third = (f"sha256:{letter * 64}" for letter in "abc")
    pair = hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    triple = hashlib.sha256(f"sha256:{pair} {third}".encode()).hexdigest()
    assert list(chain_ids([first, second, third])) == [first, f"sha256:{pair}", f"sha256:{triple}"]
    assert list(chain_ids([])) == []


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ({"created_by": "RUN /bin/sh -c apk add curl # buildkit"}, "RUN apk add curl"),
        ({"created_by": "/bin/sh -c apk add curl"}, "RUN apk add curl"),
        ({"created_by": "/bin/sh -c #(nop) COPY dir:1 in /srv "}, "COPY dir:1 in /srv"),
        ({"created_by": "|1 A=b /bin/sh -c make"}, "RUN make"),
        ({"created_by": "RUN |2 A=b C=d /bin/sh -c make # buildkit"}, "RUN make"),
        ({"created_by": "COPY . / # buildkit"}, "COPY . /"),
        ({"created_by": "ADD rootfs.tar.gz / # buildkit"}, "ADD rootfs.tar.gz /"),
        ({"created_by": "", "comment": "Imported from -"}, "Imported from -"),
        ({"created_by": "bazel build ..."}, "bazel build ..."),
        ({}, ""),
    ],
)
def test_instructions_read_as_the_dockerfile_had_them(recorded: dict[str, str], shown: str) -> None:
    empty = {"created_by": "ENV A=b", "empty_layer": True}
    assert instructions([empty, recorded, empty], 1) == (shown,)


def test_a_history_of_another_length_names_no_instruction() -> None:
    """A wrong instruction would be worse than none."""
    history = [{"created_by": "COPY a /"}, {"created_by": "COPY b /"}]
    assert instructions(history, 3) == ("", "", "")
    assert instructions([], 1) == ("",)
