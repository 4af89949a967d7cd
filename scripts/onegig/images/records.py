"""What is learned of an image or a layer once and kept: it depends on the digest alone."""

from dataclasses import dataclass

from onegig.model.images import NOT_ACCOUNTED, Accounting, Dive, Layer
from onegig.model.measured import Missing, Unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRecord:
    """A layer's bytes on disk and on the wire, kept by diff_id."""

    size_bytes: int
    compressed_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRecord:
    """An image's layers, the account of its bytes and dive's numbers, kept by image id."""

    layers: tuple[Layer, ...]
    dive: Dive | Unknown
    accounting: Accounting | Missing = NOT_ACCOUNTED
