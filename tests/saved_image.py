"""An image as an engine saves it, and what its layers say."""

from dataclasses import dataclass, replace
from pathlib import Path

from onegig.images.account import Account, account
from onegig.images.layer import Entry, LayerIndex
from onegig.images.reading.index_layer import index_layer
from onegig.images.reading.source import Engine
from onegig.images.reading.stored import ReadableLayer
from onegig.images.spool import Spool


@dataclass(frozen=True, kw_only=True)
class SavedImage:
    """Layers and their indexes, lowest first."""

    stored: tuple[ReadableLayer, ...]
    config: bytes
    index: tuple[LayerIndex, ...]
    account: Account


def read_saved(engine: Engine, reference: str, folder: Path) -> SavedImage:
    """By `docker save`, whatever folders there are; the layers' tars stay in `folder`."""
    image = engine.image(reference)
    spool = Spool(folder, lambda _layer: None)
    with engine.save([image.image_id]) as stream:
        spool.add(stream)
    stored = tuple(spool.layers[diff_id] for diff_id in image.diff_ids)
    index = tuple(index_layer(layer) for layer in stored)
    return SavedImage(
        stored=stored,
        config=spool.find(image.image_id, image.diff_ids).config,
        index=index,
        account=account(index),
    )


def unread(index: LayerIndex) -> list[Entry]:
    """The entries, without what is only known of contents that were read."""
    return [replace(entry, digest=b"", checksum=b"") for entry in index.entries]
