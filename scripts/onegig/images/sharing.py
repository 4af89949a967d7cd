"""What the images of a stack share: bytes by chain id. Pure.

Two images share a layer on the engine's disk exactly where its chain id is equal, that is where
everything below is equal too; equal diff_ids alone are unpacked twice.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from onegig.model.images import Image, ImagesReport, Layer
from onegig.model.measured import Environment, Missing

Layers = Sequence[Layer]


def users_by_chain(stack: Iterable[Layers]) -> Counter[str]:
    """Count the images that hold each chain id."""
    return Counter(layer.chain_id for layers in stack for layer in layers)


def own_bytes(layers: Layers, users: Counter[str]) -> int:
    """Return the bytes of layers that no other image has: what removing the image would free."""
    return sum(layer.size_bytes for layer in layers if users[layer.chain_id] <= 1)


def disk_bytes(stack: Iterable[Layers]) -> int:
    """Return the bytes of the whole stack with every shared layer counted once."""
    sizes = {layer.chain_id: layer.size_bytes for layers in stack for layer in layers}
    return sum(sizes.values())


def sum_compressed(layers: Layers) -> int | Missing:
    """Return what pulling all the layers moves, or why that is not known of one."""
    total = 0
    for layer in layers:
        if isinstance(layer.compressed_bytes, Missing):
            return layer.compressed_bytes
        total += layer.compressed_bytes
    return total


def stack_digest(image_ids: Mapping[str, str]) -> str:
    """Name a set of images by what they are called and what they are."""
    lines = sorted(f"{reference} {image_id}\n" for reference, image_id in image_ids.items())
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def add_up(images: Sequence[Image], environment: Environment, stack: str = "") -> ImagesReport:
    """Return the images as one report, with what each has alone and shares, and the sums."""
    users = users_by_chain(image.layers for image in images)
    own = [own_bytes(image.layers, users) for image in images]
    return ImagesReport(
        environment=environment,
        images=tuple(
            replace(image, own_bytes=size, shared_bytes=image.size_bytes - size)
            for image, size in zip(images, own, strict=True)
        ),
        total_bytes=sum(image.size_bytes * max(1, len(image.services)) for image in images),
        disk_bytes=disk_bytes(image.layers for image in images),
        stack=stack,
    )
