"""One report of a stack whose images several machines inspected. Pure.

What an image has alone and what it shares depends on all the others, so it is worked out anew, and
so are duplicates (merge_duplicates.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from onegig.errors import InspectError
from onegig.images.large import merge_duplicates, remark_on
from onegig.images.sharing import add_up
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Environment, Missing

ALIKE = ("onegig_version", "architecture")  # what bytes can only be compared with equal ones of
T = TypeVar("T")


def merge_images(reports: Sequence[ImagesReport], order: Sequence[str] = ()) -> ImagesReport:
    """The images of all reports, those of `order` (references) first and in that order.

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
            images[image.reference] = _same(images.get(image.reference, image), image)
    places = {reference: place for place, reference in enumerate(order)}
    ordered = sorted(images.values(), key=lambda image: places.get(image.reference, len(places)))
    environment = _environment([report.environment for report in reports])
    merged = add_up(ordered, environment, first.stack)
    apart = [report for report in dict.fromkeys(reports) if report.images]
    return replace(
        merged, duplicates=merge_duplicates(apart, ordered), duplicates_remark=remark_on(apart)
    )


def reusable(
    reports: Iterable[ImagesReport], image_ids: Mapping[str, str]
) -> tuple[tuple[ImagesReport, ...], tuple[str, ...]]:
    """The reports without images other than the engine's, and the references of those.

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


def _check_alike(first: ImagesReport, other: ImagesReport) -> None:
    pairs = [("the stack", first.stack, other.stack)]
    pairs += [
        (name, getattr(first.environment, name), getattr(other.environment, name)) for name in ALIKE
    ]
    for name, one, another in pairs:
        if one != another:
            raise InspectError(
                f"reports of images do not belong together: {name.replace('_', ' ')} is {one!r} in "
                f"one and {another!r} in another",
                advice="inspect all of them with the same version, on the same kind of machine",
            )


def _same(one: Image, another: Image) -> Image:
    """An image that two reports have: of each part whichever says more."""
    if one.image_id != another.image_id:
        raise InspectError(
            f"{one.reference} is two images: {one.image_id} in one report and "
            f"{another.image_id} in another",
            advice="build each image on one machine only (`onegig shards` keeps services of one "
            "image together)",
        )
    services = tuple(dict.fromkeys(one.services + another.services))
    return replace(
        one,
        services=services,
        build_seconds=_told(one.build_seconds, another.build_seconds),
        accounting=_told(one.accounting, another.accounting),
        scan=_told(one.scan, another.scan),
    )


def _told(one: T | Missing, another: T | Missing) -> T | Missing:
    return another if isinstance(one, Missing) else one


def _environment(environments: Sequence[Environment]) -> Environment:
    """All that the machines were: texts side by side where they differ, the least of numbers."""
    merged: dict[str, Any] = {}
    for field in fields(Environment):
        values = {getattr(one, field.name) for one in environments}
        merged[field.name] = min(values) if field.type is int else ", ".join(sorted(values))
    bases = {base for one in environments for base in one.bases.split(", ")}
    return Environment(**merged | {"bases": ", ".join(sorted(bases))})
