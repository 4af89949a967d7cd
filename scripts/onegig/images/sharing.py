"""What the images of a stack share: bytes by chain id. Pure.

Two images share a layer on the engine's disk exactly where its chain id is equal, that is where
everything below is equal too; equal diff_ids alone are unpacked twice.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from onegig.model.images import Layer

Layers = Sequence[Layer]


def users_by_chain(stack: Iterable[Layers]) -> Counter[str]:
    """How many images hold each chain id."""
    return Counter(layer.chain_id for layers in stack for layer in layers)


def own_bytes(layers: Layers, users: Counter[str]) -> int:
    """Bytes of the layers that no other image of the stack has: what removing it would free."""
    return sum(layer.size_bytes for layer in layers if users[layer.chain_id] <= 1)


def disk_bytes(stack: Iterable[Layers]) -> int:
    """Bytes of the whole stack with every shared layer counted once."""
    sizes = {layer.chain_id: layer.size_bytes for layers in stack for layer in layers}
    return sum(sizes.values())
