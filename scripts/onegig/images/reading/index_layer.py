"""A layer's tar in the spool read once: its entries, and what the content of each is.

The headers come in the order of the tar; the contents, most of a layer's bytes, are then read in
threads (BLAKE2b lets go of Python's lock), a megabyte at a time however long a file is.
"""

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from errno import ENAMETOOLONG
from itertools import repeat

from onegig.errors import InspectError
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.reading.compression import FAULTS
from onegig.images.reading.stored import CHUNK_BYTES, StoredLayer
from onegig.images.reading.tar_headers import DIRECTORY, HARDLINK, REGULAR, SYMLINK, Header, headers
from onegig.images.reading.wanted import wanted

DIGEST_BYTES = 16
PATH_MAX = 4096  # Linux's limit, with the NUL at the end
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
METADATA = ".wh..wh."  # of AUFS and of builders, for nobody else
_KINDS = {
    REGULAR: Kind.FILE,
    DIRECTORY: Kind.DIRECTORY,
    SYMLINK: Kind.SYMLINK,
    HARDLINK: Kind.HARDLINK,
}
_BATCH_BYTES = 8 * CHUNK_BYTES
_BATCH_FILES = 512


def index_layer(layer: StoredLayer) -> LayerIndex:
    """Everything a layer says. Raises InspectError when it is not a whole, readable tar."""
    try:
        with layer.path.open("rb") as tar:
            found = [
                (header, named)
                for header in headers(tar)
                if (named := name_entry(header.name, kind_of(header.kind), header.link))
            ]
            files = [header for header, (_, kind, _) in found if kind is Kind.FILE]
            digests = iter(_digests(tar.fileno(), files))
            entries = tuple(
                Entry(path=path, kind=kind, size=header.size, digest=next(digests))
                if kind is Kind.FILE
                else Entry(path=path, kind=kind, link=link)
                for header, (path, kind, link) in found
            )
            contents = wanted(
                [
                    (path, header.size, header)
                    for header, (path, kind, _) in found
                    if kind is Kind.FILE
                ],
                lambda header: b"".join(_chunks(tar.fileno(), header)),
            )
    except FAULTS as error:
        raise InspectError(f"layer {layer.diff_id} is not a readable tar: {error}") from error
    return LayerIndex(diff_id=layer.diff_id, entries=entries, contents=contents)


def kind_of(type_flag: bytes) -> Kind:
    """What a type of tar's headers is."""
    return _KINDS.get(type_flag, Kind.OTHER)


def name_entry(name: str, kind: Kind, link: str) -> tuple[str, Kind, str] | None:
    """(path, kind, link) of what a header names; None for metadata of AUFS and of builders."""
    path = normal(name)
    folder, _, last = path.rpartition("/")
    if last.startswith(WHITEOUT):
        if last == OPAQUE:
            return folder, Kind.OPAQUE, ""
        if last.startswith(METADATA):
            return None
        removed = last.removeprefix(WHITEOUT)
        return f"{folder}/{removed}" if folder else removed, Kind.WHITEOUT, ""
    if METADATA in path and any(part.startswith(METADATA) for part in path.split("/")):
        return None
    if kind is Kind.HARDLINK:
        return path, kind, normal(link)
    return path, kind, link if kind is Kind.SYMLINK else ""


def normal(name: str) -> str:
    """A tar's name as a path from the root. "..", as in a container, can't leave the root.

    Raises OSError for one that is too long for any file system: nobody could unpack it.
    """
    path = name.strip("/")
    if len(path) >= PATH_MAX:
        raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG))
    if "//" in path or path.startswith(".") or "/." in path:
        path = posixpath.normpath(f"/{path}")[1:]
    return path


def digest_of(chunks: Iterable[bytes]) -> bytes:
    """What names a content: BLAKE2b, 16 bytes."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for chunk in chunks:
        state.update(chunk)
    return state.digest()


def _digests(descriptor: int, files: Sequence[Header]) -> Iterator[bytes]:
    """The digest of each file, in order."""
    batches = list(_batches(files))
    if len(batches) <= 1:
        for batch in batches:
            yield from _digest_batch(descriptor, batch)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for digests in pool.map(_digest_batch, repeat(descriptor), batches):
            yield from digests


def _digest_batch(descriptor: int, files: Sequence[Header]) -> list[bytes]:
    return [digest_of(_chunks(descriptor, file)) for file in files]


def _batches(files: Sequence[Header]) -> Iterator[list[Header]]:
    """Files by the handful, so that handing them to a thread costs little."""
    batch: list[Header] = []
    total = 0
    for file in files:
        batch.append(file)
        total += file.size
        if total >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _chunks(descriptor: int, file: Header) -> Iterator[bytes]:
    """A file's content as it reads: holes of sparse files are zeros."""
    if file.pieces is None:
        yield from _stretch(descriptor, file.offset, file.size)
        return
    place, offset = 0, file.offset
    for start, length in file.pieces:
        yield from _zeros(start - place)
        yield from _stretch(descriptor, offset, length)
        place, offset = start + length, offset + length
    yield from _zeros(file.size - place)


def _stretch(descriptor: int, offset: int, size: int) -> Iterator[bytes]:
    while size > 0:
        chunk = os.pread(descriptor, min(size, CHUNK_BYTES), offset)
        if not chunk:
            raise EOFError("unexpected end of data")
        yield chunk
        offset += len(chunk)
        size -= len(chunk)


def _zeros(size: int) -> Iterator[bytes]:
    zeros = bytes(min(size, CHUNK_BYTES)) if size > 0 else b""
    while size > 0:
        yield zeros[:size]
        size -= len(zeros)
