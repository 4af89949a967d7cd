"""One report of a stack whose images several machines inspected. Pure.

What an image has alone and what it shares depends on all the others, so it is worked out anew. So
are duplicates: contents that two machines have one copy each of are in neither report's. Therefore
the report of a part of a stack lists its large files. It goes through a job's artifact, so only
contents that take 64 KiB on this machine, all copies together, are listed, and of very many the
largest; of smaller ones each report's own duplicates stand.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, TypeVar

from onegig.errors import InspectError
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.sharing import MOST, add_up, find_duplicates
from onegig.model.images import Duplicate, Image, ImagesReport, LargeFile, LargeFiles, LayerFiles
from onegig.model.measured import Environment, Missing
from onegig.text import escaped

ALIKE = ("onegig_version", "architecture")  # bytes can only be compared if these are equal
FLOOR_BYTES = 64 * 1024
MOST_FILES = 20_000
T = TypeVar("T")


def merge_images(reports: Sequence[ImagesReport], order: Sequence[str] = ()) -> ImagesReport:
    """Return the images of all reports, those of `order` (references) first and in that order.

    Raises InspectError, naming both, if two reports are about different stacks, were made by
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
    merged = add_up(ordered, _environment([report.environment for report in reports]), first.stack)
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
    reused, changed = [], set()
    for report in reports:
        images = tuple(i for i in report.images if image_ids.get(i.reference) == i.image_id)
        changed |= {image.reference for image in report.images if image not in images}
        if images == report.images:
            reused.append(report)
        elif images:
            reused.append(replace(report, images=images, duplicates=()))
    known = {image.reference for report in reused for image in report.images}
    return tuple(reused), tuple(sorted((changed & image_ids.keys()) - known))


def list_large(
    layers: Iterable[LayerIndex], floor_bytes: int = FLOOR_BYTES, most: int = MOST_FILES
) -> LargeFiles:
    """List the files of all contents that take most, at most `most`; `layers` come once each."""
    files = [(layer.diff_id, entry) for layer in layers for entry in layer.entries if entry.digest]
    copies = Counter((entry.size, entry.digest) for _, entry in files if entry.size)
    taken = {content: content[0] * count for content, count in copies.items()}
    room = most
    for content in sorted(copies, key=lambda entry: -taken[entry]):
        room -= copies[content]
        if room < 0:
            floor_bytes = max(floor_bytes, taken[content] + 1)
            break
    by_layer: defaultdict[str, list[LargeFile]] = defaultdict(list)
    for diff_id, entry in files:
        if entry.size and taken[entry.size, entry.digest] >= floor_bytes:
            file = LargeFile(path=escaped(entry.path), bytes=entry.size, content=entry.digest.hex())
            by_layer[diff_id].append(file)
    large = (LayerFiles(diff_id=diff_id, files=tuple(group)) for diff_id, group in by_layer.items())
    return LargeFiles(at_least_bytes=floor_bytes, layers=tuple(large))


def _check_alike(first: ImagesReport, second: ImagesReport) -> None:
    pairs = [("the stack", first.stack, second.stack)]
    for name in ALIKE:
        values = (getattr(report.environment, name) for report in (first, second))
        pairs.append((name.replace("_", " "), *values))
    for name, value, other in pairs:
        if value != other:
            raise InspectError(
                f"the reports of images do not match: {name} is {value!r} in one and "
                f"{other!r} in another",
                advice="inspect all images with the same version of onegig, on the same "
                "kind of machine",
            )


def _combine(image: Image, other: Image) -> Image:
    """Return an image that two reports have: of each part whichever says more."""
    if image.image_id != other.image_id:
        raise InspectError(
            f"{image.reference} is two images: {image.image_id} in one report and "
            f"{other.image_id} in another",
            advice="build each image on one machine only (`onegig shards` keeps services of one "
            "image together)",
        )
    return replace(
        image,
        services=tuple(dict.fromkeys(image.services + other.services)),
        build_seconds=_first_known(image.build_seconds, other.build_seconds),
        accounting=_first_known(image.accounting, other.accounting),
        scan=_first_known(image.scan, other.scan),
    )


def _first_known(value: T | Missing, other: T | Missing) -> T | Missing:
    return other if isinstance(value, Missing) else value


def _environment(environments: Sequence[Environment]) -> Environment:
    """Describe all machines: texts side by side where they differ, the least of numbers."""
    merged: dict[str, Any] = {}
    for field in fields(Environment):
        values = {getattr(environment, field.name) for environment in environments}
        merged[field.name] = min(values) if field.type is int else ", ".join(sorted(values))
    bases = {base for environment in environments for base in environment.bases.split(", ")}
    return Environment(**merged | {"bases": ", ".join(sorted(bases))})


def _merge_duplicates(
    reports: Sequence[ImagesReport], images: Iterable[Image]
) -> tuple[Duplicate, ...]:
    """Find those of all large files, and take each report's own of smaller ones.

    One that several reports have, in layers they share, counts once.
    """
    known = index_large([report.large for report in reports])
    layers = {image.reference: [layer.diff_id for layer in image.layers] for image in images}
    large = find_duplicates(
        {name: [known[key] for key in keys if key in known] for name, keys in layers.items()}
    )
    merged = {_likeness(duplicate): duplicate for duplicate in large}
    for report in reports:
        floor = report.large.at_least_bytes if isinstance(report.large, LargeFiles) else math.inf
        for own in report.duplicates:
            rival = merged.get(_likeness(own), own)
            if own.bytes * own.copies < floor and rival not in large:
                merged[_likeness(own)] = max(rival, own, key=attrgetter("copies", "places"))
    return tuple(
        sorted(merged.values(), key=lambda group: (-group.wasted_bytes, group.places))[:MOST]
    )


def index_large(lists: Iterable[LargeFiles | Missing]) -> dict[str, LayerIndex]:
    """Return what is known of each layer's large files, whoever listed them."""
    known: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
    large = (files for files in lists if isinstance(files, LargeFiles))
    for layer in (layer for files in large for layer in files.layers):
        for file in layer.files:
            digest = bytes.fromhex(file.content)
            entry = Entry(path=file.path, kind=Kind.FILE, size=file.bytes, digest=digest)
            known[layer.diff_id][file.path] = entry
    return {
        diff_id: LayerIndex(diff_id=diff_id, entries=tuple(files.values()), contents={})
        for diff_id, files in known.items()
    }


def _likeness(duplicate: Duplicate) -> tuple[int, frozenset[str]]:
    """Return what two reports say alike of contents in layers that they share."""
    return duplicate.bytes, frozenset(place.rpartition(": ")[2] for place in duplicate.places)


def _remark(reports: Sequence[ImagesReport]) -> str:
    if len(reports) < 2:
        return ""
    machines = f"{len(reports):,} machines inspected the images"
    lists = [report.large for report in reports if isinstance(report.large, LargeFiles)]
    if len(lists) < len(reports):
        return (
            f"{machines} of different kinds, so the search for duplicates across them is incomplete"
        )
    least = max(large.at_least_bytes for large in lists)
    return (
        f"{machines}; duplicates across them were only searched for files of {least:,} bytes "
        "and more"
    )
