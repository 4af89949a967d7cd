"""Images that no cache knows: saved once into a spool, read by account, dive and trivy at once."""

import os
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from zlib_ng import zlib_ng

from onegig.engine.images import EngineImage, read_pulled_bytes
from onegig.engine.owned import new_run
from onegig.errors import InspectError
from onegig.images import dive, trivy
from onegig.images.account import account
from onegig.images.bases import NOTHING_KNOWN, Evidence, count_base_layers
from onegig.images.cache import Cache, ImageRecord
from onegig.images.causes import explain, parts_of
from onegig.images.fixes import dead_fixes, in_order, live_fixes, suggestions
from onegig.images.layer import CHUNK_BYTES, LayerIndex, index_layer
from onegig.images.manifests import ArchivedImage, chain_ids, instructions
from onegig.images.scan import is_lasting, scan
from onegig.images.spool import ImageSource, Spool, StoredLayer
from onegig.model.images import NOT_WEIGHED, Accounting, Dive, Fate, Layer
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Scan

GZIP_LEVEL = 6  # zlib-ng's is the nearest to what `docker push` sends (Go's gzip)
_GZIP = 31  # zlib's wbits for gzip

Outcome = ImageRecord | Scan | Unknown | InspectError


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The programs to ask, and whether to compress what no registry knows compressed."""

    dive: dive.Program | Unknown
    trivy: trivy.Scanner | Missing
    weigh: bool = False


def examine(
    accounts: Sequence[EngineImage],
    scans: Sequence[EngineImage],
    *,
    tools: Tools,
    source: ImageSource,
    cache: Cache,
    indexes: dict[str, LayerIndex],
    evidence: Mapping[str, Evidence],
) -> Iterator[tuple[EngineImage, Outcome]]:
    """Yield records of `accounts` and findings in `scans`, or why there are none, as they come.

    They are kept in the cache; `indexes` gets those of the layers, by diff_id. `evidence` is what
    is known of images' bases, by image id. An image that fails takes no other with it. The spool
    lies in a run's folder, so that it does not outlive even a killed run for long. Raises
    EngineError when the engine is gone.
    """
    images = {image.image_id: image for image in (*accounts, *scans)}
    with new_run() as run, _pool() as readers, _pool() as programs:
        diff_ids = {diff_id for image in accounts for diff_id in image.diff_ids}
        bench = _Bench(tools, cache, readers, programs, run.directory, diff_ids)
        bench.spool.save(tuple(images.values()), source)
        lacking: dict[EngineImage, Scan] = {}
        for image, outcome in bench.work(accounts, scans, evidence):
            if isinstance(outcome, Scan) and isinstance(outcome.java_database, Skipped):
                lacking[image] = outcome
            else:
                yield image, outcome
        yield from bench.scan_java(lacking)
        indexes |= bench.indexes


@dataclass
class _Bench:
    """A spool whose layers are read in a pool while the next ones still arrive."""

    _tools: Tools
    _cache: Cache
    _readers: ThreadPoolExecutor
    _programs: ThreadPoolExecutor
    _directory: Path
    _needed: set[str]  # layers to be indexed

    def __post_init__(self) -> None:
        self._indexing: dict[str, Future[LayerIndex]] = {}
        self._weighing: dict[str, Future[int]] = {}
        # trivy keeps layers' findings, of the base's without secrets; each run needs one alone
        self._scan_caches: defaultdict[tuple[str, ...], list[Path]] = defaultdict(list)
        self.indexes: dict[str, LayerIndex] = {}
        self.spool = Spool(self._directory / "spool", self._start)

    def work(
        self,
        accounts: Sequence[EngineImage],
        scans: Sequence[EngineImage],
        evidence: Mapping[str, Evidence],
    ) -> Iterator[tuple[EngineImage, Outcome]]:
        """Let trivy, dive and the account work side by side."""
        if self._tools.weigh:
            for diff_id in self._needed & self.spool.layers.keys():
                layer = self.spool.layers[diff_id]
                if layer.compressed_bytes is None and self._cache.weight(diff_id) is None:
                    self._weighing[diff_id] = self._readers.submit(weigh, layer.path)
        waiting: dict[Future[Outcome], EngineImage] = {}
        for image in dict.fromkeys((*scans, *accounts)):
            try:
                archived = self.spool.find(image.image_id, image.diff_ids)
            except InspectError as error:
                if image in accounts:
                    yield image, error
                if image in scans:
                    yield image, Unknown(reason=error.message)
                continue
            if image in scans:
                waiting[self._scan(image, archived, self._tools.trivy)] = image
            if image in accounts:
                numbers = self._programs.submit(self._ask_dive, image, archived)
                known = evidence.get(image.image_id, NOTHING_KNOWN)
                record = self._readers.submit(self._account, image, archived, known, numbers)
                waiting[record] = image
        yield from self._outcomes(waiting)

    def scan_java(
        self, lacking: Mapping[EngineImage, Scan]
    ) -> Iterator[tuple[EngineImage, Outcome]]:
        """Scan images with Java archives again, once the database for those was fetched."""
        scanner = self._tools.trivy
        if isinstance(scanner, Missing) or not lacking:
            return
        if scanner.fetches:
            scanner = trivy.fetch_java(scanner)
        if isinstance(scanner.java_database, Missing):
            for image, scan in lacking.items():
                updated = replace(scan, java_database=scanner.java_database)
                self._keep_scan(image, updated, scanner)
                yield image, updated
            return
        archives = {image: self.spool.find(image.image_id, image.diff_ids) for image in lacking}
        yield from self._outcomes(
            {self._scan(image, archived, scanner): image for image, archived in archives.items()}
        )

    def _outcomes(
        self, waiting: Mapping[Future[Outcome], EngineImage]
    ) -> Iterator[tuple[EngineImage, Outcome]]:
        for future in as_completed(waiting):
            try:
                outcome = future.result()
            except InspectError as error:
                outcome = error
            yield waiting[future], outcome

    def _start(self, layer: StoredLayer) -> None:
        if layer.diff_id in self._needed:
            self._indexing[layer.diff_id] = self._readers.submit(self._index, layer)

    def _index(self, layer: StoredLayer) -> LayerIndex:
        index = self._cache.index(layer.diff_id)
        if index is None:
            index = index_layer(layer.diff_id, layer.path)
            self._cache.keep_index(index)
        self.indexes[layer.diff_id] = index
        return index

    def _scan(
        self, image: EngineImage, archived: ArchivedImage, scanner: trivy.Scanner | Missing
    ) -> Future[Outcome]:
        lay_out = partial(self.spool.lay_out, image=archived)
        caches = self._scan_caches[archived.scanned_base]

        def look() -> Outcome:
            if isinstance(scanner, Missing):
                return Unknown(reason=scanner.reason)
            try:
                cache = caches.pop()
            except IndexError:  # all are in use
                cache = Path(mkdtemp(dir=self._directory))
            findings = scan(scanner, lay_out, self._directory, cache=cache)
            caches.append(cache)
            self._keep_scan(image, findings, scanner)
            return findings

        return self._programs.submit(look)

    def _keep_scan(self, image: EngineImage, scan: Scan | Unknown, scanner: trivy.Scanner) -> None:
        if isinstance(scan, Scan) and is_lasting(scan, scanner):
            self._cache.keep_scan(image.image_id, scan)

    def _ask_dive(self, image: EngineImage, archived: ArchivedImage) -> Dive | Unknown:
        program = self._tools.dive
        if isinstance(program, Unknown):
            return program
        write = partial(self.spool.write_archive, reference=image.reference, image=archived)
        return dive.analyse(program, write, self._directory)

    def _account(
        self,
        image: EngineImage,
        archived: ArchivedImage,
        evidence: Evidence,
        dive_numbers: Future[Dive | Unknown],
    ) -> Outcome:
        layers = [self._indexing[diff_id].result() for diff_id in image.diff_ids]
        accounting = account_for(layers, archived, evidence)
        weights = self._weights(image)
        ids = zip(image.diff_ids, chain_ids(image.diff_ids), strict=True)
        texts = instructions(archived.history, len(layers))
        stacked = tuple(
            Layer(
                diff_id=diff_id,
                chain_id=chain_id,
                size_bytes=layer.size_bytes,
                compressed_bytes=weights[diff_id],
                instruction=text,
            )
            for (diff_id, chain_id), layer, text in zip(ids, layers, texts, strict=True)
        )
        numbers = dive_numbers.result()
        remark = dive.explain_difference(numbers, accounting)
        accounting = replace(accounting, remark=remark)
        record = ImageRecord(layers=stacked, dive=numbers, accounting=accounting)
        program = self._tools.dive
        if isinstance(numbers, Dive) or isinstance(program, Unknown):  # a failed dive may do better
            version = dive.version_of(program)
            self._cache.keep_image(image.image_id, record, version, evidence.key)
        return record

    def _weights(self, image: EngineImage) -> Mapping[str, int | Missing]:
        """Return the download size of each layer, measured, by its registry or compressed."""
        weights: dict[str, int | None] = {}
        for diff_id in image.diff_ids:
            size = self.spool.layers[diff_id].compressed_bytes or self._cache.weight(diff_id)
            if diff_id in self._weighing:
                size = self._weighing[diff_id].result()
                self._cache.keep_weight(diff_id, size)
            weights[diff_id] = size
        pulled = read_pulled_bytes(image) if None in weights.values() else NOT_WEIGHED
        if isinstance(pulled, Missing):
            return {diff_id: size or pulled for diff_id, size in weights.items()}
        for diff_id, size in zip(image.diff_ids, pulled, strict=True):
            self._cache.keep_weight(diff_id, size)
        return dict(zip(image.diff_ids, pulled, strict=True))


def weigh(layer: Path) -> int:
    """Return the bytes of a layer after gzip -6, nearly what `docker push` sends."""
    packer = zlib_ng.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    with layer.open("rb") as file:
        chunks = iter(partial(file.read, CHUNK_BYTES), b"")
        return sum(len(packer.compress(chunk)) for chunk in chunks) + len(packer.flush())


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Open a pool that drops waiting work when its user gives up."""
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def account_for(
    layers: Sequence[LayerIndex], image: ArchivedImage, evidence: Evidence = NOTHING_KNOWN
) -> Accounting:
    """Account for an image; without evidence of its base, where FROM ends is guessed."""
    made_by = instructions(image.history, len(layers))
    return make_accounting(
        layers,
        made_by,
        base_layers=count_base_layers(evidence, image.history, len(layers)),
        is_base_known=evidence.layers is not None or any(made_by),
        workdir=image.workdir,
    )


def make_accounting(
    layers: Sequence[LayerIndex],
    instructions: Sequence[str],
    *,
    base_layers: int,
    is_base_known: bool = True,
    workdir: str,
) -> Accounting:
    """Return the accounting of an image's layers, lowest first.

    `instructions` are those of the layers, "" if unknown; `base_layers` is how many of the
    lowest layers came with FROM, a guess unless `is_base_known`; `workdir` is the config's. Raises
    AccountError, a bug of ours, should anything not add up.
    """
    total = account(layers)
    files = explain(layers, total.live, instructions, base_layers=base_layers, workdir=workdir)
    live = live_fixes(files, instructions, base_layers=base_layers)
    dead = dead_fixes(total.dead, instructions, base_layers=base_layers)
    bases = suggestions(files, base_layers=base_layers)
    dead_in_base = (group.bytes for group in total.dead if group.killer < base_layers)
    return Accounting(
        live_bytes=total.live_bytes,
        overwritten_bytes=total.dead_bytes(Fate.OVERWRITTEN),
        deleted_bytes=total.dead_bytes(Fate.DELETED),
        deleted_with_directory_bytes=total.dead_bytes(Fate.DELETED_WITH_DIRECTORY),
        metadata_bytes=total.dead_bytes(Fate.METADATA),
        dead=total.dead,
        parts=parts_of(files),
        fixes=in_order((*live, *dead, *bases)),
        eliminable_bytes=total.dead_bytes() + sum(fix.bytes for fix in live),
        base_layers=base_layers if is_base_known else None,
        base_dead_bytes=sum(dead_in_base) if is_base_known else 0,
    )
