"""Duplicates among images that several machines inspected. Pure.

Contents that two machines have one copy each of are in neither report's duplicates. So each report
of a part of a stack lists its large files, in which duplicates are found anew; of smaller contents
each report's own stand. Such a report goes through a job's artifact, so it does not list every
file: what takes less than 64 KiB on this machine, all copies together, is left out, and the
smallest of all else where there are very many.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from onegig.images.account import escaped
from onegig.images.duplicates import MOST, find_duplicates
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.model.images import Duplicate, Image, ImagesReport, LargeFile, LargeFiles, LayerFiles
from onegig.model.measured import Missing

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
                LargeFile(path=escaped(entry.path), bytes=entry.size, content=entry.digest.hex())
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


def merge_duplicates(
    reports: Sequence[ImagesReport], images: Iterable[Image]
) -> tuple[Duplicate, ...]:
    """Those of all large files, and each report's own of smaller ones.

    One that several reports have, in layers they share, counts once.
    """
    known = indexes_of(one.large for one in reports if isinstance(one.large, LargeFiles))
    layers = {
        image.reference: [known[one.diff_id] for one in image.layers if one.diff_id in known]
        for image in images
    }
    large = find_duplicates(layers)
    small: dict[tuple[int, frozenset[str]], Duplicate] = {}
    for one in (one for report in reports for one in _small(report)):
        small[_likeness(one)] = max(
            small.get(_likeness(one), one), one, key=lambda known: (known.copies, known.places)
        )
    told = {_likeness(one) for one in large}
    found = [*large, *(one for likeness, one in small.items() if likeness not in told)]
    return tuple(sorted(found, key=lambda one: (-one.wasted_bytes, one.places))[:MOST])


def remark_on(reports: Sequence[ImagesReport]) -> str:
    """Which copies that different machines hold could not be found."""
    if len(reports) < 2:
        return ""
    who = f"{len(reports):,} machines inspected the images"
    lists = [report.large for report in reports if isinstance(report.large, LargeFiles)]
    if len(lists) < len(reports):
        return f"{who}, not all alike: copies on different ones were only looked for in part"
    least = max(one.at_least_bytes for one in lists)
    return (
        f"{who}: copies on different ones were only looked for of contents that take {least:,} "
        "bytes or more on each"
    )


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
    return (entry for entry in layer.entries if entry.size and entry.digest)


def _content(entry: Entry) -> _Content:
    return entry.digest, entry.size


def _entries(files: Mapping[str, LargeFile]) -> Iterator[Entry]:
    for path, file in files.items():
        content = bytes.fromhex(file.content)
        yield Entry(path=path, kind=Kind.FILE, size=file.bytes, digest=content)


def _likeness(one: Duplicate) -> tuple[int, frozenset[str]]:
    """What two reports say alike of contents in layers that they share."""
    return one.bytes, frozenset(place.rpartition(": ")[2] for place in one.places)


def _small(report: ImagesReport) -> Iterator[Duplicate]:
    """The report's own duplicates of contents that it does not list."""
    for one in report.duplicates:
        if isinstance(report.large, Missing) or (
            one.bytes * one.copies < report.large.at_least_bytes
        ):
            yield one
