"""Images that other machines inspected already: their numbers hold where the image is the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from onegig.errors import InspectError
from onegig.images import trivy
from onegig.images.cache import Cache
from onegig.images.inspect import EvidenceOf, Inspection, inspect_images, nothing_known
from onegig.images.large import list_large
from onegig.images.merge import merge_images, reusable
from onegig.images.reading.source import ImageSource
from onegig.model.images import NOT_SCANNED, ImagesReport, LargeFiles
from onegig.model.measured import Environment, Missing, Unknown


def inspect_others(
    reports: Sequence[ImagesReport],
    services_by_image: Mapping[str, tuple[str, ...]],
    *,
    engine: ImageSource,
    cache: Cache,
    environment: Environment,
    progress: Callable[[str], None],
    scanner: trivy.Scanner | Missing = NOT_SCANNED,
    is_part: bool = False,
    evidence_of: EvidenceOf = nothing_known,
) -> Inspection:
    """`inspect_images`, except for images that `reports` know by the id the engine has, too.

    A report that `is_part` of one to be merged lists the large files, as those should that are.
    Raises InspectError where the reports do not belong together.
    """
    kept, changed = reusable(reports, _image_ids(services_by_image, engine))
    for reference in changed:
        progress(f"{reference}: not the image that was inspected elsewhere, so inspected here")
    known = {image.reference for report in kept for image in report.images}
    others = {image: users for image, users in services_by_image.items() if image not in known}
    found = inspect_images(
        others,
        engine=engine,
        cache=cache,
        environment=environment,
        progress=progress,
        scanner=scanner,
        evidence_of=evidence_of,
    )
    here = found.report
    if kept or is_part:
        here = replace(here, large=_large(here, cache))
    if kept:
        here = replace(here, stack=kept[0].stack)
        here = merge_images([here, *kept], order=tuple(services_by_image))
    return Inspection(report=here, problems=found.problems)


def _large(report: ImagesReport, cache: Cache) -> LargeFiles | Unknown:
    diff_ids = dict.fromkeys(layer.diff_id for image in report.images for layer in image.layers)
    indexes = [cache.index(diff_id) for diff_id in diff_ids]
    known = [index for index in indexes if index is not None]
    if len(known) < len(indexes):
        return Unknown(reason="what was found in the layers could not be kept")
    return list_large(known)


def _image_ids(references: Mapping[str, tuple[str, ...]], engine: ImageSource) -> dict[str, str]:
    """What the engine has; images it lacks are told of when they are inspected."""
    image_ids = {}
    for reference in references:
        try:
            image_ids[reference] = engine.image(reference).image_id
        except InspectError:
            continue
    return image_ids
