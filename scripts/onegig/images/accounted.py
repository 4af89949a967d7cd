"""Accounts and duplicates from the indexes of layers, each made once and kept."""

from collections.abc import Mapping, Sequence

from onegig.engine.images import EngineImage
from onegig.images.accounting import make_accounting
from onegig.images.bases import NOTHING_KNOWN, Evidence, count_base_layers
from onegig.images.cache import Cache
from onegig.images.duplicates import find_duplicates
from onegig.images.layer import LayerIndex
from onegig.images.manifests import ArchivedImage
from onegig.images.reading.contents import settle
from onegig.images.reading.layers import instructions
from onegig.images.reading.source import ImageSource
from onegig.images.reading.tar_split import UnpackedLayer
from onegig.images.sharing import stack_digest
from onegig.model.images import Accounting, Duplicate


def account_for(
    layers: Sequence[LayerIndex], image: ArchivedImage, evidence: Evidence = NOTHING_KNOWN
) -> Accounting:
    """Where every byte of the image is from, and which are dead.

    `evidence` is what is known of its base; without any, where FROM ends is guessed.
    """
    made_by = instructions(image.history, len(layers))
    return make_accounting(
        layers,
        made_by,
        base_layers=count_base_layers(evidence, image.history, len(layers)),
        is_base_known=evidence.layers is not None or any(made_by),
        workdir=image.workdir,
    )


def duplicates_among(
    images: Sequence[EngineImage],
    indexes: Mapping[str, LayerIndex],
    cache: Cache,
    source: ImageSource,
) -> tuple[Duplicate, ...]:
    """What the images hold more than once; `indexes` are those of this run, by diff_id.

    Layers that neither this run nor the cache knows take no part, nor do contents that could be
    read when their layer was new and can't be any more.
    """
    known = dict(indexes)
    for diff_id in {one for image in images for one in image.diff_ids} - known.keys():
        index = cache.index(diff_id)
        if index is not None:
            known[diff_id] = index
    settled, _ = settle(known.values(), _unpacked(images, source))
    found = find_duplicates(
        {
            image.reference: [settled[diff_id] for diff_id in image.diff_ids if diff_id in settled]
            for image in images
        }
    )
    cache.keep_duplicates(
        stack_digest({image.reference: image.image_id for image in images}), found
    )
    return found


def _unpacked(images: Sequence[EngineImage], source: ImageSource) -> dict[str, UnpackedLayer]:
    found = (source.unpacked(image) for image in images)
    return {layer.diff_id: layer for one in found if one for layer in one.layers}
