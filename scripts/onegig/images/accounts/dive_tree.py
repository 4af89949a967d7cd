"""A layer as dive 0.13.1 sees it, and such trees stacked the way dive stacks them. Pure.

It differs from an overlay file system (stacking.py), and for dive's numbers has to:

- Opaque directories hide nothing; the directory only counts as if it were listed.
- A directory replaced by a file keeps what was below it.
- A directory that a tar does not list, but has paths below, is no directory, and takes that
  property from the one in the layers below as well.
- The lowest layer is stacked on a copy of itself.

Sources: dive/filetree/file_tree.go, dive/filetree/file_node.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onegig.images.reading.index import Entry, Kind

_WHITEOUT = ".wh."


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A layer: its paths with the size of each, whiteouts under the name they have in the tar."""

    sizes: Mapping[str, int]
    directories: frozenset[str]  # those that are listed
    parents: frozenset[str]  # paths with something below them
    whiteouts: Mapping[str, str]  # what each removes

    def paths(self) -> Iterator[str]:
        """In dive's order where it matters: by the bytes of each name."""
        return iter(sorted(self.sizes, key=_by_names) if self.whiteouts else self.sizes)

    def leaves(self) -> Iterator[str]:
        """Paths with nothing below them, in the same order."""
        return (path for path in self.paths() if path not in self.parents)


def make_tree(entries: Sequence[Entry]) -> Tree:
    """The tree of one layer's entries."""
    sizes: dict[str, int] = {}
    directories: set[str] = set()
    parents: set[str] = set()
    whiteouts: dict[str, str] = {}
    for entry in entries:
        path = entry.path
        if entry.kind is Kind.WHITEOUT:
            above, slash, name = path.rpartition("/")
            path = f"{above}{slash}{_WHITEOUT}{name}"
            whiteouts[path] = entry.path
        if entry.kind is Kind.OPAQUE:
            sizes.setdefault(path, 0)
        else:
            sizes[path] = entry.size
            (directories.add if entry.kind is Kind.DIRECTORY else directories.discard)(path)
        _add_parents(path, sizes, parents)
    sizes.pop("", None)
    return Tree(
        sizes=sizes,
        directories=frozenset(directories),
        parents=frozenset(parents),
        whiteouts=whiteouts,
    )


def _add_parents(path: str, sizes: dict[str, int], parents: set[str]) -> None:
    above = path.rpartition("/")[0]
    while above and above not in parents:
        parents.add(above)
        sizes.setdefault(above, 0)
        above = above.rpartition("/")[0]


def _by_names(path: str) -> str:
    """Sorts name by name: what is below "a" comes before "a-b"."""
    raw = path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("latin-1")
    return raw.replace("/", "\0") + "\0"


class _Node:
    __slots__ = ("below", "is_directory", "size")

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.is_directory = False
        self.size = 0


class StackedTree:
    """Layers on top of each other."""

    def __init__(self) -> None:
        self._root = _Node()

    def copy(self, tree: Tree) -> None:
        """Start with a layer, whose whiteouts have no effect yet."""
        for path in tree.sizes:
            if path not in tree.whiteouts:
                self._add(path, tree)

    def stack(self, tree: Tree) -> None:
        """Put a layer on top. What it removes and adds as well depends on the order of names."""
        for path in tree.paths():
            removed = tree.whiteouts.get(path)
            if removed is None:
                self._add(path, tree)
            else:
                above, _, name = removed.rpartition("/")
                parent = self._find(above)
                if parent is not None:
                    parent.below.pop(name, None)

    def weight(self, path: str) -> int | None:
        """What the whiteout of `path` weighs: a directory all below it; None: nothing is there."""
        node = self._find(path)
        if node is None or not node.is_directory:
            return None if node is None else 0
        total = 0
        waiting = [node]
        while waiting:
            one = waiting.pop()
            total += one.size
            waiting += one.below.values()
        return total

    def _add(self, path: str, tree: Tree) -> None:
        node = self._root
        for name in path.split("/"):
            below = node.below.get(name)
            if below is None:
                below = node.below[name] = _Node()
            node = below
        node.size = tree.sizes[path]
        node.is_directory = path in tree.directories

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._root
        for name in path.split("/") if path else ():
            node = node.below.get(name) if node is not None else None
        return node
