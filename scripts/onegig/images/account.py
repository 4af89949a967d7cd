"""The exact account of an image: every byte of every layer is live or has a fate. Pure.

How layers are stacked, and which removal counts as what, is in stacking.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from onegig.errors import AccountError
from onegig.images.layer import Entry, LayerIndex
from onegig.images.stacking import Stack
from onegig.model.images import Dead, Fate, SizedPath

LARGEST_PATHS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One image's bytes; the five sums add up to the sizes of its layers, exactly.

    `live` holds each reachable regular file once, empty ones too, with the place of its layer:
    lowest layer first, in the order of the tar. Hard-linked content comes under its first name, or
    another when that one is gone. `dead` is ordered by bytes, largest first.
    """

    live: tuple[tuple[int, Entry], ...]
    dead: tuple[Dead, ...]
    live_bytes: int
    overwritten_bytes: int
    deleted_bytes: int
    deleted_with_directory_bytes: int
    metadata_bytes: int

    @property
    def dead_bytes(self) -> int:
        """Bytes that no container can reach."""
        return sum(group.bytes for group in self.dead)


def account(layers: Sequence[LayerIndex]) -> Account:
    """What became of every byte of these layers, lowest first.

    Raises AccountError, a bug of ours, should the bytes not add up.
    """
    stack = Stack()
    for place, layer in enumerate(layers):
        stack.add(place, layer.entries)
    live = stack.live()
    dead = sorted(_dead(stack), key=_largest_first)
    sums = dict.fromkeys(Fate, 0)
    for group in dead:
        sums[group.fate] += group.bytes
    made = Account(
        live=tuple(live),
        dead=tuple(dead),
        live_bytes=sum([entry.size for _, entry in live]),
        overwritten_bytes=sums[Fate.OVERWRITTEN],
        deleted_bytes=sums[Fate.DELETED],
        deleted_with_directory_bytes=sums[Fate.DELETED_WITH_DIRECTORY],
        metadata_bytes=sums[Fate.METADATA],
    )
    _check(made, layers)
    return made


def escaped(path: str) -> str:
    r"""A path fit for text: what is not UTF-8 becomes \xff."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _dead(stack: Stack) -> Iterator[Dead]:
    for (layer, killer, fate), entries in stack.dead.items():
        largest = nsmallest(LARGEST_PATHS, entries, key=lambda entry: (-entry.size, entry.path))
        yield Dead(
            layer=layer,
            killer=killer,
            fate=fate,
            bytes=sum(entry.size for entry in entries),
            files=len(entries),
            largest=tuple(SizedPath(path=escaped(one.path), bytes=one.size) for one in largest),
        )


def _largest_first(dead: Dead) -> tuple[int, int, int, str]:
    return -dead.bytes, dead.layer, dead.killer, dead.fate.name


def _check(made: Account, layers: Sequence[LayerIndex]) -> None:
    """Each layer's live and dead bytes are its bytes, and the five sums are those of all layers."""
    found = [0] * len(layers)
    for place, entry in made.live:
        found[place] += entry.size
    for dead in made.dead:
        found[dead.layer] += dead.bytes
    for place, layer in enumerate(layers):
        if found[place] != layer.size_bytes:
            raise AccountError(
                f"of layer {layer.diff_id} {found[place]} bytes are accounted for, "
                f"but it has {layer.size_bytes}"
            )
    total = (
        made.live_bytes
        + made.overwritten_bytes
        + made.deleted_bytes
        + made.deleted_with_directory_bytes
        + made.metadata_bytes
    )
    if total != sum(found):
        raise AccountError(f"the fates add up to {total} bytes, the layers to {sum(found)}")
