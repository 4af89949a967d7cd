"""What trivy finds in images: scanned once for each version of trivy and of its database."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path

from onegig.engine.images import EngineImage
from onegig.engine.owned import new_run
from onegig.errors import InspectError
from onegig.images import scan as one_image
from onegig.images import trivy
from onegig.images.cache import Cache
from onegig.images.manifests import ArchivedImage
from onegig.images.reading.saving import find, save, take
from onegig.images.reading.source import ImageSource
from onegig.images.reading.stored import ReadableLayer
from onegig.images.spool import Spool, write_docker_archive
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Scan


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
        if known is not None and _is_current(known, scanner):
            found[image.image_id] = known
    new = {image.image_id: image for image in images if image.image_id not in found}
    if new:
        for image, scan in _scan(tuple(new.values()), scanner, source):
            found[image.image_id] = scan
            if isinstance(scan, Scan) and _is_lasting(scan, scanner):
                cache.keep_scan(image.image_id, scan)
            progress(f"{image.reference}: {_summary(scan)}")
    return found


def _is_current(known: Scan, scanner: trivy.Scanner) -> bool:
    """Whether it would be the same again; its other databases are those of the scanner."""
    if isinstance(known.java_database, Missing) and scanner.fetches:
        return False
    return known.java_database in ("", scanner.java_database)


def _is_lasting(scan: Scan, scanner: trivy.Scanner) -> bool:
    """Not where a database that was there or wanted failed: it may do better next time."""
    return scan.database == scanner.database and not isinstance(scan.java_database, Unknown)


def _scan(
    images: Sequence[EngineImage], scanner: trivy.Scanner, source: ImageSource
) -> Iterator[tuple[EngineImage, Scan | Unknown]]:
    """Each image once; those that need the Java database when it was fetched."""
    with new_run() as run, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        spool = Spool(run.directory, _ignore)
        refused = save(take(images, source, spool), source, spool)
        writers: dict[EngineImage, one_image.WriteArchive] = {}
        for image in images:
            try:
                writers[image] = _writer(image, find(spool, image, refused), spool)
            except InspectError as error:
                yield image, Unknown(reason=error.message)
        lacking: dict[EngineImage, Scan] = {}
        for image, scan in _each(pool, writers, scanner, run.directory):
            if isinstance(scan, Scan) and isinstance(scan.java_database, Skipped):
                lacking[image] = scan
            else:
                yield image, scan
        if lacking and scanner.fetches:
            scanner = trivy.fetch_java(scanner)
        if isinstance(scanner.java_database, Missing):
            for image, scan in lacking.items():
                yield image, replace(scan, java_database=scanner.java_database)
        else:
            again = {image: writers[image] for image in lacking}
            yield from _each(pool, again, scanner, run.directory)


def _each(
    pool: ThreadPoolExecutor,
    writers: Mapping[EngineImage, one_image.WriteArchive],
    scanner: trivy.Scanner,
    directory: Path,
) -> Iterator[tuple[EngineImage, Scan | Unknown]]:
    waiting = {
        pool.submit(one_image.scan, scanner, write, directory): image
        for image, write in writers.items()
    }
    try:
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        for future in waiting:
            future.cancel()


def _writer(image: EngineImage, archived: ArchivedImage, spool: Spool) -> one_image.WriteArchive:
    layers = [spool.layers[diff_id] for diff_id in archived.diff_ids]
    return partial(write_docker_archive, reference=image.reference, image=archived, layers=layers)


def _ignore(_layer: ReadableLayer) -> None:
    """Nothing is measured here."""


def _summary(scan: Scan | Missing) -> str:
    if isinstance(scan, Missing):
        return f"not scanned: {scan.reason}"
    count = len(scan.findings)
    parts = [f"{count:,} finding{'' if count == 1 else 's'} of trivy"]
    for what, database in (
        ("vulnerabilities", scan.database),
        ("Java archives", scan.java_database),
    ):
        if isinstance(database, Missing):
            parts.append(f"{what} not scanned: {database.reason}")
    return "; ".join(parts)
