"""A layer as dive 0.13.1 sees it, and such trees stacked the way dive stacks them. Pure.

It differs from an overlay file system (stacking.py), and for dive's numbers has to:

- Opaque directories hide nothing; the directory only counts as if it were listed.
- A directory replaced by a file keeps what was below it.
- A directory that a tar does not list, but has paths below, is no directory, and takes that
  property from the one in the layers below as well.
- The lowest layer is stacked on a copy of itself.

Sources: dive/filetree/file_tree.go, dive/filetree/file_node.go.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onegig.images.layer import Entry, Kind

_PREFIX = ".wh."
_DIRECTORY, _WHITEOUT, _OPAQUE = Kind.DIRECTORY, Kind.WHITEOUT, Kind.OPAQUE
_MARKS = (_WHITEOUT, _OPAQUE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A layer's paths. A whiteout has the name that it has in the tar, and what it removes."""

    sizes: Mapping[str, int]  # all that are listed, but for the whiteouts
    directories: frozenset[str]  # those of them
    parents: frozenset[str]  # paths with something below them, listed or not
    whiteouts: Mapping[str, str]

    def leaves(self) -> dict[str, int]:
        """The sizes of paths with nothing below them."""
        leaves = dict(self.sizes)
        for path in leaves.keys() & self.parents:
            del leaves[path]
        return leaves


def make_tree(entries: Sequence[Entry]) -> Tree:
    """The tree of one layer's entries."""
    listed = {entry.path: entry for entry in entries if entry.kind not in _MARKS}
    listed.pop("", None)
    sizes = {path: entry.size for path, entry in listed.items()}
    whiteouts: dict[str, str] = {}
    if len(listed) < len(entries):
        for entry in entries:
            if entry.kind is _WHITEOUT:
                whiteouts[_name_in_tar(entry.path)] = entry.path
            elif entry.kind is _OPAQUE and entry.path:
                sizes.setdefault(entry.path, 0)
    return Tree(
        sizes=sizes,
        directories=frozenset(path for path, entry in listed.items() if entry.kind is _DIRECTORY),
        parents=_parents(entries),
        whiteouts=whiteouts,
    )


def by_names(path: str) -> str:
    """dive's order, name by name and by their bytes: what is below "a" comes before "a-b"."""
    raw = path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("latin-1")
    return raw.replace("/", "\0") + "\0"


def _parents(entries: Sequence[Entry]) -> frozenset[str]:
    parents: set[str] = set()
    for above in {entry.path.rpartition("/")[0] for entry in entries}:
        while above and above not in parents:
            parents.add(above)
            above = above.rpartition("/")[0]
    return frozenset(parents)


def _name_in_tar(removed: str) -> str:
    above, slash, name = removed.rpartition("/")
    return f"{above}{slash}{_PREFIX}{name}"


class StackedTree:
    """Layers on top of each other."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._directories: set[str] = set()
        self._below: defaultdict[str, set[str]] = defaultdict(set)

    def copy(self, tree: Tree) -> None:
        """Put a layer on top whose whiteouts have no effect."""
        sizes = dict.fromkeys(tree.parents, 0) | dict(tree.sizes)
        for path in sizes.keys() - self._sizes.keys():
            self._below[path.rpartition("/")[0]].add(path)
        self._sizes |= sizes
        self._directories -= sizes.keys()
        self._directories |= tree.directories

    def stack(self, tree: Tree) -> None:
        """Put a layer on top. Of what it has and removes as well, the later name counts."""
        for name, removed in tree.whiteouts.items():
            if name < removed:
                self._remove(removed)
        self.copy(tree)
        for name, removed in tree.whiteouts.items():
            if name > removed:
                self._remove(removed)

    def weight(self, path: str) -> int | None:
        """What the whiteout of `path` weighs: a directory all below it; None: nothing is there."""
        if path not in self._directories:
            return 0 if path in self._sizes or not path else None  # "" is the root
        total = 0
        waiting = [path]
        while waiting:
            one = waiting.pop()
            total += self._sizes[one]
            waiting += self._below.get(one, ())
        return total

    def _remove(self, path: str) -> None:
        if path not in self._sizes:
            return
        self._below[path.rpartition("/")[0]].remove(path)
        waiting = [path]
        while waiting:
            one = waiting.pop()
            del self._sizes[one]
            self._directories.discard(one)
            waiting += self._below.pop(one, ())
