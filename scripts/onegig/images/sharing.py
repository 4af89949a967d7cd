"""Layers that the images of a stack share, and contents that they hold more than once. Pure.

Two images share a layer on the engine's disk exactly where its chain id is equal, that is where
everything below is equal too; equal diff_ids alone are unpacked twice.

Duplicates are found by content: a layer counts once however many images have it, and a hard link is
not a duplicate. Copies that a later layer deletes count: they take room anyway.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import nsmallest
from typing import TYPE_CHECKING

from onegig.model.images import Duplicate, Image, ImagesReport, Layer
from onegig.model.measured import Environment, Missing
from onegig.text import escaped, format_list

if TYPE_CHECKING:  # it reads archives, for which the trusted jobs have no library
    from onegig.images.layer import LayerIndex

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
    """Return the download size of all layers, or the reason why one is not known."""
    total = 0
    for layer in layers:
        if isinstance(layer.compressed_bytes, Missing):
            return layer.compressed_bytes
        total += layer.compressed_bytes
    return total


def stack_digest(image_ids: Mapping[str, str]) -> str:
    """Return a digest of a set of images: their names and contents."""
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


MOST = 50
PLACES = 5


def find_duplicates(images: Mapping[str, Sequence["LayerIndex"]]) -> tuple[Duplicate, ...]:
    """Return the contents that waste most, the worst first; `images` are layers by reference."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    copies: defaultdict[tuple[bytes, int], list[tuple[str, str]]] = defaultdict(list)
    for reference, layers in images.items():
        for diff_id, layer in {layer.diff_id: layer for layer in layers}.items():
            users[diff_id].append(reference)
            for entry in layer.entries if len(users[diff_id]) == 1 else ():
                if entry.digest and entry.size:
                    copies[entry.digest, entry.size].append((diff_id, entry.path))
    several = ((size, places) for (_, size), places in copies.items() if len(places) > 1)
    worst = nsmallest(MOST, several, key=lambda pair: (-pair[0] * (len(pair[1]) - 1), pair[1]))
    return tuple(
        Duplicate(
            bytes=size,
            copies=len(places),
            wasted_bytes=size * (len(places) - 1),
            places=tuple(
                f"{format_list(users[diff_id], 1)}: /{escaped(path)}"
                for diff_id, path in places[:PLACES]
            ),
        )
        for size, places in worst
    )
