"""An image as an engine saves it, and what its layers say."""

from dataclasses import dataclass
from pathlib import Path

from onegig.engine.images import Images
from onegig.images.account import Account, account
from onegig.images.layer import LayerIndex, index_layer
from onegig.images.spool import Spool


@dataclass(frozen=True, kw_only=True)
class SavedImage:
    """The indexes of its layers, lowest first."""

    index: tuple[LayerIndex, ...]
    account: Account


def read_saved(engine: Images, reference: str, folder: Path) -> SavedImage:
    """Save an image into a spool in `folder`."""
    image = engine.image(reference)
    spool = Spool(folder, lambda _layer: None)
    spool.save([image], engine)
    spool.find(image.image_id, image.diff_ids)
    index = tuple(index_layer(diff_id, spool.layers[diff_id].path) for diff_id in image.diff_ids)
    return SavedImage(index=index, account=account(index))
