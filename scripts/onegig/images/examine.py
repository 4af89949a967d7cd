"""Images that no cache knows: saved as one stream, each layer read once, dive run on each."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from onegig.errors import InspectError
from onegig.images import dive
from onegig.images.accounts.accounted import account_for
from onegig.images.cache import Cache
from onegig.images.reading.archive import Spool, StoredLayer, write_docker_archive
from onegig.images.reading.index import LayerIndex
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.layers import compressed_bytes, layers_of
from onegig.images.reading.manifests import ArchivedImage
from onegig.images.reading.saving import find, save
from onegig.images.reading.source import EngineImage, ImageSource
from onegig.images.records import ImageRecord, LayerRecord
from onegig.model.images import Dive
from onegig.model.measured import Unknown
from onegig.owned import new_run

THREADS_PER_CPU = 2
PATIENCE = 10  # nice value of the threads that compress

Outcome = ImageRecord | InspectError


def examine(
    images: Sequence[EngineImage],
    *,
    source: ImageSource,
    cache: Cache,
    program: dive.Program | Unknown,
    indexes: dict[str, LayerIndex],
) -> Iterator[tuple[EngineImage, Outcome]]:
    """Each image's record, or why there is none, as they become known; kept in the cache.

    `indexes` gets those of the images' layers, by diff_id. An image that fails takes no other with
    it. Layers are unpacked into a run's folder, so that they do not outlive even a killed run for
    long. Raises EngineError when the engine is gone.
    """
    with new_run() as run, _pool() as pool, _patient_pool() as patient:
        bench = _Bench(cache, pool, patient, run.directory, indexes)
        refused = save(images, source, bench.spool)
        waiting: dict[Future[Dive | Unknown], tuple[EngineImage, ArchivedImage]] = {}
        for image in images:
            try:
                archived = find(bench.spool, image, refused)
            except InspectError as error:
                yield image, error
                continue
            waiting[bench.ask_dive(program, image, archived)] = image, archived
        for future in as_completed(waiting):
            image, archived = waiting[future]
            outcome = bench.record(image, archived, future.result())
            if isinstance(outcome, ImageRecord) and _is_lasting(outcome.dive, program):
                cache.keep_image(image.image_id, outcome, dive.version_of(program))
            yield image, outcome


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
    ) -> None:
        self._cache = cache
        self._pool = pool
        self._patient = patient
        self._directory = directory
        self._indexes = indexes
        self._indexing: dict[str, Future[LayerIndex]] = {}
        self._measuring: dict[str, Future[LayerRecord]] = {}
        self.spool = Spool(directory, self._start)

    def ask_dive(
        self, program: dive.Program | Unknown, image: EngineImage, archived: ArchivedImage
    ) -> Future[Dive | Unknown]:
        """dive's numbers for an image of the spool, in their own time."""
        layers = [self.spool.layers[diff_id] for diff_id in archived.diff_ids]
        write = partial(
            write_docker_archive, reference=image.reference, image=archived, layers=layers
        )
        return self._pool.submit(_ask, program, write, self._directory)

    def record(
        self, image: EngineImage, archived: ArchivedImage, opinion: Dive | Unknown
    ) -> Outcome:
        """Everything about an image, once its layers are read and compressed."""
        try:
            layers = [self._indexing[diff_id].result() for diff_id in image.diff_ids]
            self._indexes |= {layer.diff_id: layer for layer in layers}
            accounting = account_for(layers, archived)
            measured = {diff_id: self._measuring[diff_id].result() for diff_id in image.diff_ids}
        except InspectError as error:
            return error
        return ImageRecord(
            layers=layers_of(image.diff_ids, archived.history, measured),
            dive=opinion,
            accounting=accounting,
        )

    def _start(self, layer: StoredLayer) -> None:
        self._indexing[layer.diff_id] = self._pool.submit(self._index, layer)
        self._measuring[layer.diff_id] = self._patient.submit(self._measure, layer)

    def _index(self, layer: StoredLayer) -> LayerIndex:
        index = self._cache.index(layer.diff_id)
        if index is None:
            index = index_layer(layer)
            self._cache.keep_index(index)
        return index

    def _measure(self, layer: StoredLayer) -> LayerRecord:
        measured = self._cache.layer(layer.diff_id)
        if measured is None:
            compressed = layer.compressed_bytes or compressed_bytes(layer.path)
            size = self._indexing[layer.diff_id].result().size_bytes
            measured = LayerRecord(size_bytes=size, compressed_bytes=compressed)
            self._cache.keep_layer(layer.diff_id, measured)
        return measured


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
