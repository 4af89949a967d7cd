"""Free the disk: what `onegig inspect` found in the images. None of it changes memory."""

from collections.abc import Iterator

from onegig.model.images import Fix, Image
from onegig.model.measured import Missing
from onegig.model.plan import Action, Basis, Letter, Saving
from onegig.plan.case import Case
from onegig.text import plain

LEAST_BYTES = 10 * 1000**2
MOST = 5


def image_fixes(case: Case) -> Iterator[Action]:
    """Yield the fixes that save most, each once for all images that it is about."""
    if isinstance(case.report.images, Missing):
        return
    found: dict[tuple[str, str], tuple[Image, Fix]] = {}
    for image in case.report.images.images:
        for fix in () if isinstance(image.accounting, Missing) else image.accounting.fixes:
            if fix.bytes >= LEAST_BYTES:
                found.setdefault((fix.text, fix.place), (image, fix))
    largest = sorted(found.values(), key=lambda each: -each[1].bytes)
    for image, fix in largest[:MOST]:
        name = image.services[0] if image.services else image.reference
        where = plain(fix.place) or f"image of {plain(name)}"
        nothing = Saving(
            bytes=0, low_bytes=0, high_bytes=0, basis=Basis.MEASURED, source="the image's layers"
        )
        yield Action(
            id=f"image:{name}:{fix.layer}:{plain(fix.text, 60)}",
            option=Letter.SQUEEZE,
            title=plain(fix.text),
            saving=nothing,
            cost=where,
            changes=(),
            services=image.services,
            disk_bytes=fix.bytes,
        )
