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
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.reading.index_layer import WHITEOUT, kind_of, name_entry, normal
from onegig.images.reading.tar_headers import BLOCK, REGULAR, header_of, text_of
from onegig.images.reading.tar_split import FAULTS, PIECE, UnpackedLayer, decoded_length
from onegig.images.reading.wanted import wanted

_KINDS = {flag: kind_of(bytes((flag,))) for flag in b"0123456"}  # by what a header has at _TYPE
_TYPE, _PREFIX = 156, 345  # places in a header (POSIX ustar); the link follows the type


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
        entry = _entry(part, pieces[0], padding)
        if entry is not None:
            yield entry
        padding = -part.get("size", 0) % BLOCK
        pieces.clear()


def _entry(part: dict[str, Any], piece: str, padding: int) -> Entry | None:
    """What a header, after the padding of the file before, says of the part that follows it.

    Of a single header only the type is looked at, as the part has its name; this is most of the
    work for a layer, hence the haste. None for metadata of builders.
    """
    if decoded_length(piece) == padding + BLOCK and "name" in part:
        start = padding + _TYPE
        header = a2b_base64(piece[start // 3 * 4 : (padding + _PREFIX) // 3 * 4 + 4])[start % 3 :]
        kind, name = _KINDS.get(header[0]), part["name"]
        if kind is not None and not header[_PREFIX - _TYPE]:
            if kind is not Kind.FILE:
                return _named(part, name, kind, text_of(header[1:101]))
            if WHITEOUT in name:
                return _named(part, name, kind, "")
            size = part.get("size", 0)
            checksum = a2b_base64(part["payload"]) if size else b""
            return Entry(path=normal(name), kind=kind, size=size, checksum=checksum)
    told = header_of(a2b_base64(piece)[padding:])
    if told is None or (told.kind == REGULAR and told.size != part.get("size", 0)):
        raise _RareError
    return _named(part, told.name, kind_of(told.kind), told.link)


def _named(part: dict[str, Any], name: str, kind: Kind, link: str) -> Entry | None:
    named = name_entry(name, kind, link)
    if named is None:
        return None
    path, kind, link = named
    size = part.get("size", 0) if kind is Kind.FILE else 0
    checksum = a2b_base64(part["payload"]) if size else b""
    return Entry(path=path, kind=kind, size=size, link=link, checksum=checksum)


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
