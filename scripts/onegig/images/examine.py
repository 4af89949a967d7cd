"""Images that no cache knows: each layer read once, dive run on each image.

What lies unpacked in the engine's folders is read there, without its contents but for those that
may be equal; everything else comes as one stream. Then all bytes are read once more, to compress
them and to see that they are what they are named by, while dive works.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from onegig.engine.images import EngineImage
from onegig.engine.owned import new_run
from onegig.errors import InspectError
from onegig.images import dive
from onegig.images.accounting import account_for
from onegig.images.bases import NOTHING_KNOWN, Evidence
from onegig.images.cache import Cache
from onegig.images.duplicates import find_duplicates
from onegig.images.layer import LayerIndex
from onegig.images.manifests import ArchivedImage
from onegig.images.reading.contents import settle
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.index_unpacked import index_unpacked
from onegig.images.reading.layers import layers_of
from onegig.images.reading.saving import find, save, take
from onegig.images.reading.source import ImageSource
from onegig.images.reading.stored import ReadableLayer, StoredLayer
from onegig.images.reading.tar_split import UnpackedLayer
from onegig.images.reading.weighing import weigh
from onegig.images.records import ImageRecord, LayerRecord
from onegig.images.sharing import stack_digest
from onegig.images.spool import Spool, write_docker_archive
from onegig.model.images import Accounting, Dive, Duplicate
from onegig.model.measured import Unknown

THREADS_PER_CPU = 2
PATIENCE = 10  # nice value of the threads that compress

Outcome = ImageRecord | InspectError
Refused = Mapping[str, InspectError]


def examine(
    images: Sequence[EngineImage],
    *,
    source: ImageSource,
    cache: Cache,
    program: dive.Program | Unknown,
    indexes: dict[str, LayerIndex],
    evidence: Mapping[str, Evidence],
) -> Iterator[tuple[EngineImage, Outcome]]:
    """Each image's record, or why there is none, as they become known; kept in the cache.

    `indexes` gets those of the images' layers, by diff_id. `evidence` is what is known of images'
    bases, by image id. An image that fails takes no other with it; one whose folders are not as the
    engine made them is asked of the engine. What is unpacked lies in a run's folder, so that it
    does not outlive even a killed run for long. Raises EngineError when the engine is gone.
    """
    with new_run() as run, _pool() as pool, _patient_pool() as patient:

        def bench() -> _Bench:
            return _Bench(cache, pool, patient, run.directory, indexes, evidence)

        first, again = bench(), []
        streamed = take(images, source, first.spool)
        refused = save(streamed, source, first.spool)
        for image, outcome in first.outcomes(images, refused, program):
            if isinstance(outcome, InspectError) and image not in streamed:
                again.append(image)
            else:
                yield image, outcome
        if again:
            second = bench()
            yield from second.outcomes(again, save(again, source, second.spool), program)


class _Bench:
    """A spool whose layers are read in a pool while the next ones still arrive.

    Compressing them takes ten times as long as all the rest, so it yields to it.
    """

    def __init__(
        self,
        cache: Cache,
        pool: ThreadPoolExecutor,
        patient: ThreadPoolExecutor,
        directory: Path,
        indexes: dict[str, LayerIndex],
        evidence: Mapping[str, Evidence],
    ) -> None:
        self._cache = cache
        self._evidence = evidence
        self._pool = pool
        self._patient = patient
        self._directory = directory
        self._indexes = indexes
        self._indexing: dict[str, Future[LayerIndex]] = {}
        self._weighing: dict[str, Future[int]] = {}
        self._new: set[str] = set()  # layers that no cache knew
        self.spool = Spool(directory, self._start)

    def outcomes(
        self, images: Sequence[EngineImage], refused: Refused, program: dive.Program | Unknown
    ) -> Iterator[tuple[EngineImage, Outcome]]:
        """Everything about the images of the spool, each as soon as all of it is known."""
        faults = self._settle()
        found: list[tuple[EngineImage, ArchivedImage, Accounting]] = []
        for image in images:
            try:
                archived = find(self.spool, image, refused)
                layers = self._layers(image, faults)
            except InspectError as error:
                yield image, error
                continue
            accounting = account_for(layers, archived, self._known_of(image))
            found.append((image, archived, accounting))
        for layer in self.spool.layers.values():
            self._weighing[layer.diff_id] = self._patient.submit(self._weigh, layer)
        waiting = {self._ask_dive(program, *one[:2]): one for one in found}
        for future in as_completed(waiting):
            image, archived, accounting = waiting[future]
            outcome = self._record(image, archived, accounting, future.result())
            if isinstance(outcome, ImageRecord) and _is_lasting(outcome.dive, program):
                base = self._known_of(image).key
                self._cache.keep_image(image.image_id, outcome, dive.version_of(program), base)
            yield image, outcome

    def _known_of(self, image: EngineImage) -> Evidence:
        return self._evidence.get(image.image_id, NOTHING_KNOWN)

    def _settle(self) -> dict[str, InspectError]:
        """Wait for the indexes and learn which contents are equal; what failed, by diff_id."""
        faults: dict[str, InspectError] = {}
        found = {}
        for diff_id, future in self._indexing.items():
            try:
                found[diff_id] = future.result()
            except InspectError as error:
                faults[diff_id] = error
        settled, unread = settle(found.values(), self._unpacked())
        self._indexes |= settled
        return faults | unread

    def _unpacked(self) -> dict[str, UnpackedLayer]:
        layers = self.spool.layers.items()
        return {diff_id: one for diff_id, one in layers if isinstance(one, UnpackedLayer)}

    def _ask_dive(
        self, program: dive.Program | Unknown, image: EngineImage, archived: ArchivedImage
    ) -> Future[Dive | Unknown]:
        """dive's numbers for an image of the spool, in their own time."""
        layers = [self.spool.layers[diff_id] for diff_id in archived.diff_ids]
        write = partial(
            write_docker_archive, reference=image.reference, image=archived, layers=layers
        )
        return self._pool.submit(_ask, program, write, self._directory)

    def _layers(
        self, image: EngineImage, faults: Mapping[str, InspectError]
    ) -> tuple[LayerIndex, ...]:
        """The image's layers, lowest first; what is wrong with one of them as InspectError."""
        for diff_id in image.diff_ids:
            if diff_id in faults:
                raise faults[diff_id]
        return tuple(self._indexes[diff_id] for diff_id in image.diff_ids)

    def _record(
        self,
        image: EngineImage,
        archived: ArchivedImage,
        accounting: Accounting,
        opinion: Dive | Unknown,
    ) -> Outcome:
        """Everything about an image, once its layers are weighed."""
        try:
            measured = {diff_id: self._measured(diff_id) for diff_id in image.diff_ids}
        except InspectError as error:
            return error
        return ImageRecord(
            layers=layers_of(image.diff_ids, archived.history, measured),
            dive=opinion,
            accounting=accounting,
        )

    def _measured(self, diff_id: str) -> LayerRecord:
        """A layer's sizes; now that its bytes were seen to be its own, they are kept."""
        index = self._indexes[diff_id]
        measured = LayerRecord(
            size_bytes=index.size_bytes, compressed_bytes=self._weighing[diff_id].result()
        )
        if diff_id in self._new:
            self._new.remove(diff_id)
            self._cache.keep_index(index)
            if self.spool.layers[diff_id].compressed_bytes is None:
                self._cache.keep_layer(diff_id, measured)
        return measured

    def _start(self, layer: ReadableLayer) -> None:
        self._indexing[layer.diff_id] = self._pool.submit(self._index, layer)

    def _index(self, layer: ReadableLayer) -> LayerIndex:
        known = self._cache.index(layer.diff_id)
        if known is not None and (isinstance(layer, UnpackedLayer) or known.is_read):
            return known
        self._new.add(layer.diff_id)
        if isinstance(layer, UnpackedLayer):
            return index_unpacked(layer) or index_layer(self._stored(layer))
        return index_layer(layer if isinstance(layer, StoredLayer) else self._stored(layer))

    def _stored(self, layer: ReadableLayer) -> StoredLayer:
        stored = self.spool.store(layer)
        self.spool.layers[layer.diff_id] = stored
        return stored

    def _weigh(self, layer: ReadableLayer) -> int:
        if layer.compressed_bytes is not None:  # another image may have it compressed otherwise
            return layer.compressed_bytes
        known = self._cache.layer(layer.diff_id)
        return known.compressed_bytes if known and layer.diff_id not in self._new else weigh(layer)


def _ask(
    program: dive.Program | Unknown, write: dive.WriteArchive, directory: Path
) -> Dive | Unknown:
    return program if isinstance(program, Unknown) else dive.analyse(program, write, directory)


def _is_lasting(opinion: Dive | Unknown, program: dive.Program | Unknown) -> bool:
    """Not after a dive that failed or was too slow: it may do better next time."""
    return isinstance(opinion, Dive) or isinstance(program, Unknown)


def _step_back() -> None:
    """Let every other thread of the machine go first, as nice(1) does."""
    if sys.platform == "linux":  # elsewhere the number would name a process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PATIENCE)


def _patient_pool() -> AbstractContextManager[ThreadPoolExecutor]:
    return _pool(1, _step_back)


@contextmanager
def _pool(
    per_cpu: int = THREADS_PER_CPU, begin: Callable[[], None] | None = None
) -> Iterator[ThreadPoolExecutor]:
    """A pool that, when its user gives up, does not begin what still waits."""
    pool = ThreadPoolExecutor(per_cpu * (os.cpu_count() or 1), initializer=begin)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def duplicates_among(
    images: Sequence[EngineImage],
    indexes: Mapping[str, LayerIndex],
    cache: Cache,
    source: ImageSource,
) -> tuple[Duplicate, ...]:
    """Return the duplicates of these images; `indexes` are those of this run, by diff_id.

    Layers that neither this run nor the cache knows take no part, nor do contents that could be
    read when their layer was new and can't be any more.
    """
    known = dict(indexes)
    for diff_id in {each for image in images for each in image.diff_ids} - known.keys():
        index = cache.index(diff_id)
        if index is not None:
            known[diff_id] = index
    unpacked = filter(None, map(source.unpacked, images))
    readable = {layer.diff_id: layer for each in unpacked for layer in each.layers}
    settled, _ = settle(known.values(), readable)
    layers = {
        image.reference: [settled[diff_id] for diff_id in image.diff_ids if diff_id in settled]
        for image in images
    }
    duplicates = find_duplicates(layers)
    digest = stack_digest({image.reference: image.image_id for image in images})
    cache.keep_duplicates(digest, duplicates)
    return duplicates
