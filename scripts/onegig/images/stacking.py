"""Layers stacked into one tree, as an overlay file system does (OCI image-spec, layer.md). Pure.

What is kept is what became of every file's content, so this tree has names and contents, no modes
and no owners. Its folders are found by path, in one step however deep they are. The rules that are
not obvious:

- Bytes belong to a file, not to its names. Hard-linked content dies with its last name, and the
  layer that took the last name is the one charged. A link to a file of a lower layer (the spec
  forbids it, some builders do it) is one more name of the lower layer's bytes.
- Whiteouts and opaque directories work on lower layers only, wherever they stand in their own.
- What lay below a directory that gave way to a file or a symbolic link died with the directory.
- Of a path that comes twice in one layer the earlier bytes are overwritten, by that same layer.
- The same content once more at the same path (chmod, chown, touch) makes the lower copy the dead
  one: METADATA.
- Paths are literal, as in the tars; no symbolic link is followed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from onegig.images.layer import Entry, Kind
from onegig.model.images import Fate

# Python 3.11 is slow to look up an enum's member, and every entry asks for some.
_FILE, _FOLDER, _HARDLINK = Kind.FILE, Kind.DIRECTORY, Kind.HARDLINK
_WHITEOUT, _OPAQUE = Kind.WHITEOUT, Kind.OPAQUE


class File:
    """The content that one entry of a layer brought (an inode). Alive while it has a name."""

    __slots__ = ("entry", "layer", "names")

    def __init__(self, layer: int, entry: Entry) -> None:
        self.layer = layer
        self.entry = entry
        self.names = 1

    def same_as(self, other: "File") -> bool:
        """Whether both hold the same content; one that nobody read has no equal (contents.py)."""
        ours, theirs = self.entry, other.entry
        if ours.size != theirs.size:
            return False
        return not ours.size or (ours.digest == theirs.digest != b"")


Node = File | Kind  # of what has no content (directories, links, devices) only the kind
Folder = dict[str, Node]


class Stack:
    """The tree after the layers so far, and what became of every file that any of them brought.

    `dead` are the entries that brought content which is gone: by their layer, the layer that took
    it away, and how.
    """

    def __init__(self) -> None:
        self.dead: defaultdict[tuple[int, int, Fate], list[Entry]] = defaultdict(list)
        self._files: list[File] = []
        self._linked: list[File] = []
        self._folders: dict[str, Folder] = {"": {}}
        self._layer = 0

    def add(self, layer: int, entries: Sequence[Entry]) -> None:
        """Put a layer on top. Its deepest marks go first, so that their order says nothing."""
        self._layer = layer
        marks = [entry for entry in entries if entry.kind is _WHITEOUT or entry.kind is _OPAQUE]
        for mark in sorted(marks, key=_depth, reverse=True):
            self._hide(mark)
        for entry in entries:
            self._put(entry)

    def live(self) -> list[tuple[int, Entry]]:
        """The files that still have a name, each with its layer, in the order they came in."""
        names = self._other_names()
        return [
            (file.layer, replace(file.entry, path=names[file]) if file in names else file.entry)
            for file in self._files
            if file.names
        ]

    def _other_names(self) -> dict[File, str]:
        """What hard-linked content is called whose own name is gone."""
        renamed = {file for file in self._linked if self._find(file.entry.path) is not file}
        names: defaultdict[File, list[str]] = defaultdict(list)
        for path, folder in self._folders.items() if renamed else ():
            for name, node in folder.items():
                if isinstance(node, File) and node in renamed:
                    names[node].append(_join(path, name))
        return {file: min(paths) for file, paths in names.items()}

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
            file = File(self._layer, entry)
            self._files.append(file)
            self._place(entry.path, file)
        elif kind is _FOLDER or kind is _OPAQUE:
            self._folder(entry.path)
        elif kind is _WHITEOUT:  # this layer has what is above it: no lower file stays in its place
            self._folder(entry.path.rpartition("/")[0])
        else:
            self._place(entry.path, self._link(entry) if kind is _HARDLINK else kind)

    def _link(self, entry: Entry) -> Node:
        """One more name of a file, if it is one that the link names."""
        target = self._find(entry.link)
        if not isinstance(target, File):
            return entry.kind
        target.names += 1
        self._linked.append(target)
        return target

    def _place(self, path: str, node: Node) -> None:
        above, _, name = path.rpartition("/")
        folder = self._folder(above)
        old = folder.get(name)
        folder[name] = node
        if old is not None:
            self._remove(path, old, self._fate_under(old, node))

    def _fate_under(self, old: Node, new: Node) -> Fate:
        """What replacing `old` by a name of `new` does to the content that `old` named."""
        if isinstance(old, File) and isinstance(new, File) and old.layer != self._layer:
            return Fate.METADATA if old.same_as(new) else Fate.OVERWRITTEN
        return Fate.OVERWRITTEN

    def _find(self, path: str) -> Node | None:
        if path in self._folders:
            return _FOLDER
        above, _, name = path.rpartition("/")
        return self._folders.get(above, {}).get(name)

    def _folder(self, path: str) -> Folder:
        """The folder at `path`, made where there is none, over a file where there is one."""
        folder = self._folders.get(path)
        return self._make(path) if folder is None else folder

    def _make(self, path: str) -> Folder:
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        folder = self._folders[path]
        for made in reversed(missing):
            name = made.rpartition("/")[2]
            old = folder.get(name)
            if old is not None:
                self._remove(made, old, Fate.OVERWRITTEN)
            folder[name] = _FOLDER
            folder = self._folders[made] = {}
        return folder

    def _remove(self, path: str, node: Node, fate: Fate) -> None:
        if isinstance(node, File):
            self._take(node, fate)
        elif node is _FOLDER:
            self._drop(path)

    def _drop(self, path: str) -> None:
        """A folder goes, and all below it dies."""
        waiting = [path]
        while waiting:
            above = waiting.pop()
            for name, node in self._folders.pop(above).items():
                if isinstance(node, File):
                    self._take(node, Fate.DELETED_WITH_DIRECTORY)
                elif node is _FOLDER:
                    waiting.append(_join(above, name))

    def _take(self, file: File, fate: Fate) -> None:
        """A name goes, and with the last one its content."""
        file.names -= 1
        if not file.names:
            self.dead[file.layer, self._layer, fate].append(file.entry)


def _depth(mark: Entry) -> int:
    return mark.path.count("/") + 1 if mark.path else 0


def _join(above: str, name: str) -> str:
    return f"{above}/{name}" if above else name
