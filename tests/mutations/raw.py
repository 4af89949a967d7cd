"""The bytes of a zip, one place of them changed, and archives that no gate uploads."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable

from gate_runs import REGULAR, zip_files


def directory(whole: bytes) -> int:
    """Where the central directory begins."""
    return int(struct.unpack("<I", whole[-6:-2])[0])


def at(whole: bytes, place: int, content: bytes) -> bytes:
    """Other bytes from that place on."""
    return whole[:place] + content + whole[place + len(content) :]


def patched(whole: bytes, offset: int, form: str, change: Callable[[int], int]) -> bytes:
    """A field of the end record changed."""
    place = len(whole) - 22 + offset
    (value,) = struct.unpack_from(form, whole, place)
    return at(whole, place, struct.pack(form, change(value)))


def compressed(files: dict[str, str], method: int) -> bytes:
    """A zip of another compression."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def twice(files: dict[str, str], run: str) -> bytes:
    """Two entries named run.json, written under another name first."""
    data = zip_files({**files, "run.json": run, "ruN.json": run})
    return data.replace(b"ruN.json", b"run.json")


def tar(files: dict[str, str]) -> bytes:
    """A tar file instead of a zip."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), REGULAR
            archive.addfile(entry, io.BytesIO(text.encode()))
    return target.getvalue()
