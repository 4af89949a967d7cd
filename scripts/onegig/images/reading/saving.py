"""Images taken into a spool: from folders where the source has such, else all in one stream."""

from collections.abc import Mapping, Sequence

from onegig.engine.images import EngineImage
from onegig.errors import InspectError
from onegig.images.manifests import ArchivedImage
from onegig.images.reading.source import ImageSource
from onegig.images.spool import Spool


def take(images: Sequence[EngineImage], source: ImageSource, spool: Spool) -> list[EngineImage]:
    """Put what lies in folders into the spool; the images that do not."""
    others = []
    for image in images:
        unpacked = source.unpacked(image)
        if unpacked is None:
            others.append(image)
            continue
        for layer in unpacked.layers:
            spool.put(layer)
        spool.images += (
            ArchivedImage(
                digests=frozenset({image.image_id}), config=unpacked.config, diff_ids=image.diff_ids
            ),
        )
    return others


def save(
    images: Sequence[EngineImage], source: ImageSource, spool: Spool
) -> dict[str, InspectError]:
    """Fill the spool with streams; what could not be saved, by image id.

    All at once, so that layers they share come once; one by one if that fails, to learn which.
    """
    if len(images) > 1:
        try:
            _save_together(images, source, spool)
        except InspectError:
            pass
        else:
            return {}
    refused = {}
    for image in images:
        try:
            _save_together([image], source, spool)
        except InspectError as error:
            refused[image.image_id] = error
    return refused


def _save_together(images: Sequence[EngineImage], source: ImageSource, spool: Spool) -> None:
    with source.save([image.image_id for image in images]) as stream:
        spool.add(stream)


def find(spool: Spool, image: EngineImage, refused: Mapping[str, InspectError]) -> ArchivedImage:
    """The image in the spool; InspectError says why it is not there."""
    if image.image_id in refused:
        raise refused[image.image_id]
    return spool.find(image.image_id, image.diff_ids)
