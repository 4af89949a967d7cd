"""Layers as other tools pack them: what an engine takes in and has to keep as it came."""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from made_tars import tar_of

_FILE, _LINK, _SYMLINK = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE
_FOLDER = tarfile.DIRTYPE

BELOW = tar_of(
    *(("./", _FOLDER, b"", ""), ("./etc/", _FOLDER, b"", "")),
    *(("./etc/kept", _FILE, b"k" * 2000, ""), ("./etc/gone", _FILE, b"g" * 3000, "")),
    *(("dir/a", _FILE, b"a" * 800, ""), ("dir/sub/b", _FILE, b"b" * 900, "")),
    (f"./usr/{'p' * 90}/{'q' * 90}", _FILE, b"q" * 333, ""),  # a name in two fields
    form=tarfile.USTAR_FORMAT,
)
"""The layer that the others lie upon."""

ABOVE = tar_of(
    *(
        (f"{folder}.wh.{name}", _FILE, b"", "")
        for folder, name in (("", "n" * 150), ("p/", "é" * 100), ("etc/", "kept"))
    )
)
"""The layer that lies upon them: it takes names of files that some have other names for."""


def _with_globals() -> bytes:
    out = io.BytesIO()
    headers = {"comment": "made elsewhere", "path": "not/this"}
    with tarfile.open(fileobj=out, mode="w", pax_headers=headers) as tar:
        for name in ("g/one", "g/two"):
            member = tarfile.TarInfo(name)
            member.size = 700
            tar.addfile(member, io.BytesIO(name[-1:].encode() * 700))
    return out.getvalue()


def _with_attributes() -> bytes:
    """Extended attributes: one that reads like a record of PAX, one that is no text."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", errors="surrogateescape") as tar:
        for name, value in (("note", "a=b\n12 path=c\n"), ("raw", "\udcff\0\udcfe")):
            member = tarfile.TarInfo(f"attributes/{name}")
            member.size, member.pax_headers = 600, {f"SCHILY.xattr.user.{name}": value}
            tar.addfile(member, io.BytesIO(name[:1].encode() * 600))
    return out.getvalue()


def sparse(form: str) -> bytes:
    """A file with holes and one without, by tar(1)."""
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "sparse").open("wb") as file:
            file.truncate(1024**2)
            file.seek(300_000)
            file.write(b"data" * 5000)
        (Path(folder) / "whole").write_bytes(b"w" * 1500)
        command = ["tar", "-C", folder, "--sparse", f"--format={form}", "-c", "sparse", "whole"]
        return subprocess.run(command, check=True, capture_output=True).stdout


LAYERS = {
    "gnu": tar_of(
        ("./" + "n" * 150, _FILE, b"n" * 5000, ""),
        ("./links/" + "l" * 120, _SYMLINK, b"", "t" * 300),
        ("./links/hard", _LINK, b"", "./" + "n" * 150),
        form=tarfile.GNU_FORMAT,
    ),
    "pax": tar_of(
        ("p/caf\udce9", _FILE, b"x" * 10, ""),
        ("p/" + "é" * 100, _FILE, b"y" * 20, ""),
        ("p/same", _LINK, b"", "p/" + "é" * 100),
    ),
    "with global headers": _with_globals(),
    "with attributes": _with_attributes(),
    "without directories": tar_of(("n/o/n/e", _FILE, b"e" * 512, "")),
    "without an end": tar_of(("e/f", _FILE, b"e" * 512, ""))[:1024],
    "with more after its end": tar_of(("z/last", _FILE, b"z" * 123, "")) + b"more" * 1000,
    "of nothing": bytes(1024),
    "with marks": tar_of(
        ("etc/.wh.gone", _FILE, b"", ""),
        ("dir/new", _FILE, b"n" * 40, ""),
        ("dir/.wh..wh..opq", _FILE, b"", ""),  # after what it does not hide
    ),
    "with names to normalise": tar_of(
        ("/abs/file", _FILE, b"9" * 99, ""),
        ("//abs//two", _FILE, b"8" * 88, ""),
        ("abs/./three", _FILE, b"7" * 77, ""),
        ("abs/x/../four", _FILE, b"6" * 66, ""),
    ),
    "with a file once more and a link to it": tar_of(
        ("etc/kept", _FILE, b"k" * 2000, ""), ("etc/link", _LINK, b"", "/etc/kept")
    ),
}
