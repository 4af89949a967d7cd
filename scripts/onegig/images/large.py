"""Files that are large enough to be looked for on other machines, listed for them. Pure.

A report of a part of a stack goes through a job's artifact, so it does not list every file: what
takes less than 64 KiB on this machine, all copies together, is left out, and the smallest of all
else where there are very many. A content is named by length and the engine's CRC-64, where that was
noted: no machine has the others' bytes to compare, so between machines equal names must do.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from onegig.images.account import escaped
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.model.images import LargeFile, LargeFiles, LayerFiles

FLOOR_BYTES = 64 * 1024
MOST_FILES = 20_000
_Content = tuple[bytes, int]


def list_large(
    layers: Iterable[LayerIndex], floor_bytes: int = FLOOR_BYTES, most: int = MOST_FILES
) -> LargeFiles:
    """The files of all contents that take most, at most `most` of them; `layers` each once."""
    layers = tuple(layers)
    copies = Counter(_content(entry) for layer in layers for entry in _files(layer))
    least = _least(copies, floor_bytes, most)
    found = (
        LayerFiles(
            diff_id=layer.diff_id,
            files=tuple(
                LargeFile(
                    path=escaped(entry.path), bytes=entry.size, content=_content(entry)[0].hex()
                )
                for entry in _files(layer)
                if entry.size * copies[_content(entry)] >= least
            ),
        )
        for layer in layers
    )
    return LargeFiles(at_least_bytes=least, layers=tuple(one for one in found if one.files))


def indexes_of(lists: Iterable[LargeFiles]) -> dict[str, LayerIndex]:
    """By diff_id what is known of each layer's large files, whoever listed them."""
    known: dict[str, dict[str, LargeFile]] = {}
    for layer in (layer for one in lists for layer in one.layers):
        known.setdefault(layer.diff_id, {}).update({file.path: file for file in layer.files})
    return {
        diff_id: LayerIndex(diff_id=diff_id, entries=tuple(_entries(files)), contents={})
        for diff_id, files in known.items()
    }


def _least(copies: Mapping[_Content, int], floor_bytes: int, most: int) -> int:
    """What a content must take at least, so that no more than `most` files are listed."""
    room = most
    for content in sorted(copies, key=lambda one: -one[1] * copies[one]):
        taken = content[1] * copies[content]
        room -= copies[content]
        if room < 0 and taken >= floor_bytes:
            return taken + 1
    return floor_bytes


def _files(layer: LayerIndex) -> Iterator[Entry]:
    return (entry for entry in layer.entries if entry.size and _content(entry)[0])


def _content(entry: Entry) -> _Content:
    return entry.checksum or entry.digest, entry.size


def _entries(files: Mapping[str, LargeFile]) -> Iterator[Entry]:
    for path, file in files.items():
        content = bytes.fromhex(file.content)
        yield Entry(path=path, kind=Kind.FILE, size=file.bytes, digest=content)
