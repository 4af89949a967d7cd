"""Images in the engine's own folders, read without asking it to save them.

With the storage driver overlay2 every layer is unpacked in overlay2/<cache id>/diff, and the
engine's layer database, by chain id, knows cache id, diff_id and what else its tar had. Root can
read them on the engine's own host; whatever is not as expected there means `docker save`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from onegig.images.reading.layers import chain_ids
from onegig.images.reading.tar_split import UnpackedLayer

DRIVER = "overlay2"


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackedImage:
    """An image's config, as exact bytes, and its layers, lowest first."""

    config: bytes
    layers: tuple[UnpackedLayer, ...]


def find_unpacked(root: Path, image_id: str, diff_ids: tuple[str, ...]) -> UnpackedImage | None:
    """The image below the engine's root folder; None where it is not, or not for us to read."""
    database = root / "image" / DRIVER
    try:
        config = (
            database / "imagedb/content/sha256" / image_id.removeprefix("sha256:")
        ).read_bytes()
        layers = tuple(
            _layer(root, database / "layerdb/sha256" / chain_id.removeprefix("sha256:"))
            for chain_id in chain_ids(diff_ids)
        )
    except OSError:
        return None
    is_it = image_id == f"sha256:{hashlib.sha256(config).hexdigest()}"
    if is_it and tuple(layer.diff_id for layer in layers) == diff_ids:
        return UnpackedImage(config=config, layers=layers)
    return None


def _layer(root: Path, entry: Path) -> UnpackedLayer:
    cache_id = (entry / "cache-id").read_text().strip()
    layer = UnpackedLayer(
        diff_id=(entry / "diff").read_text().strip(),
        folder=root / DRIVER / cache_id / "diff",
        split=entry / "tar-split.json.gz",
    )
    for needed in (layer.folder, layer.split):
        needed.stat()
    return layer
