"""Duplicates within the images of a stack, by content. Pure.

A layer counts once however many images have it, and a hard link is not a duplicate. Copies that a
later layer deletes count: they take room all the same.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import nsmallest

from onegig.images.account import escaped
from onegig.images.layer import LayerIndex
from onegig.model.images import Duplicate
from onegig.text import format_list

MOST = 50
PLACES = 5


def find_duplicates(images: Mapping[str, Sequence[LayerIndex]]) -> tuple[Duplicate, ...]:
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
    worst = nsmallest(MOST, several, key=lambda each: (-each[0] * (len(each[1]) - 1), each[1]))
    return tuple(_duplicate(size, places, users) for size, places in worst)


def _duplicate(
    size: int, places: Sequence[tuple[str, str]], users: Mapping[str, Sequence[str]]
) -> Duplicate:
    return Duplicate(
        bytes=size,
        copies=len(places),
        wasted_bytes=size * (len(places) - 1),
        places=tuple(
            f"{format_list(users[diff_id], 1)}: /{escaped(path)}"
            for diff_id, path in places[:PLACES]
        ),
    )
