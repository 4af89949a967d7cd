"""The account worked out the slow way: all paths in a dict, made anew for every single entry."""

from collections.abc import Sequence

from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.model.images import Fate

Path = tuple[str, ...]
File = tuple[int, int]  # its layer, its place in there
Tree = dict[Path, File | str]
DIRECTORY, NOTHING = "directory", "a name without content"


class NaiveAccount:
    """`dead`: for each dead file (killer, fate). `live`: for each live one its names."""

    def __init__(self, layers: Sequence[LayerIndex]) -> None:
        self.layers = layers
        self.tree: Tree = {(): DIRECTORY}
        self.dead: dict[File, tuple[int, Fate]] = {}
        for layer, index in enumerate(layers):
            for mark in sorted(index.entries, key=lambda entry: -len(split(entry.path))):
                if mark.kind in (Kind.WHITEOUT, Kind.OPAQUE):
                    self.hide(layer, split(mark.path), below_only=mark.kind is Kind.OPAQUE)
            for place, entry in enumerate(index.entries):
                self.enter((layer, place), entry)

    @property
    def live(self) -> dict[File, list[str]]:
        return {
            file: ["/".join(path) for path, what in self.tree.items() if what == file]
            for file in files(self.tree)
        }

    def entry(self, file: File) -> Entry:
        return self.layers[file[0]].entries[file[1]]

    def hide(self, layer: int, path: Path, *, below_only: bool) -> None:
        if below_only or not path:
            left = {at: what for at, what in self.tree.items() if at == path or not under(at, path)}
        else:
            left = {at: what for at, what in self.tree.items() if not under(at, path)}
        of_a_file = self.tree.get(path) != DIRECTORY
        self.become(layer, left, Fate.DELETED if of_a_file else Fate.DELETED_WITH_DIRECTORY)

    def enter(self, file: File, entry: Entry) -> None:
        path = split(entry.path)
        if entry.kind is Kind.WHITEOUT:
            path = path[:-1]
        above = {path[:depth]: DIRECTORY for depth in range(len(path))}
        grown = {at: what for at, what in self.tree.items() if at not in above} | above
        if entry.kind in (Kind.DIRECTORY, Kind.OPAQUE, Kind.WHITEOUT):
            self.become(file[0], grown | {path: DIRECTORY}, Fate.OVERWRITTEN)
        else:
            new = self.content(file, entry)
            grown = {at: what for at, what in grown.items() if not under(at, path)} | {path: new}
            self.become(file[0], grown, self.fate(path, file[0], new))

    def content(self, file: File, entry: Entry) -> File | str:
        if entry.kind is Kind.FILE:
            return file
        target = self.tree.get(split(entry.link)) if entry.kind is Kind.HARDLINK else None
        return target if isinstance(target, tuple) else NOTHING

    def fate(self, path: Path, layer: int, new: File | str) -> Fate:
        old = self.tree.get(path)
        if old == DIRECTORY:
            return Fate.DELETED_WITH_DIRECTORY
        if isinstance(old, tuple) and isinstance(new, tuple) and old[0] != layer:
            was, now = self.entry(old), self.entry(new)
            if (was.size, was.digest) == (now.size, now.digest):
                return Fate.METADATA
        return Fate.OVERWRITTEN

    def become(self, layer: int, tree: Tree, fate: Fate) -> None:
        for file in files(self.tree) - files(tree):
            self.dead[file] = (layer, fate)
        self.tree = tree


def files(tree: Tree) -> set[File]:
    return {what for what in tree.values() if isinstance(what, tuple)}


def split(path: str) -> Path:
    return tuple(path.split("/")) if path else ()


def under(path: Path, directory: Path) -> bool:
    """At or below it."""
    return path[: len(directory)] == directory
