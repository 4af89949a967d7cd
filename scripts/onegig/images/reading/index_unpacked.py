"""What an unpacked layer says, from the engine's notes of its tar and without its contents.

The notes (tar_split.py) hold every header, so this is the index of the tar itself: its order, its
hard links and whiteouts, not what a file system made of them. Of a file's content they hold length
and checksum; contents.py reads those for which that is not enough.
"""

import os
from binascii import a2b_base64
from collections.abc import Iterable, Iterator
from typing import Any

from onegig.errors import InspectError
from onegig.images.reading.index import Entry, Kind, LayerIndex
from onegig.images.reading.index_layer import WHITEOUT, kind_of, name_entry, normal
from onegig.images.reading.tar_headers import BLOCK, header_of
from onegig.images.reading.tar_split import FAULTS, PIECE, UnpackedLayer, decoded_length
from onegig.images.reading.wanted import wanted

_KINDS = {flag: kind_of(bytes((flag,))) for flag in b"0123456"}  # by what a header has at _TYPE
_TYPE, _LINK, _PREFIX = 156, slice(157, 257), 345  # places in a header (POSIX ustar)


class _RareError(Exception):
    """A form that only a look at the tar itself can tell."""


def index_unpacked(layer: UnpackedLayer) -> LayerIndex | None:
    """Everything a layer says; None where its folder can't stand for its tar.

    That is where a path comes twice, where a file's path leads through a symbolic link of the same
    layer, and where headers are of a rare form. Raises InspectError where the engine's notes or
    files can't be read.
    """
    try:
        entries = tuple(_entries(layer.parts()))
        if _is_ambiguous(entries):
            return None
        contents = wanted(
            [(one.path, one.size, one) for one in entries if one.kind is Kind.FILE],
            lambda one: b"".join(layer.content(os.fsencode(one.path), one.size)),
        )
    except _RareError:
        return None
    except FAULTS as error:
        raise InspectError(f"layer {layer.diff_id} can't be read: {error}") from error
    return LayerIndex(diff_id=layer.diff_id, entries=entries, contents=contents)


def _entries(parts: Iterable[dict[str, Any]]) -> Iterator[Entry]:
    pieces: list[str] = []
    padding = 0  # of the file before
    for part in parts:
        if part["type"] == PIECE:
            pieces.append(part["payload"] or "")
            continue
        if len(pieces) != 1:
            raise _RareError
        entry = _usual(part, pieces[0], padding) or _unusual(part, pieces[0], padding)
        if entry is not None:
            yield entry
        padding = -part.get("size", 0) % BLOCK
        pieces = []


def _usual(part: dict[str, Any], piece: str, padding: int) -> Entry | None:
    """A file that one header announces, under the name it has there; None for all else."""
    if decoded_length(piece) != padding + BLOCK:
        return None
    header = a2b_base64(piece[padding // 3 * 4 :])[padding % 3 :]
    kind = _KINDS.get(header[_TYPE])
    name = part.get("name", WHITEOUT)
    if kind is not Kind.FILE or header[_PREFIX] or WHITEOUT in name:
        return None
    size = part.get("size", 0)
    checksum = a2b_base64(part["payload"]) if size else b""
    return Entry(path=normal(name), kind=kind, size=size, checksum=checksum)


def _unusual(part: dict[str, Any], piece: str, padding: int) -> Entry | None:
    """What the header and its extensions say; None for metadata of builders."""
    header = header_of(a2b_base64(piece)[padding:])
    size = part.get("size", 0)
    if header is None:
        raise _RareError
    named = name_entry(header.name, kind_of(header.kind), header.link)
    if named is None:
        return None
    path, kind, link = named
    if kind is not Kind.FILE:
        return Entry(path=path, kind=kind, link=link)
    if header.size != size:
        raise _RareError
    checksum = a2b_base64(part["payload"]) if size else b""
    return Entry(path=path, kind=kind, size=size, checksum=checksum)


def _is_ambiguous(entries: Iterable[Entry]) -> bool:
    """Whether a path of the folder may be another file than the tar's entry of that name."""
    taken: set[str] = set()
    links: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        if entry.kind is Kind.DIRECTORY or entry.kind is Kind.OPAQUE:
            continue
        if entry.path in taken:
            return True
        taken.add(entry.path)
        folders.add(entry.path.rpartition("/")[0])
        if entry.kind is Kind.SYMLINK:
            links.add(entry.path)
    return bool(links) and any(above in links for folder in folders for above in _upwards(folder))


def _upwards(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
