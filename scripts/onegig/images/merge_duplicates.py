"""What the images of a stack hold more than once, whichever machine inspected them. Pure.

Contents that two machines have one copy each of are in neither report's duplicates. So each report
lists its large files, and theirs are found anew; of smaller contents each report's own stand.
"""

from collections.abc import Iterable, Iterator, Sequence

from onegig.images.duplicates import MOST, find_duplicates
from onegig.images.large import indexes_of
from onegig.model.images import Duplicate, Image, ImagesReport, LargeFiles
from onegig.model.measured import Missing


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
    kinds = {len(file.content) for one in lists for layer in one.layers for file in layer.files}
    if len(lists) < len(reports) or len(kinds) > 1:
        return f"{who}, not all alike: copies on different ones were only looked for in part"
    least = max(one.at_least_bytes for one in lists)
    return (
        f"{who}: copies on different ones were only looked for of contents that take {least:,} "
        "bytes or more on each"
    )


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
