"""The exact account of an image: every byte of every layer is live or has a fate. Pure.

Layers are stacked into one tree, as an overlay file system does (OCI image-spec, layer.md). The
tree has names and contents, no modes and no owners; its folders are found by path, in one step
however deep they are. The rules that are not obvious:

- Bytes belong to a file, not to its names. Hard-linked content dies with its last name, and the
  layer that took the last name is the one charged. A link to a file of a lower layer (the spec
  forbids it, some builders do it) is one more name of the lower layer's bytes.
- Whiteouts and opaque directories work on lower layers only, wherever they stand in their own.
- What lay below a directory that gave way to a file or a symbolic link died with the directory.
- Of a path that comes twice in one layer the earlier bytes are overwritten, by that same layer.
- The same content again at the same path (chmod, chown, touch) makes the lower copy the dead
  one: METADATA.
- Paths are literal, as in the tars; no symbolic link is followed.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest

from onegig.errors import AccountError
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.path_causes import is_cache
from onegig.model.images import Dead, Fate, SizedPath
from onegig.text import escaped

LARGEST_PATHS = 5
# Python 3.11 is slow to look up an enum's member, and every entry asks for some.
_FILE, _FOLDER, _HARDLINK = Kind.FILE, Kind.DIRECTORY, Kind.HARDLINK
_WHITEOUT, _OPAQUE = Kind.WHITEOUT, Kind.OPAQUE


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One image's bytes; those of `live` and `dead` add up to the sizes of its layers, exactly.

    `live` holds each reachable regular file once, empty ones too, with the position of its layer:
    lowest layer first, in the order of the tar. Hard-linked content has its first name, or
    another when that is gone or lies in a cache, whose removal would save nothing. `dead` is
    ordered by bytes, largest first.
    """

    live: tuple[tuple[int, Entry], ...]
    dead: tuple[Dead, ...]

    @property
    def live_bytes(self) -> int:
        """Return the bytes that a container can reach."""
        return sum(entry.size for _, entry in self.live)

    def dead_bytes(self, *fates: Fate) -> int:
        """Return the bytes that no container can reach, by default of all fates."""
        return sum(group.bytes for group in self.dead if group.fate in (fates or Fate))


def account(layers: Sequence[LayerIndex]) -> Account:
    """Return the fate of every byte of these layers, lowest first.

    Raises AccountError, a bug of ours, should the bytes not add up.
    """
    stack = _Stack()
    for position, layer in enumerate(layers):
        stack.add(position, layer.entries)
    dead = sorted(
        _dead(stack), key=lambda group: (-group.bytes, group.layer, group.killer, group.fate.name)
    )
    result = Account(live=tuple(stack.live()), dead=tuple(dead))
    _check(result, layers)
    return result


def _dead(stack: "_Stack") -> Iterator[Dead]:
    for (layer, killer, fate), entries in stack.dead.items():
        largest = nsmallest(LARGEST_PATHS, entries, key=lambda entry: (-entry.size, entry.path))
        yield Dead(
            layer=layer,
            killer=killer,
            fate=fate,
            bytes=sum(entry.size for entry in entries),
            files=len(entries),
            largest=tuple(SizedPath(path=escaped(file.path), bytes=file.size) for file in largest),
        )


def _check(result: Account, layers: Sequence[LayerIndex]) -> None:
    counted = [0] * len(layers)
    for position, entry in result.live:
        counted[position] += entry.size
    for dead in result.dead:
        counted[dead.layer] += dead.bytes
    for layer, total in zip(layers, counted, strict=True):
        if total != layer.size_bytes:
            raise AccountError(
                f"{total} bytes of layer {layer.diff_id} are accounted for, "
                f"but it has {layer.size_bytes}"
            )


class _File:
    """The content that one entry of a layer brought (an inode). Alive while it has a name."""

    __slots__ = ("entry", "layer", "names")

    def __init__(self, layer: int, entry: Entry) -> None:
        self.layer = layer
        self.entry = entry
        self.names = 1

    def same_as(self, node: "_Node") -> bool:
        """Return whether both have the same content; unread content has no equal."""
        if not isinstance(node, _File):
            return False
        ours, theirs = self.entry, node.entry
        return ours.size == theirs.size and (not ours.size or ours.digest == theirs.digest != b"")


_Node = _File | Kind  # the kind alone for what has no content: directories, links, devices
_Folder = dict[str, _Node]


class _Stack:
    """The tree after the layers so far, and what became of every file that any of them brought.

    `dead` are the entries that brought content which is gone: by their layer, the layer that took
    it away, and how.
    """

    def __init__(self) -> None:
        self.dead: defaultdict[tuple[int, int, Fate], list[Entry]] = defaultdict(list)
        self._files: list[_File] = []
        self._linked: list[_File] = []
        self._folders: dict[str, _Folder] = {"": {}}
        self._layer = 0

    def add(self, layer: int, entries: Sequence[Entry]) -> None:
        """Put a layer on top. Its deepest marks go first, so that their order does not matter."""
        self._layer = layer
        marks = [entry for entry in entries if entry.kind is _WHITEOUT or entry.kind is _OPAQUE]
        for mark in sorted(
            marks, key=lambda mark: (bool(mark.path), mark.path.count("/")), reverse=True
        ):
            self._hide(mark)
        for entry in entries:
            self._put(entry)

    def live(self) -> list[tuple[int, Entry]]:
        """Return the files that still have a name, each with its layer, in order of arrival."""
        names = self._other_names()
        return [
            (file.layer, replace(file.entry, path=names[file]) if file in names else file.entry)
            for file in self._files
            if file.names
        ]

    def _other_names(self) -> dict[_File, str]:
        """Return the names of hard-linked content whose own name is gone or in a cache."""
        renamed = {
            file
            for file in self._linked
            if is_cache(file.entry.path) or self._find(file.entry.path) is not file
        }
        names: defaultdict[_File, list[str]] = defaultdict(list)
        for path, folder in self._folders.items() if renamed else ():
            for name, node in folder.items():
                if isinstance(node, _File) and node in renamed:
                    names[node].append(_join(path, name))
        return {
            file: min(paths, key=lambda path: (is_cache(path), path))
            for file, paths in names.items()
        }

    def _hide(self, mark: Entry) -> None:
        path = mark.path
        if mark.kind is _OPAQUE or not path:
            if path in self._folders:
                self._drop(path)
                self._folders[path] = {}
            return
        above, _, name = path.rpartition("/")
        node = self._folders.get(above, {}).pop(name, None)
        if node is not None:
            self._remove(path, node, Fate.DELETED)

    def _put(self, entry: Entry) -> None:
        kind = entry.kind
        if kind is _FILE:
            file = _File(self._layer, entry)
            self._files.append(file)
            self._place(entry.path, file)
        elif kind is _FOLDER or kind is _OPAQUE:
            self._folder(entry.path)
        elif kind is _WHITEOUT:  # this layer has what is above it: no lower file stays in its place
            self._folder(entry.path.rpartition("/")[0])
        else:
            self._place(entry.path, self._link(entry) if kind is _HARDLINK else kind)

    def _link(self, entry: Entry) -> _Node:
        target = self._find(entry.link)
        if not isinstance(target, _File):
            return entry.kind
        target.names += 1
        self._linked.append(target)
        return target

    def _place(self, path: str, node: _Node) -> None:
        above, _, name = path.rpartition("/")
        folder = self._folder(above)
        old = folder.get(name)
        folder[name] = node
        if old is not None:
            is_lower = isinstance(old, _File) and old.layer != self._layer
            is_copy = is_lower and isinstance(node, _File) and node.same_as(old)
            self._remove(path, old, Fate.METADATA if is_copy else Fate.OVERWRITTEN)

    def _find(self, path: str) -> _Node | None:
        if path in self._folders:
            return _FOLDER
        above, _, name = path.rpartition("/")
        return self._folders.get(above, {}).get(name)

    def _folder(self, path: str) -> _Folder:
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        folder = self._folders[path]
        for folder_path in reversed(missing):
            name = folder_path.rpartition("/")[2]
            old = folder.get(name)
            if old is not None:
                self._remove(folder_path, old, Fate.OVERWRITTEN)
            folder[name] = _FOLDER
            folder = self._folders[folder_path] = {}
        return folder

    def _remove(self, path: str, node: _Node, fate: Fate) -> None:
        if isinstance(node, _File):
            self._take(node, fate)
        elif node is _FOLDER:
            self._drop(path)

    def _drop(self, path: str) -> None:
        waiting = [path]
        while waiting:
            above = waiting.pop()
            for name, node in self._folders.pop(above).items():
                if isinstance(node, _File):
                    self._take(node, Fate.DELETED_WITH_DIRECTORY)
                elif node is _FOLDER:
                    waiting.append(_join(above, name))

    def _take(self, file: _File, fate: Fate) -> None:
        file.names -= 1
        if not file.names:
            self.dead[file.layer, self._layer, fate].append(file.entry)


def _join(above: str, name: str) -> str:
    return f"{above}/{name}" if above else name
