"""Images that other machines inspected already: their numbers hold where the image is the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from onegig.errors import InspectError
from onegig.images.cache import Cache
from onegig.images.inspect import Inspection, inspect_images
from onegig.images.merge import merge_images, reusable
from onegig.images.reading.source import ImageSource
from onegig.images.scanning import trivy
from onegig.model.environment import Environment
from onegig.model.images import NOT_SCANNED, ImagesReport
from onegig.model.measured import Missing


def inspect_others(
    reports: Sequence[ImagesReport],
    services_by_image: Mapping[str, tuple[str, ...]],
    *,
    engine: ImageSource,
    cache: Cache,
    environment: Environment,
    progress: Callable[[str], None],
    scanner: trivy.Scanner | Missing = NOT_SCANNED,
) -> Inspection:
    """`inspect_images`, except for images that `reports` know by the id the engine has, too.

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
    )
    if not kept:
        return found
    here = replace(found.report, stack=kept[0].stack)
    report = merge_images([here, *kept], order=tuple(services_by_image))
    return Inspection(report=report, problems=found.problems)


def _image_ids(references: Mapping[str, tuple[str, ...]], engine: ImageSource) -> dict[str, str]:
    """What the engine has; images it lacks are told of when they are inspected."""
    image_ids = {}
    for reference in references:
        try:
            image_ids[reference] = engine.image(reference).image_id
        except InspectError:
            continue
    return image_ids
