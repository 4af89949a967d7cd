"""Images saved into a spool: all in one stream, so that layers they share come once."""

from collections.abc import Sequence

from onegig.errors import InspectError
from onegig.images.reading.archive import Spool
from onegig.images.reading.manifests import ArchivedImage
from onegig.images.reading.overlay import UnpackedImage
from onegig.images.reading.source import EngineImage, ImageSource


def save(
    images: Sequence[EngineImage], source: ImageSource, spool: Spool
) -> dict[str, InspectError]:
    """Fill the spool; what could not be saved, by image id.

    From folders where the source has such. The rest all at once, so that shared layers come once;
    one by one if that fails, to learn which.
    """
    images = [image for image in images if not _took(image, source.unpacked(image), spool)]
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


def _took(image: EngineImage, unpacked: UnpackedImage | None, spool: Spool) -> bool:
    """Whether the image came out of folders; if they lack something or were changed, it did not."""
    if unpacked is None:
        return False
    try:
        for layer in unpacked.layers:
            spool.put(layer.diff_id, layer.tar())
    except (InspectError, OSError):  # a full disk, too, is told of by what comes next
        return False
    spool.images += (
        ArchivedImage(
            digests=frozenset({image.image_id}), config=unpacked.config, diff_ids=image.diff_ids
        ),
    )
    return True


def _save_together(images: Sequence[EngineImage], source: ImageSource, spool: Spool) -> None:
    with source.save([image.image_id for image in images]) as stream:
        spool.add(stream)


def find(spool: Spool, image: EngineImage, refused: dict[str, InspectError]) -> ArchivedImage:
    """The image in the spool; InspectError says why it is not there."""
    if image.image_id in refused:
        raise refused[image.image_id]
    return spool.find(image.image_id, image.diff_ids)
