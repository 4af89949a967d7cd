"""Contents that may be equal, read to learn whether they are.

Two files are the same if their digests are. A digest takes reading the file, which is nearly all
the work there is for an image, and hardly any file has an equal. So of unpacked layers, of which
the engine noted lengths and checksums, only those files are read that have both in common with
another one (or the length, with one whose checksum nobody noted).
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from onegig.errors import InspectError
from onegig.images.layer import Entry, LayerIndex
from onegig.images.reading.index_layer import digest_of
from onegig.images.reading.tar_split import FAULTS, UnpackedLayer


def settle(
    indexes: Iterable[LayerIndex], layers: Mapping[str, UnpackedLayer]
) -> tuple[dict[str, LayerIndex], dict[str, InspectError]]:
    """The indexes by diff_id, with a digest for every file that one of the others may equal.

    `layers` are those whose files can be read; what lies elsewhere stays without. Second, by
    diff_id, what is wrong with a layer that has such a file and can't be read.
    """
    by_id = {index.diff_id: index for index in indexes}
    faults: dict[str, InspectError] = {}
    unread = [index for index in by_id.values() if index.diff_id in layers]
    may_be_equal = _Likeness(by_id.values() if unread else ())
    for index in unread:
        places = [place for place, entry in enumerate(index.entries) if may_be_equal.has(entry)]
        if places:
            try:
                by_id[index.diff_id] = _read(index, layers[index.diff_id], places)
            except FAULTS as error:
                faults[index.diff_id] = InspectError(
                    f"layer {index.diff_id} can't be read: {error}"
                )
    return by_id, faults


class _Likeness:
    """What is known of all files without reading them."""

    def __init__(self, indexes: Collection[LayerIndex]) -> None:
        files = [
            (entry.size, entry.checksum)
            for index in indexes
            for entry in index.entries
            if entry.size
        ]
        self._files = Counter(files)
        self._bare_sizes = {size for size, checksum in self._files if not checksum}

    def has(self, entry: Entry) -> bool:
        """Whether another file may equal this one, of which no digest is known."""
        if not entry.size or entry.digest:
            return False
        return self._files[entry.size, entry.checksum] > 1 or entry.size in self._bare_sizes


def _read(index: LayerIndex, layer: UnpackedLayer, places: Collection[int]) -> LayerIndex:
    entries = list(index.entries)

    def digest(place: int) -> bytes:
        entry = entries[place]
        return digest_of(layer.content(os.fsencode(entry.path), entry.size))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for place, found in zip(places, pool.map(digest, places), strict=True):
            entries[place] = replace(entries[place], digest=found)
    return replace(index, entries=tuple(entries))
