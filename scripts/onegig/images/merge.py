"""One report of a stack whose images several machines inspected. Pure.

What an image has alone and what it shares depends on all the others, so it is worked out anew. So
are duplicates: contents that two machines have one copy each of are in neither report's. Therefore
the report of a part of a stack lists its large files. It goes through a job's artifact, so only
contents that take 64 KiB on this machine, all copies together, are listed, and of very many the
largest; of smaller ones each report's own duplicates stand.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from onegig.errors import InspectError
from onegig.images.account import escaped
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.sharing import MOST, add_up, find_duplicates
from onegig.model.images import Duplicate, Image, ImagesReport, LargeFile, LargeFiles, LayerFiles
from onegig.model.measured import Environment, Missing

ALIKE = ("onegig_version", "architecture")  # bytes can only be compared where these are equal
FLOOR_BYTES = 64 * 1024
MOST_FILES = 20_000
T = TypeVar("T")


def merge_images(reports: Sequence[ImagesReport], order: Sequence[str] = ()) -> ImagesReport:
    """Return the images of all reports, those of `order` (references) first and in that order.

    Raises InspectError, naming both, where two reports are about different stacks, were made by
    different versions of onegig or for different processors, or have different images of one name.
    """
    if not reports:
        raise InspectError("there are no reports of images to merge")
    first = reports[0]
    images: dict[str, Image] = {}
    for report in reports:
        _check_alike(first, report)
        for image in report.images:
            images[image.reference] = _combine(images.get(image.reference, image), image)
    places = {reference: place for place, reference in enumerate(order)}
    ordered = sorted(images.values(), key=lambda image: places.get(image.reference, len(places)))
    merged = add_up(ordered, _environment([one.environment for one in reports]), first.stack)
    apart = [report for report in dict.fromkeys(reports) if report.images]
    duplicates = _merge_duplicates(apart, ordered)
    return replace(merged, duplicates=duplicates, duplicates_remark=_remark(apart))


def reusable(
    reports: Iterable[ImagesReport], image_ids: Mapping[str, str]
) -> tuple[tuple[ImagesReport, ...], tuple[str, ...]]:
    """Return the reports without images other than the engine's, and the references of those.

    `image_ids` are what the engine has, by reference. A report that keeps none is left out; one
    that loses some loses its duplicates, which may be in those.
    """
    kept, others = [], set()
    for report in reports:
        images = tuple(one for one in report.images if image_ids.get(one.reference) == one.image_id)
        others |= {one.reference for one in report.images if one not in images}
        if images == report.images:
            kept.append(report)
        elif images:
            kept.append(replace(report, images=images, duplicates=()))
    known = {image.reference for report in kept for image in report.images}
    return tuple(kept), tuple(sorted((others & image_ids.keys()) - known))


def list_large(
    layers: Iterable[LayerIndex], floor_bytes: int = FLOOR_BYTES, most: int = MOST_FILES
) -> LargeFiles:
    """List the files of all contents that take most, at most `most`; `layers` come once each."""
    files = [(layer.diff_id, one) for layer in layers for one in layer.entries if one.digest]
    copies = Counter((one.size, one.digest) for _, one in files if one.size)
    taken = {content: content[0] * count for content, count in copies.items()}
    room = most
    for content in sorted(copies, key=lambda one: -taken[one]):
        room -= copies[content]
        if room < 0:
            floor_bytes = max(floor_bytes, taken[content] + 1)
            break
    found: defaultdict[str, list[LargeFile]] = defaultdict(list)
    for diff_id, one in files:
        if one.size and taken[one.size, one.digest] >= floor_bytes:
            file = LargeFile(path=escaped(one.path), bytes=one.size, content=one.digest.hex())
            found[diff_id].append(file)
    large = (LayerFiles(diff_id=diff_id, files=tuple(all_)) for diff_id, all_ in found.items())
    return LargeFiles(at_least_bytes=floor_bytes, layers=tuple(large))


def _check_alike(first: ImagesReport, second: ImagesReport) -> None:
    pairs = [("the stack", first.stack, second.stack)]
    for name in ALIKE:
        values = (getattr(report.environment, name) for report in (first, second))
        pairs.append((name.replace("_", " "), *values))
    for name, one, another in pairs:
        if one != another:
            raise InspectError(
                f"reports of images do not belong together: {name} is {one!r} in one and "
                f"{another!r} in another",
                advice="inspect all of them with the same version, on the same kind of machine",
            )


def _combine(one: Image, another: Image) -> Image:
    """Return an image that two reports have: of each part whichever says more."""
    if one.image_id != another.image_id:
        raise InspectError(
            f"{one.reference} is two images: {one.image_id} in one report and "
            f"{another.image_id} in another",
            advice="build each image on one machine only (`onegig shards` keeps services of one "
            "image together)",
        )
    return replace(
        one,
        services=tuple(dict.fromkeys(one.services + another.services)),
        build_seconds=_first_known(one.build_seconds, another.build_seconds),
        accounting=_first_known(one.accounting, another.accounting),
        scan=_first_known(one.scan, another.scan),
    )


def _first_known(one: T | Missing, another: T | Missing) -> T | Missing:
    return another if isinstance(one, Missing) else one


def _environment(environments: Sequence[Environment]) -> Environment:
    """Describe all machines: texts side by side where they differ, the least of numbers."""
    merged: dict[str, Any] = {}
    for field in fields(Environment):
        values = {getattr(one, field.name) for one in environments}
        merged[field.name] = min(values) if field.type is int else ", ".join(sorted(values))
    bases = {base for one in environments for base in one.bases.split(", ")}
    return Environment(**merged | {"bases": ", ".join(sorted(bases))})


def _merge_duplicates(
    reports: Sequence[ImagesReport], images: Iterable[Image]
) -> tuple[Duplicate, ...]:
    """Find those of all large files, and take each report's own of smaller ones.

    One that several reports have, in layers they share, counts once.
    """
    known = index_large([report.large for report in reports])
    large = find_duplicates(
        {
            image.reference: [known[one.diff_id] for one in image.layers if one.diff_id in known]
            for image in images
        }
    )
    found = {_likeness(one): one for one in large}
    for report in reports:
        for one in report.duplicates:
            is_listed = isinstance(report.large, LargeFiles) and (
                one.bytes * one.copies >= report.large.at_least_bytes
            )
            rival = found.get(_likeness(one), one)
            if not is_listed and rival not in large:
                found[_likeness(one)] = max(rival, one, key=lambda each: (each.copies, each.places))
    return tuple(sorted(found.values(), key=lambda one: (-one.wasted_bytes, one.places))[:MOST])


def index_large(lists: Iterable[LargeFiles | Missing]) -> dict[str, LayerIndex]:
    """Return what is known of each layer's large files, whoever listed them."""
    known: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
    for layer in (layer for one in lists if isinstance(one, LargeFiles) for layer in one.layers):
        for file in layer.files:
            digest = bytes.fromhex(file.content)
            entry = Entry(path=file.path, kind=Kind.FILE, size=file.bytes, digest=digest)
            known[layer.diff_id][file.path] = entry
    return {
        diff_id: LayerIndex(diff_id=diff_id, entries=tuple(files.values()), contents={})
        for diff_id, files in known.items()
    }


def _likeness(one: Duplicate) -> tuple[int, frozenset[str]]:
    """Return what two reports say alike of contents in layers that they share."""
    return one.bytes, frozenset(place.rpartition(": ")[2] for place in one.places)


def _remark(reports: Sequence[ImagesReport]) -> str:
    """Say which copies that different machines hold could not be found."""
    if len(reports) < 2:
        return ""
    machines = f"{len(reports):,} machines inspected the images"
    lists = [report.large for report in reports if isinstance(report.large, LargeFiles)]
    if len(lists) < len(reports):
        return f"{machines}, not all alike: copies on different ones were only looked for in part"
    least = max(one.at_least_bytes for one in lists)
    return (
        f"{machines}: copies on different ones were only looked for of contents that take "
        f"{least:,} bytes or more on each"
    )
