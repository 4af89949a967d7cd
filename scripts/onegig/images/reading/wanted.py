"""The few small files of a layer that explain others: they are kept with its index."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from onegig.images.packages import is_database

FILE_LIMIT_BYTES = 8 * 1024**2
LAYER_LIMIT_BYTES = 64 * 1024**2

Place = TypeVar("Place")


def wanted(
    files: Sequence[tuple[str, int, Place]], read: Callable[[Place], bytes]
) -> dict[str, bytes]:
    """Content by path of the wanted ones among (path, size, where to `read` it).

    One that is too long is left out, and so is what comes after the sum is reached. Of a path that
    comes twice, the later one counts.
    """
    contents: dict[str, bytes] = {}
    left = LAYER_LIMIT_BYTES
    for path, size, place in files:
        if size <= min(left, FILE_LIMIT_BYTES) and is_database(path):
            contents[path] = read(place)
            left -= size
    return contents
