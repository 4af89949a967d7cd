"""An image's account from the indexes of its layers and its config."""

import importlib
from collections.abc import Mapping, Sequence

from onegig.images.index import LayerIndex
from onegig.images.instructions import guess_base_layers
from onegig.images.layers import instructions
from onegig.images.manifests import ArchivedImage
from onegig.model.accounting import Accounting, Duplicate
from onegig.model.images import NOT_ACCOUNTED
from onegig.model.measured import Missing


def account_for(layers: Sequence[LayerIndex], image: ArchivedImage) -> Accounting | Missing:
    """Where every byte of the image is from."""
    made_by = instructions(image.history, len(layers))
    try:
        accounting = importlib.import_module("onegig.images.accounting")
    except ModuleNotFoundError:
        return NOT_ACCOUNTED
    made: Accounting = accounting.make_accounting(
        layers, made_by, base_layers=guess_base_layers(made_by), workdir=image.workdir
    )
    return made


def duplicates_of(images: Mapping[str, Sequence[LayerIndex]]) -> tuple[Duplicate, ...]:
    """What the images, by reference, hold more than once."""
    try:
        duplicates = importlib.import_module("onegig.images.duplicates")
    except ModuleNotFoundError:
        return ()
    found: tuple[Duplicate, ...] = duplicates.find_duplicates(images)
    return found
