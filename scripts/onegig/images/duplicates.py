"""What the images of a stack hold more than once, by content. Pure.

A layer counts once however many images have it, and a hard link is no second copy. Copies that a
later layer deletes count: they take room all the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest

from onegig.images.account import escaped
from onegig.images.layer import LayerIndex
from onegig.model.images import Duplicate
from onegig.text import format_list

MOST = 50
PLACES = 5
Place = tuple[str, str]  # (diff_id of the layer, path)


def find_duplicates(images: Mapping[str, Sequence[LayerIndex]]) -> tuple[Duplicate, ...]:
    """The contents that waste most, the worst first; `images` are layers by reference."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    for reference, layers in images.items():
        for diff_id in dict.fromkeys(layer.diff_id for layer in layers):
            users[diff_id].append(reference)
    copies = _copies({layer.diff_id: layer for layers in images.values() for layer in layers})
    several = ((size, places) for size, places in copies if len(places) > 1)
    worst = nsmallest(MOST, several, key=lambda found: (-found[0] * (len(found[1]) - 1), found[1]))
    return tuple(_duplicate(size, places, users) for size, places in worst)


def _copies(layers: Mapping[str, LayerIndex]) -> Iterator[tuple[int, list[Place]]]:
    """(size, where it is) of every content that is not empty."""
    places: defaultdict[tuple[bytes, int], list[Place]] = defaultdict(list)
    for diff_id, layer in layers.items():
        for entry in layer.entries:
            if entry.digest and entry.size:
                places[entry.digest, entry.size].append((diff_id, entry.path))
    for (_, size), found in places.items():
        yield size, found


def _duplicate(size: int, places: Sequence[Place], users: Mapping[str, Sequence[str]]) -> Duplicate:
    return Duplicate(
        bytes=size,
        copies=len(places),
        wasted_bytes=size * (len(places) - 1),
        places=tuple(
            f"{format_list(users[diff_id], 1)}: /{escaped(path)}"
            for diff_id, path in places[:PLACES]
        ),
    )
