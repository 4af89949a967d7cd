"""What every live byte of an image is there for: one cause each. Pure.

Asked in this order, and the first that knows decides:

1. what `COPY . /app` brought along by accident (strays.py);
2. what the path alone says: caches, documentation, headers, tests (places.py); bytecode in
   __pycache__ is a cache, unless it belongs to what only development needs: then it leaves with it;
3. the package databases (owners.py);
4. runtimes that are no packages, the base image, the instruction (unowned.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from onegig.errors import AccountError
from onegig.images.account import escaped
from onegig.images.layer import Entry, LayerIndex
from onegig.images.owners import Owner, owners
from onegig.images.path_causes import BYTECODE, DEPTH, PATH, Place, folder_of, place_of, source_of
from onegig.images.strays import Strays
from onegig.images.unowned import Unowned
from onegig.model.images import Cause, Part

_shown = lru_cache(maxsize=2**12)(escaped)  # many files, few names
MOST_PARTS = 60  # of one cause; the rest is one more


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """One live file and what it is there for."""

    layer: int
    entry: Entry
    cause: Cause
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Why:
    cause: Cause
    name: str
    kind: str


def explain(
    layers: Sequence[LayerIndex],
    live: Sequence[tuple[int, Entry]],
    instructions: Sequence[str],
    *,
    base_layers: int,
    workdir: str,
) -> tuple[Explained, ...]:
    """The cause of every live file. `base_layers`: how many of the lowest came with FROM."""
    known = _Known(layers, live, instructions, base_layers=base_layers, workdir=workdir)
    return tuple(_explained(at, entry, known.why(entry.path, at)) for at, entry in live)


def parts_of(files: Sequence[Explained]) -> tuple[Part, ...]:
    """The files by cause, name and layer: causes in their order, the largest part of each first.

    A part lies in one layer, so that what images share can be told apart. Raises AccountError, a
    bug of ours, should the parts not add up to the files.
    """
    groups: defaultdict[tuple[Cause, str, str, int], list[Explained]] = defaultdict(list)
    for file in files:
        groups[file.cause, file.name, file.kind, file.layer].append(file)
    by_cause: defaultdict[Cause, list[Part]] = defaultdict(list)
    for (cause, name, kind, layer), members in groups.items():
        by_cause[cause].append(_part(cause, name, kind, layer, members))
    parts = tuple(part for cause in Cause for part in _bounded(by_cause[cause]))
    if sum(part.bytes for part in parts) != sum(file.entry.size for file in files):
        raise AccountError("the parts of an image do not add up to its live bytes")
    return parts


class _Known:
    """Everything that is known of one image, asked for one path after the other."""

    def __init__(
        self,
        layers: Sequence[LayerIndex],
        live: Sequence[tuple[int, Entry]],
        instructions: Sequence[str],
        *,
        base_layers: int,
        workdir: str,
    ) -> None:
        paths = [entry.path for _, entry in live]
        self._owners = owners(layers, live, base_layers)
        self._strays = Strays(layers, instructions, paths, base_layers=base_layers, workdir=workdir)
        self._unowned = Unowned(
            instructions,
            base_layers=base_layers,
            workdir=workdir,
            paths=paths,
        )

    def why(self, path: str, layer: int) -> _Why:
        """The cause of one file and its name."""
        if stray := self._strays.folder(path, layer):
            return _Why(Cause.DEVELOPMENT, stray, PATH)
        if source := source_of(path):
            why = self.why(source, layer)
            return why if why.cause is Cause.DEVELOPMENT else _Why(Cause.CACHE, BYTECODE, PATH)
        owner, place = self._owners.get(path), place_of(path)
        if place is not None:
            return _placed(path, place, owner)
        if owner is not None:
            return _Why(owner.cause, owner.name, owner.kind)
        reason = self._unowned.reason(path, layer)
        return _Why(reason.cause, reason.name, PATH)


def _placed(path: str, place: Place, owner: Owner | None) -> _Why:
    leaves_with_it = owner is not None and owner.cause is Cause.DEVELOPMENT and not place.is_folder
    if owner is not None and (place.cause is owner.cause or leaves_with_it):
        return _Why(owner.cause, owner.name, owner.kind)
    if place.is_folder:
        return _Why(place.cause, place.name, PATH)
    if owner is not None:
        return _Why(place.cause, f"{place.name} of {owner.name}", owner.kind)
    return _Why(place.cause, f"{place.name} in {folder_of(path, DEPTH)}", PATH)


def _explained(layer: int, entry: Entry, why: _Why) -> Explained:
    return Explained(
        layer=layer, entry=entry, cause=why.cause, name=_shown(why.name), kind=why.kind
    )


def _part(cause: Cause, name: str, kind: str, layer: int, files: Sequence[Explained]) -> Part:
    return Part(
        cause=cause,
        name=name,
        kind=kind,
        bytes=sum(file.entry.size for file in files),
        files=len(files),
        layers=(layer,),
    )


def _bounded(parts: Iterable[Part]) -> Iterator[Part]:
    """The largest parts of one cause, and the rest of each layer as one without a name."""
    ordered = sorted(parts, key=lambda part: (-part.bytes, part.name, part.kind, part.layers))
    yield from ordered[:MOST_PARTS]
    rest = ordered[MOST_PARTS:]
    for layers in sorted({part.layers for part in rest}):
        yield _together([part for part in rest if part.layers == layers])


def _together(parts: Sequence[Part]) -> Part:
    kinds = {part.kind for part in parts}
    return replace(
        parts[0],
        name="",
        kind=kinds.pop() if len(kinds) == 1 else "",
        bytes=sum(part.bytes for part in parts),
        files=sum(part.files for part in parts),
    )
