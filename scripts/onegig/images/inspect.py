"""The inspect step: every image of a stack, in bytes, and what dive thinks of it."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from onegig.engine.images import BASE_LABEL, FROM_REGISTRY, EngineImage
from onegig.errors import InspectError
from onegig.images import dive, trivy
from onegig.images.bases import NOTHING_KNOWN, Evidence
from onegig.images.cache import Cache
from onegig.images.layer import LayerIndex
from onegig.images.reading.source import ImageSource
from onegig.images.records import ImageRecord
from onegig.images.sharing import add_up, stack_digest
from onegig.model.images import NOT_BUILT, NOT_SCANNED, Duplicate, Image, ImagesReport
from onegig.model.measured import Environment, Missing, Unknown
from onegig.model.scan import Scan
from onegig.model.sizes import Convention, format_mb

EvidenceOf = Callable[[EngineImage], Evidence]


def nothing_known(_image: EngineImage) -> Evidence:
    """Where FROM ends is guessed."""
    return NOTHING_KNOWN


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """The images that could be read, and one sentence for each that could not."""

    report: ImagesReport
    problems: tuple[str, ...]


def inspect_images(
    services_by_image: Mapping[str, tuple[str, ...]],
    *,
    engine: ImageSource,
    cache: Cache,
    environment: Environment,
    progress: Callable[[str], None],
    program: dive.Program | Unknown | None = None,
    scanner: trivy.Scanner | Missing = NOT_SCANNED,
    evidence_of: EvidenceOf = nothing_known,
) -> Inspection:
    """Inspect all images of a stack; keys are references, values the services that run them.

    `progress` hears one line per image. `program` is the dive to use (default: the one installed),
    `scanner` the trivy; `evidence_of` says what is known of an image's base.
    Images that fail are named in `problems` and missing from the report, whose sums are then too
    low.
    Raises EngineError when the engine does not answer.
    """
    program = dive.find() if program is None else program
    images, problems = _look_up(services_by_image, engine)
    with _collector_at_rest():
        records, duplicates, failed = _learn(images, engine, cache, program, progress, evidence_of)
    problems += failed
    known = [(image, records[image.image_id]) for image in images if image.image_id in records]
    scans = _scans([image for image, _ in known], scanner, engine, cache, progress)
    report = add_up(
        [
            replace(
                _image(image, record, services_by_image[image.reference], cache),
                scan=scans[image.image_id],
            )
            for image, record in known
        ],
        environment,
    )
    return Inspection(report=replace(report, duplicates=duplicates), problems=tuple(problems))


def _learn(
    images: Sequence[EngineImage],
    source: ImageSource,
    cache: Cache,
    program: dive.Program | Unknown,
    progress: Callable[[str], None],
    evidence_of: EvidenceOf,
) -> tuple[dict[str, ImageRecord], tuple[Duplicate, ...], list[str]]:
    """Records by image id, what the images hold more than once, and what failed."""
    problems: list[str] = []
    duplicates = cache.duplicates(
        stack_digest({image.reference: image.image_id for image in images})
    )
    evidence = {image.image_id: evidence_of(image) for image in images}
    records = _recall(images, cache, program, progress, evidence, with_indexes=duplicates is None)
    indexes: dict[str, LayerIndex] = {}
    unknown = {image.image_id: image for image in images if image.image_id not in records}
    if unknown:
        from onegig.images.examine import examine  # slow to load, and seldom needed

        for image, outcome in examine(
            tuple(unknown.values()),
            source=source,
            cache=cache,
            program=program,
            indexes=indexes,
            evidence=evidence,
        ):
            if isinstance(outcome, InspectError):
                problems.append(_problem(image.reference, outcome))
                progress(problems[-1])
            else:
                records[image.image_id] = outcome
                progress(_summary(image, outcome))
        cache.prune()
    if duplicates is None:
        from onegig.images.examine import duplicates_among

        known = [image for image in images if image.image_id in records]
        duplicates = duplicates_among(known, indexes, cache, source)
    return records, duplicates, problems


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Without Python's search for cycles.

    It would look at every entry of every layer again and again, a third of the time, and find none.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _scans(
    images: Sequence[EngineImage],
    scanner: trivy.Scanner | Missing,
    engine: ImageSource,
    cache: Cache,
    progress: Callable[[str], None],
) -> dict[str, Scan | Missing]:
    if isinstance(scanner, Missing):
        return {image.image_id: scanner for image in images}
    from onegig.images.scans import scan_images

    return scan_images(images, scanner, source=engine, cache=cache, progress=progress)


def _look_up(
    references: Mapping[str, tuple[str, ...]], engine: ImageSource
) -> tuple[list[EngineImage], list[str]]:
    images, problems = [], []
    for reference in references:
        try:
            images.append(engine.image(reference))
        except InspectError as error:
            problems.append(_problem(reference, error))
    return images, problems


def _recall(
    images: Sequence[EngineImage],
    cache: Cache,
    program: dive.Program | Unknown,
    progress: Callable[[str], None],
    evidence: Mapping[str, Evidence],
    *,
    with_indexes: bool,
) -> dict[str, ImageRecord]:
    """What is known; `with_indexes`: only where the layers' indexes are known, too."""
    records: dict[str, ImageRecord] = {}
    for image in images:
        base = evidence[image.image_id].key
        record = cache.image(image.image_id, image.diff_ids, dive.version_of(program), base)
        if with_indexes and not cache.has_indexes(image.diff_ids):
            continue
        if record is not None and image.image_id not in records:
            records[image.image_id] = record
            progress(f"{_summary(image, record)}, unchanged")
    return records


def _image(
    image: EngineImage, record: ImageRecord, services: tuple[str, ...], cache: Cache
) -> Image:
    size_bytes = sum(layer.size_bytes for layer in record.layers)
    seconds = cache.build_seconds(image.image_id)
    return Image(
        reference=image.reference,
        image_id=image.image_id,
        services=services,
        architecture=image.architecture,
        size_bytes=size_bytes,
        compressed_bytes=sum(layer.compressed_bytes for layer in record.layers),
        own_bytes=size_bytes,  # until the others are known
        shared_bytes=0,
        base=dict(image.labels).get(BASE_LABEL, FROM_REGISTRY),
        layers=record.layers,
        dive=record.dive,
        accounting=record.accounting,
        build_seconds=NOT_BUILT if seconds is None else seconds,
    )


def _summary(image: EngineImage, record: ImageRecord) -> str:
    size = format_mb(sum(layer.size_bytes for layer in record.layers), Convention.STORAGE)
    return f"{image.reference}: {size} in {len(record.layers)} layers"


def _problem(reference: str, error: InspectError) -> str:
    text = f"{reference}: {error.message}"
    return f"{text} ({error.advice})" if error.advice else text
