"""What trivy finds in images: scanned once for each version of trivy and of its database."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial

from onegig.errors import InspectError
from onegig.images.cache import Cache
from onegig.images.reading.archive import Spool, write_docker_archive
from onegig.images.reading.manifests import ArchivedImage
from onegig.images.reading.saving import find, save, take
from onegig.images.reading.source import EngineImage, ImageSource
from onegig.images.reading.stored import ReadableLayer
from onegig.images.scanning import trivy
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Scan
from onegig.owned import new_run


def scan_images(
    images: Sequence[EngineImage],
    scanner: trivy.Scanner | Missing,
    *,
    source: ImageSource,
    cache: Cache,
    progress: Callable[[str], None],
) -> dict[str, Scan | Missing]:
    """Each image's scan by image id, or why there is none; an image that fails takes no other.

    `progress` hears of every image that is scanned anew. Raises EngineError when the engine is
    gone.
    """
    found: dict[str, Scan | Missing] = {}
    if isinstance(scanner, Missing):
        return {image.image_id: scanner for image in images}
    for image in images:
        known = cache.scan(image.image_id, scanner.version, scanner.database)
        if known is not None:
            found[image.image_id] = known
    new = {image.image_id: image for image in images if image.image_id not in found}
    if new:
        for image, scan in _scan(tuple(new.values()), scanner, source):
            found[image.image_id] = scan
            if isinstance(scan, Scan) and scan.database == scanner.database:
                cache.keep_scan(image.image_id, scan)
            progress(f"{image.reference}: {_summary(scan)}")
    return found


def _scan(
    images: Sequence[EngineImage], scanner: trivy.Scanner, source: ImageSource
) -> Iterator[tuple[EngineImage, Scan | Unknown]]:
    with new_run() as run, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        spool = Spool(run.directory, _ignore)
        refused = save(take(images, source, spool), source, spool)
        waiting: dict[Future[Scan | Unknown], EngineImage] = {}
        for image in images:
            try:
                archived = find(spool, image, refused)
            except InspectError as error:
                yield image, Unknown(reason=error.message)
                continue
            write = _writer(image, archived, spool)
            waiting[pool.submit(trivy.scan, scanner, write, run.directory)] = image
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _writer(image: EngineImage, archived: ArchivedImage, spool: Spool) -> trivy.WriteArchive:
    layers = [spool.layers[diff_id] for diff_id in archived.diff_ids]
    return partial(write_docker_archive, reference=image.reference, image=archived, layers=layers)


def _ignore(_layer: ReadableLayer) -> None:
    """Nothing is measured here."""


def _summary(scan: Scan | Missing) -> str:
    if isinstance(scan, Missing):
        return f"not scanned: {scan.reason}"
    count = len(scan.findings)
    told = f"{count:,} finding{'' if count == 1 else 's'} of trivy"
    without = scan.database.reason if isinstance(scan.database, Missing) else ""
    return f"{told}; vulnerabilities not scanned: {without}" if without else told
