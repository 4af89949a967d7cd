"""The inspect step: every image of a stack, in bytes, and what dive and trivy find in it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from onegig.engine.images import BASE_LABEL, FROM_REGISTRY, EngineImage
from onegig.errors import InspectError
from onegig.images import dive, trivy
from onegig.images.bases import NOTHING_KNOWN, Evidence
from onegig.images.cache import Cache, ImageRecord
from onegig.images.examine import Tools, examine
from onegig.images.layer import LayerIndex
from onegig.images.merge import list_large, merge_images, reusable
from onegig.images.scan import describe_scan, is_current
from onegig.images.sharing import add_up, find_duplicates, stack_digest, sum_compressed
from onegig.images.spool import ImageSource
from onegig.model.images import NOT_BUILT, NOT_SCANNED, Duplicate, Image, ImagesReport, LargeFiles
from onegig.model.measured import Environment, Missing, Unknown
from onegig.model.scan import Scan
from onegig.model.sizes import Convention, format_mb

EvidenceOf = Callable[[EngineImage], Evidence]


def no_evidence(_image: EngineImage) -> Evidence:
    """Guess where FROM ends."""
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
    evidence_of: EvidenceOf = no_evidence,
    weigh: bool = False,
    reports: Sequence[ImagesReport] = (),
    is_part: bool = False,
) -> Inspection:
    """Inspect all images of a stack; keys are references, values the services that run them.

    `progress` hears one line per image. `program` is the dive to use (default: the one installed),
    `scanner` the trivy; `evidence_of` says what is known of an image's base. With `weigh`, layers
    are compressed whose compressed size nobody knows.
    Images are left out that `reports` know by the id that the engine has, too; the result is merged
    with those. A report that `is_part` of one to be merged lists the large files.
    Images that fail are named in `problems` and missing from the report, whose sums are then too
    low. Raises EngineError when the engine does not answer, InspectError if the reports do not
    belong together.
    """
    present = _look_up(services_by_image if reports else (), engine)[0]
    reused, changed = reusable(reports, {image.reference: image.image_id for image in present})
    for reference in changed:
        progress(f"{reference}: not the image that was inspected elsewhere, so inspected here")
    inspected = {image.reference for report in reused for image in report.images}
    images, problems = _look_up(
        [name for name in services_by_image if name not in inspected], engine
    )
    program = dive.find() if program is None else program
    tools = Tools(dive=program, trivy=scanner, weigh=weigh)
    known = _Known(images, cache, tools, evidence_of)
    for image in images:
        if record := known.records.get(image.image_id):
            progress(f"{_summary(image, record)}, unchanged")
    problems += known.learn(engine, progress)
    read = [image for image in images if image.image_id in known.records]
    parts = [_image(image, known, services_by_image[image.reference], cache) for image in read]
    report = replace(add_up(parts, environment), duplicates=known.duplicates)
    if reused or is_part:
        report = replace(report, large=_large(report, cache))
    if reused:
        report = replace(report, stack=reused[0].stack)
        report = merge_images([report, *reused], order=tuple(services_by_image))
    return Inspection(report=report, problems=tuple(problems))


def _large(report: ImagesReport, cache: Cache) -> LargeFiles | Unknown:
    diff_ids = dict.fromkeys(layer.diff_id for image in report.images for layer in image.layers)
    indexes = [cache.index(diff_id) for diff_id in diff_ids]
    known = [index for index in indexes if index is not None]
    if len(known) < len(indexes):
        return Unknown(reason="what was found in the layers could not be kept")
    return list_large(known)


class _Known:
    """Images with what the cache knows of them, and what is then learned of the others."""

    def __init__(
        self, images: Sequence[EngineImage], cache: Cache, tools: Tools, evidence_of: EvidenceOf
    ) -> None:
        self._images = images
        self._cache = cache
        self._tools = tools
        self._evidence = {image.image_id: evidence_of(image) for image in images}
        duplicates = cache.duplicates(_digest(images))
        self._needs_indexes = duplicates is None
        self.duplicates = duplicates or ()
        self.records = self._recall_records()
        self.scans = self._recall_scans()

    def learn(self, source: ImageSource, progress: Callable[[str], None]) -> list[str]:
        """Examine the unknown images; return what failed."""
        problems: list[str] = []
        indexes: dict[str, LayerIndex] = {}
        unique = {image.image_id: image for image in self._images}
        accounts = [image for key, image in unique.items() if key not in self.records]
        scans = [image for key, image in unique.items() if key not in self.scans]
        if accounts or scans:
            outcomes = examine(
                accounts,
                scans,
                tools=self._tools,
                source=source,
                cache=self._cache,
                indexes=indexes,
                evidence=self._evidence,
            )
            for image, outcome in outcomes:
                if isinstance(outcome, InspectError):
                    problems.append(_problem(image.reference, outcome))
                    progress(problems[-1])
                elif isinstance(outcome, ImageRecord):
                    self.records[image.image_id] = outcome
                    progress(_summary(image, outcome))
                else:
                    self.scans[image.image_id] = outcome
                    progress(f"{image.reference}: {describe_scan(outcome)}")
            self._cache.prune()
        if self._needs_indexes:
            images = [image for image in self._images if image.image_id in self.records]
            self.duplicates = self._find_duplicates(images, indexes)
            self._cache.keep_duplicates(_digest(images), self.duplicates)
        return problems

    def _find_duplicates(
        self, images: Sequence[EngineImage], indexes: dict[str, LayerIndex]
    ) -> tuple[Duplicate, ...]:
        for diff_id in {key for image in images for key in image.diff_ids} - indexes.keys():
            index = self._cache.index(diff_id)
            if index is not None:
                indexes[diff_id] = index
        layers = {image.reference: image.diff_ids for image in images}
        return find_duplicates(
            {
                name: [indexes[key] for key in keys if key in indexes]
                for name, keys in layers.items()
            }
        )

    def _recall_records(self) -> dict[str, ImageRecord]:
        records: dict[str, ImageRecord] = {}
        version = dive.version_of(self._tools.dive)
        for image in self._images:
            base = self._evidence[image.image_id].key
            record = self._cache.image(image.image_id, image.diff_ids, version, base)
            if record is None or (self._tools.weigh and not record.is_weighed):
                continue
            if not self._needs_indexes or self._cache.has_indexes(image.diff_ids):
                records[image.image_id] = record
        return records

    def _recall_scans(self) -> dict[str, Scan | Missing]:
        scanner = self._tools.trivy
        if isinstance(scanner, Missing):
            return {image.image_id: scanner for image in self._images}
        scans: dict[str, Scan | Missing] = {}
        for image in self._images:
            scan = self._cache.scan(image.image_id, scanner.version, scanner.database)
            if scan is not None and is_current(scan, scanner):
                scans[image.image_id] = scan
        return scans


def _digest(images: Sequence[EngineImage]) -> str:
    return stack_digest({image.reference: image.image_id for image in images})


def _look_up(references: Iterable[str], engine: ImageSource) -> tuple[list[EngineImage], list[str]]:
    images, problems = [], []
    for reference in references:
        try:
            images.append(engine.image(reference))
        except InspectError as error:
            problems.append(_problem(reference, error))
    return images, problems


def _image(image: EngineImage, known: _Known, services: tuple[str, ...], cache: Cache) -> Image:
    record = known.records[image.image_id]
    size_bytes = sum(layer.size_bytes for layer in record.layers)
    seconds = cache.build_seconds(image.image_id)
    return Image(
        reference=image.reference,
        image_id=image.image_id,
        services=services,
        architecture=image.architecture,
        size_bytes=size_bytes,
        compressed_bytes=sum_compressed(record.layers),
        own_bytes=size_bytes,  # until the others are known
        shared_bytes=0,
        base=dict(image.labels).get(BASE_LABEL, FROM_REGISTRY),
        layers=record.layers,
        dive=record.dive,
        accounting=record.accounting,
        build_seconds=NOT_BUILT if seconds is None else seconds,
        scan=known.scans[image.image_id],
    )


def _summary(image: EngineImage, record: ImageRecord) -> str:
    size = format_mb(sum(layer.size_bytes for layer in record.layers), Convention.STORAGE)
    return f"{image.reference}: {size} in {len(record.layers)} layers"


def _problem(reference: str, error: InspectError) -> str:
    text = f"{reference}: {error.message}"
    return f"{text} ({error.advice})" if error.advice else text
