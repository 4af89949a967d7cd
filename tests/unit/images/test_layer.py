"""A layer's index is what tarfile reads in its tar, in every format, with each content's digest."""

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from made_tars import tar_of, tars
from onegig.errors import InspectError
from onegig.images.layer import Entry, Kind, LayerIndex, index_layer, normal

SITE = "usr/lib/python3/site-packages"
Index = Callable[[bytes], LayerIndex]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=tars())
def test_entries_are_those_of_tarfile(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "layer.tar"
    path.write_bytes(raw)
    with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
        files = [tar.extractfile(entry) for entry in tar if entry.isreg()]
        contents = [file.read() for file in files if file]
        names = tar.getnames()
    index = index_layer("sha256:0", path)
    if not any(".wh." in name for name in names):
        assert [entry.path for entry in index.entries] == [normal(name) for name in names]
        results = [(entry.size, entry.digest) for entry in index.entries if entry.kind is Kind.FILE]
        assert results == [(len(entry), digest(entry)) for entry in contents]


def digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


@pytest.fixture
def indexed(tmp_path: Path) -> Index:
    def index(raw: bytes) -> LayerIndex:
        path = tmp_path / "layer.tar"
        path.write_bytes(raw)
        return index_layer("sha256:0", path)

    return index


def test_every_kind_of_entry(indexed: Index) -> None:
    file, folder, hard = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE
    raw = tar_of(
        ("./", folder, b"", ""),
        ("./usr/", folder, b"", ""),
        ("./usr/a", file, b"12345", ""),
        ("/usr/hard", hard, b"", "./usr/a"),
        ("usr/soft", tarfile.SYMTYPE, b"", "../a//b/"),
        ("dev/null", tarfile.CHRTYPE, b"", ""),
        ("run/pipe", tarfile.FIFOTYPE, b"", ""),
        ("usr/.wh.gone", file, b"", ""),
        (".wh.top", file, b"", ""),
        ("var/.wh..wh..opq", file, b"", ""),
        (".wh..wh..opq", file, b"", ""),
        (".wh..wh.aufs", file, b"", ""),
        (".wh..wh.plnk/12.34", file, b"aufs", ""),
        ("usr/a", file, b"again", ""),
        ("usr/.wh.a", file, b"", ""),
        ("../../etc/../etc/passwd", file, b"", ""),
        ("caf\udce9", file, b"1", ""),
        ("n" * 300, file, b"22", ""),
    )
    assert indexed(raw).entries == (
        Entry(path="", kind=Kind.DIRECTORY),
        Entry(path="usr", kind=Kind.DIRECTORY),
        Entry(path="usr/a", kind=Kind.FILE, size=5, digest=digest(b"12345")),
        Entry(path="usr/hard", kind=Kind.HARDLINK, link="usr/a"),
        Entry(path="usr/soft", kind=Kind.SYMLINK, link="../a//b/"),
        Entry(path="dev/null", kind=Kind.OTHER),
        Entry(path="run/pipe", kind=Kind.OTHER),
        Entry(path="usr/gone", kind=Kind.WHITEOUT),
        Entry(path="top", kind=Kind.WHITEOUT),
        Entry(path="var", kind=Kind.OPAQUE),
        Entry(path="", kind=Kind.OPAQUE),
        Entry(path="usr/a", kind=Kind.FILE, size=5, digest=digest(b"again")),
        Entry(path="usr/a", kind=Kind.WHITEOUT),
        Entry(path="etc/passwd", kind=Kind.FILE, digest=digest(b"")),
        Entry(path="caf\udce9", kind=Kind.FILE, size=1, digest=digest(b"1")),
        Entry(path="n" * 300, kind=Kind.FILE, size=2, digest=digest(b"22")),
    )


@example("/..//./a/")
@given(st.text("ab./", max_size=12))
def test_names_are_places_below_the_root(name: str) -> None:
    there = os.path.normpath("/" + name.lstrip("/")).removeprefix("/")
    assert normal(name) == there


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_sparse_files_are_as_long_as_they_read_and_the_same_as_without_holes(
    form: str, tmp_path: Path, indexed: Index
) -> None:
    content = bytearray(3_000_000)
    content[1_000_000:1_000_004] = b"data"
    content[-3:] = b"end"
    with (tmp_path / "sparse").open("wb") as file:
        for place in range(0, len(content), 4096):
            block = content[place : place + 4096]
            if any(block):
                file.seek(place)
                file.write(block)
        file.truncate(len(content))
    (tmp_path / "after").write_bytes(b"after")
    command = ["tar", "--sparse", f"--format={form}", "-cC", str(tmp_path), "sparse", "after"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(raw) < 100_000
    index = indexed(raw)
    assert [(entry.path, entry.size, entry.digest) for entry in index.entries] == [
        ("sparse", len(content), digest(bytes(content))),
        ("after", 5, digest(b"after")),
    ]


def test_names_that_are_not_utf_8_keep_their_bytes_in_pax_headers_too(indexed: Index) -> None:
    """Go, and so the engine, writes them raw, without saying hdrcharset=BINARY."""
    raw = tar_of(("é" * 100, tarfile.REGTYPE, b"1", ""), ("link", tarfile.SYMTYPE, b"", "é" * 100))
    index = indexed(raw.replace("é".encode(), b"\xe9\xe9"))
    assert [(entry.path, entry.link) for entry in index.entries] == [
        ("\udce9" * 200, ""),
        ("link", "\udce9" * 200),
    ]


def test_global_headers_change_nothing(indexed: Index) -> None:
    """They change nothing for the engine either, which passes over them."""
    out = io.BytesIO()
    headers = {"comment": "made by git archive", "path": "elsewhere"}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for name in ("first", "é" * 100):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"data"))
    assert [entry.path for entry in indexed(out.getvalue()).entries] == ["first", "é" * 100]


def test_what_explains_other_files_is_kept(indexed: Index) -> None:
    file = tarfile.REGTYPE
    raw = tar_of(
        ("lib/apk/db/installed", file, b"P:musl\n", ""),
        (f"{SITE}/redis-5.dist-info/RECORD", file, b"redis/a.py,,\n", ""),
        ("app/node_modules/left-pad/package.json", file, b"{}", ""),
        ("var/lib/dpkg/status", file, b"Package: libc6\n", ""),
        ("app/main.py", file, b"print()", ""),
        ("app/package.json", tarfile.SYMTYPE, b"", "/etc/passwd"),
        ("var/lib/dpkg/info/long.list", file, bytes(9 * 1024**2), ""),
        ("venv/redis-5.dist-info/RECORD", tarfile.LNKTYPE, b"", f"{SITE}/redis-5.dist-info/RECORD"),
    )
    assert set(indexed(raw).contents) == {
        "lib/apk/db/installed",
        f"{SITE}/redis-5.dist-info/RECORD",
        "venv/redis-5.dist-info/RECORD",
        "app/node_modules/left-pad/package.json",
        "var/lib/dpkg/status",
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_tar_cut_within_an_entry_or_with_a_broken_header_is_an_error(
    data: st.DataObject, indexed: Index
) -> None:
    file = tarfile.REGTYPE
    raw = tar_of(*((f"file{entry}", file, b"x" * 700, "") for entry in range(4)))
    size = 512 + 1024
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(1, 4 * size - 1).filter(lambda at: at % size))
        damaged = raw[:cut]
    else:
        at = data.draw(st.integers(0, 3)) * size + data.draw(st.integers(0, 150))
        damaged = raw[:at] + bytes([raw[at] ^ 0x41]) + raw[at + 1 :]
    with pytest.raises(InspectError, match="not a readable tar"):
        indexed(damaged)


def test_a_tar_without_an_end_mark_is_whole(indexed: Index) -> None:
    raw = tar_of(("a", tarfile.REGTYPE, b"1", ""))
    assert indexed(raw[:1024]) == indexed(raw)


def test_an_empty_tar_has_no_entries(indexed: Index) -> None:
    assert indexed(bytes(1024)).entries == ()


def test_extended_attributes_change_nothing(tmp_path: Path, indexed: Index) -> None:
    (tmp_path / "file").write_bytes(b"content")
    try:
        os.setxattr(tmp_path / "file", "user.note", b"\xff\x00binary=\n")
    except OSError:
        pytest.skip("the file system of the tests has no extended attributes")
    command = ["tar", "--xattrs", "--format=posix", "-cC", str(tmp_path), "file"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    assert b"SCHILY.xattr.user.note" in raw
    assert [(entry.path, entry.size) for entry in indexed(raw).entries] == [("file", 7)]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_longer_than_a_header_can_say(
    form: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = tarfile.TarInfo("long")
    member.size = 9 * 1024**3 + 1
    path = tmp_path / "layer.tar"
    with path.open("wb") as file:
        file.write(member.tobuf(form))
        file.seek(member.size + 511, os.SEEK_CUR)  # a hole instead of the data
        file.write(tar_of(("after", tarfile.REGTYPE, b"1", "")))
    monkeypatch.setattr("onegig.images.layer._read", lambda *_args, **_options: (b"", b""))
    results = [(entry.path, entry.size) for entry in index_layer("sha256:0", path).entries]
    assert results == [("long", member.size), ("after", 1)]


@pytest.mark.parametrize("kind", [b"0", b"7", b"L", b"x"])
def test_a_negative_size_is_an_error_and_no_loop(kind: bytes, indexed: Index) -> None:
    raw = bytearray(tar_of(("first", b"0", b"1", ""), ("back", kind, b"", "")))
    header = raw[1024:1536]
    header[124:136] = (2**96 - 1024).to_bytes(12, "big")  # base 256
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header)
    raw[1024:1536] = header
    with pytest.raises(InspectError, match="not a readable tar"):
        indexed(bytes(raw))


def test_a_chain_of_long_names_without_end_is_an_error(indexed: Index) -> None:
    long = tar_of(("n", b"L", b"name", ""))[:1024]
    with pytest.raises(InspectError, match="not a readable tar"):
        indexed(long * 5000 + bytes(1024))


def test_a_name_that_no_file_system_can_have_is_an_error(indexed: Index) -> None:
    raw = tar_of(("é" * 100, tarfile.REGTYPE, b"1", ""))
    with pytest.raises(InspectError, match="NUL"):
        indexed(raw.replace("é".encode(), b"a\0"))


def test_a_path_that_no_file_system_takes_is_an_error(indexed: Index) -> None:
    """Else its half a million folders would take all the memory there is."""
    longest = "d/" * 2047 + "d"
    assert [entry.path for entry in indexed(tar_of((longest, b"0", b"1", ""))).entries] == [longest]
    with pytest.raises(InspectError, match=r"not a readable tar: .* too long"):
        indexed(tar_of((longest + "/d", b"0", b"1", "")))


@pytest.mark.parametrize("raw", [b"no tar at all" * 100, b"\x01" * 2000])
def test_a_layer_that_is_not_a_tar_is_an_error(raw: bytes, indexed: Index) -> None:
    with pytest.raises(InspectError, match="not a readable tar"):
        indexed(raw)
