"""Images that no cache knows: saved once as one stream, each layer measured once, dive per image."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from onegig.errors import InspectError
from onegig.images import dive
from onegig.images.archive import Spool, StoredLayer, write_docker_archive
from onegig.images.cache import NO_DIVE, Cache, ImageRecord
from onegig.images.engine import EngineImage, ImageSource
from onegig.images.layers import LayerBytes, layers_of, measure_layer
from onegig.images.manifests import ArchivedImage
from onegig.model.images import Dive
from onegig.model.measured import Unknown

THREADS_PER_CPU = 2


class Examiner:
    """Examines images of one source with one dive, keeping what it learns in the cache."""

    def __init__(
        self,
        *,
        source: ImageSource,
        cache: Cache,
        program: dive.Program | Unknown,
        directory: Path,
    ) -> None:
        self._source = source
        self._cache = cache
        self._program = program
        self._directory = directory

    def examine(
        self, images: Sequence[EngineImage]
    ) -> Iterator[tuple[EngineImage, ImageRecord | InspectError]]:
        """Each image's record, or why there is none, as they become known.

        An image that fails takes no other with it. Raises EngineError when the engine is gone.
        """
        measuring: dict[str, Future[LayerBytes]] = {}
        with _pool() as pool:

            def start(layer: StoredLayer) -> None:
                measuring[layer.diff_id] = pool.submit(self._measure, layer)

            spool = Spool(self._directory, start)
            refused = self._save(images, spool)
            waiting: dict[Future[Dive | Unknown], tuple[EngineImage, ArchivedImage]] = {}
            for image in images:
                try:
                    archived = _find(spool, image, refused)
                except InspectError as error:
                    yield image, error
                    continue
                layers = [spool.layers[diff_id] for diff_id in image.diff_ids]
                waiting[pool.submit(self._dive, image, archived, layers)] = image, archived
            for future in as_completed(waiting):
                image, archived = waiting[future]
                yield image, self._record(image, archived, measuring, future.result())

    def _save(self, images: Sequence[EngineImage], spool: Spool) -> dict[str, InspectError]:
        """Fill the spool; what could not be saved, by image id.

        All at once, so that shared layers come once; one by one if that fails, to learn which.
        """
        if len(images) > 1:
            try:
                self._save_together(images, spool)
            except InspectError:
                pass
            else:
                return {}
        refused = {}
        for image in images:
            try:
                self._save_together([image], spool)
            except InspectError as error:
                refused[image.image_id] = error
        return refused

    def _save_together(self, images: Sequence[EngineImage], spool: Spool) -> None:
        with self._source.save([image.image_id for image in images]) as stream:
            spool.add(stream)

    def _measure(self, layer: StoredLayer) -> LayerBytes:
        measured = self._cache.layer(layer.diff_id)
        if measured is None:
            measured = measure_layer(layer)
            self._cache.keep_layer(layer.diff_id, measured)
        return measured

    def _dive(
        self, image: EngineImage, archived: ArchivedImage, layers: Sequence[StoredLayer]
    ) -> Dive | Unknown:
        if isinstance(self._program, Unknown):
            return self._program
        write = partial(
            write_docker_archive, reference=image.reference, image=archived, layers=layers
        )
        return dive.analyse(self._program, write, self._directory)

    def _record(
        self,
        image: EngineImage,
        archived: ArchivedImage,
        measuring: dict[str, Future[LayerBytes]],
        opinion: Dive | Unknown,
    ) -> ImageRecord | InspectError:
        try:
            measured = {diff_id: measuring[diff_id].result() for diff_id in image.diff_ids}
        except InspectError as error:
            return error
        layers = layers_of(image.diff_ids, archived.history, measured)
        record = ImageRecord(layers=layers, dive=opinion)
        if isinstance(opinion, Dive) or opinion is self._program:  # not after a passing failure
            self._cache.keep_image(image.image_id, record, dive_version(self._program))
        return record


def dive_version(program: dive.Program | Unknown) -> str:
    """The version under which results are kept."""
    return program.version if isinstance(program, dive.Program) else NO_DIVE


def _find(spool: Spool, image: EngineImage, refused: dict[str, InspectError]) -> ArchivedImage:
    if image.image_id in refused:
        raise refused[image.image_id]
    return spool.find(image.image_id, image.diff_ids)


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """A pool that, when its user gives up, does not begin what still waits."""
    pool = ThreadPoolExecutor(THREADS_PER_CPU * (os.cpu_count() or 1))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
