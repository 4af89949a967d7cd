"""A layer's index: an entry for each path, in the order of its tar, without the contents.

Everything that is reported about images (exact account, causes, duplicates) is worked out from
these indexes alone, so a layer is read once however many images share it.
"""

import hashlib
import os
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from errno import ENAMETOOLONG
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from onegig.errors import InspectError
from onegig.images.packages import is_database

CHUNK_BYTES = 1024**2
DIGEST_BYTES = 16
PATH_MAX = 4096  # Linux's limit, with the NUL at the end
CONTENT_LIMIT_BYTES = 8 * 1024**2  # of one file whose content is kept
CONTENTS_LIMIT_BYTES = 64 * 1024**2  # of all of them in a layer
FAULTS = (EOFError, OSError, zlib.error, zstandard.ZstdError, tarfile.TarError, RecursionError)
"""Exceptions that reading a damaged stream or tar raises."""
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_METADATA = ".wh..wh."  # of AUFS and of builders, for nobody else


class Kind(IntEnum):
    """The kind of an entry. Whiteouts are those of the OCI image-spec (layer.md)."""

    FILE = 0
    DIRECTORY = 1
    SYMLINK = 2
    HARDLINK = 3  # `link` names an earlier path of the same layer
    OTHER = 4  # device, fifo
    WHITEOUT = 5  # `path` is what it removes
    OPAQUE = 6  # `path` is the directory whose lower content is hidden


_KINDS = {
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARDLINK,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One path, relative to the root and normalised ("etc/passwd"); "" is the root itself.

    Paths that are not UTF-8 keep their bytes by surrogateescape. `size` is the length of a regular
    file's content, holes of sparse files included, 0 for all else. `digest` names that content
    (BLAKE2b, 16 bytes); b"" for what is not a regular file.
    """

    path: str
    kind: Kind
    size: int = 0
    digest: bytes = b""
    link: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerIndex:
    """One layer. `contents`: by path, the few small files that explain others.

    Those are package databases, RECORD and METADATA of Python distributions, package.json.
    """

    diff_id: str
    entries: tuple[Entry, ...]
    contents: dict[str, bytes]

    @property
    def size_bytes(self) -> int:
        """Bytes of its regular files: Layer.size_bytes. A hard link adds nothing.

        This is the engine's own count (`docker history`, `docker image inspect`) for layers it
        built. For layers it pulled, loaded or imported it walks the unpacked folder instead and
        adds the length of every symbolic link's target: 4,894 bytes for Alpine's 300 busybox links.
        The same layer must not change its size with the way it came, so the targets stay out here.
        The containerd image store reports disk blocks plus compressed blobs, which is neither.
        """
        return sum(entry.size for entry in self.entries)


def index_layer(diff_id: str, path: Path) -> LayerIndex:
    """Read a layer's plain tar. Raises InspectError when it is not whole and readable."""
    entries, contents = [], {}
    room = CONTENTS_LIMIT_BYTES
    try:
        with path.open("rb") as file, open_tar(file, "r:") as tar:
            for member in members(tar):
                entry = _entry(member)
                if entry and entry.kind is Kind.FILE:
                    limit = min(room, CONTENT_LIMIT_BYTES)
                    is_kept = member.size <= limit and is_database(entry.path)
                    digest, content = _read(tar, member, is_kept=is_kept)
                    entry = Entry(path=entry.path, kind=Kind.FILE, size=member.size, digest=digest)
                    if is_kept:  # of a path that comes twice, the later one counts
                        contents[entry.path] = content
                        room -= len(content)
                elif entry and entry.kind is Kind.HARDLINK and entry.link in contents:
                    contents[entry.path] = contents[entry.link]
                if entry:
                    entries.append(entry)
            file.seek(tar.offset)  # tarfile takes a damaged header for the end
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise tarfile.ReadError("what follows the last entry is not a header")
    except (*FAULTS, ValueError) as error:
        raise InspectError(f"layer {diff_id} is not a readable tar: {error}") from error
    return LayerIndex(diff_id=diff_id, entries=tuple(entries), contents=contents)


class _NoHeaders(dict[str, str]):
    """Global headers, which change nothing: the engine passes over them, too."""

    def __setitem__(self, key: str, value: str) -> None:
        """Forget it."""


def open_tar(file: IO[bytes], mode: Any) -> tarfile.TarFile:
    """Open a tar as the engine reads it."""
    return tarfile.open(
        fileobj=file,
        mode=mode,
        bufsize=CHUNK_BYTES,
        encoding="utf-8",
        errors="surrogateescape",
        pax_headers=_NoHeaders(),
    )


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield every member in order, each dropped from memory once passed.

    Raises tarfile.ReadError for what no engine unpacks.
    """
    place = -1
    while (member := tar.next()) is not None:
        if member.size < 0 or member.offset <= place:
            raise tarfile.ReadError("a header with a negative size")
        if "\0" in member.name + member.linkname:  # PAX can have it, no file system can
            raise tarfile.ReadError("a name with a NUL")
        place = member.offset
        yield member
        tar.members = []  # type: ignore[attr-defined]  # tarfile keeps all headers otherwise


def normal(name: str) -> str:
    """Return a tar's name as a path from the root, which ".." can't leave, as in a container.

    Raises OSError for one that is too long for any file system: nobody could unpack it.
    """
    path = name.strip("/")
    if len(path) >= PATH_MAX:
        raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG))
    if "//" in path or path.startswith(".") or "/." in path:
        path = posixpath.normpath(f"/{path}")[1:]
    return path


def _entry(member: tarfile.TarInfo) -> Entry | None:
    """Return the entry that a header describes, or None for metadata of AUFS and builders."""
    path = normal(member.name)
    kind = Kind.FILE if member.isreg() else _KINDS.get(member.type, Kind.OTHER)
    if _WHITEOUT in path:
        folder, _, last = path.rpartition("/")
        if last == _OPAQUE:
            return Entry(path=folder, kind=Kind.OPAQUE)
        if any(part.startswith(_METADATA) for part in path.split("/")):
            return None
        if last.startswith(_WHITEOUT):
            removed = last.removeprefix(_WHITEOUT)
            return Entry(path=posixpath.join(folder, removed), kind=Kind.WHITEOUT)
    if kind is Kind.HARDLINK:
        return Entry(path=path, kind=kind, link=normal(member.linkname))
    return Entry(path=path, kind=kind, link=member.linkname if kind is Kind.SYMLINK else "")


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo, *, is_kept: bool) -> tuple[bytes, bytes]:
    """Return a file's digest, and its content if that is to be kept."""
    state, content = hashlib.blake2b(digest_size=DIGEST_BYTES), bytearray()
    with cast(IO[bytes], tar.extractfile(member)) as file:
        while chunk := file.read(CHUNK_BYTES):
            state.update(chunk)
            if is_kept:
                content += chunk
    return state.digest(), bytes(content)
