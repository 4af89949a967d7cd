"""Layers stacked into one tree, as an overlay file system does (OCI image-spec, layer.md). Pure.

What is kept is what became of every file's content, so this tree has names and contents, no modes
and no owners. The rules that are not obvious:

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

from collections.abc import Sequence
from dataclasses import replace

from onegig.images.reading.index import Entry, Kind
from onegig.model.accounting import Fate

_MARKS = (Kind.WHITEOUT, Kind.OPAQUE)


class File:
    """The content that one entry of a layer brought (an inode). Alive while it has a name."""

    __slots__ = ("entry", "fate", "killer", "layer", "names")

    def __init__(self, layer: int, entry: Entry) -> None:
        self.layer = layer
        self.entry = entry
        self.names: dict[Name, str] = {}
        self.fate = Fate.LIVE
        self.killer = layer

    def same_as(self, other: "File") -> bool:
        """Whether both hold the same content; one that nobody read has no equal (contents.py)."""
        ours, theirs = self.entry, other.entry
        if ours.size != theirs.size:
            return False
        return not ours.size or (ours.digest == theirs.digest != b"")

    def live_entry(self) -> Entry:
        """The entry, under another of its names when its own is gone."""
        paths = self.names.values()
        return self.entry if self.entry.path in paths else replace(self.entry, path=min(paths))


class Name:
    """What a directory holds that is no directory; `file` is None for all but regular files."""

    __slots__ = ("file",)

    def __init__(self, file: File | None) -> None:
        self.file = file


Directory = dict[str, "Directory | Name"]


class Stack:
    """The tree after the layers so far, and every file that any of them brought."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self._root: Directory = {}
        self._layer = 0

    def add(self, layer: int, entries: Sequence[Entry]) -> None:
        """Put a layer on top. Its deepest marks go first, so that their order says nothing."""
        self._layer = layer
        marks = [entry for entry in entries if entry.kind in _MARKS]
        for mark in sorted(marks, key=_depth, reverse=True):
            self._hide(mark)
        for entry in entries:
            self._put(entry)

    def _hide(self, mark: Entry) -> None:
        if mark.kind is Kind.OPAQUE or not mark.path:
            hidden = self._find(mark.path)
            if isinstance(hidden, dict):
                self._clear(hidden)
            return
        above, _, name = mark.path.rpartition("/")
        parent = self._find(above)
        if isinstance(parent, dict) and name in parent:
            self._remove(parent.pop(name), Fate.DELETED)

    def _put(self, entry: Entry) -> None:
        above, _, name = entry.path.rpartition("/")
        if entry.kind in (Kind.DIRECTORY, Kind.OPAQUE):
            self._directory(entry.path)
        elif entry.kind is Kind.WHITEOUT:
            self._directory(above)  # this layer has it, so no lower file is left in its place
        else:
            self._place(entry, above, name)

    def _place(self, entry: Entry, above: str, name: str) -> None:
        file = self._content(entry)
        new = Name(file)
        if file is not None:
            file.names[new] = entry.path
        siblings = self._directory(above)
        old = siblings.get(name)
        siblings[name] = new
        if old is not None:
            self._remove(old, self._fate_under(old, file))

    def _content(self, entry: Entry) -> File | None:
        if entry.kind is Kind.FILE:
            self.files.append(File(self._layer, entry))
            return self.files[-1]
        target = self._find(entry.link) if entry.kind is Kind.HARDLINK else None
        return target.file if isinstance(target, Name) else None

    def _fate_under(self, old: "Directory | Name", new: File | None) -> Fate:
        """What replacing `old` by a name of `new` does to the content that `old` named."""
        file = old.file if isinstance(old, Name) else None
        if file is None or new is None or file.layer == self._layer:
            return Fate.OVERWRITTEN
        return Fate.METADATA if file.same_as(new) else Fate.OVERWRITTEN

    def _find(self, path: str) -> "Directory | Name | None":
        node: Directory | Name | None = self._root
        for name in path.split("/") if path else ():
            if not isinstance(node, dict):
                return None
            node = node.get(name)
        return node

    def _directory(self, path: str) -> Directory:
        """The directory at `path`, made where there is none, over a file where there is one."""
        directory = self._root
        for name in path.split("/") if path else ():
            below = directory.get(name)
            if not isinstance(below, dict):
                if below is not None:
                    self._take(below, Fate.OVERWRITTEN)
                below = directory[name] = {}
            directory = below
        return directory

    def _remove(self, node: "Directory | Name", fate: Fate) -> None:
        if isinstance(node, Name):
            self._take(node, fate)
        else:
            self._clear(node)

    def _clear(self, directory: Directory) -> None:
        """All below dies. No recursion: paths may be deeper than Python's stack."""
        waiting = [directory]
        while waiting:
            emptied = waiting.pop()
            for node in emptied.values():
                if isinstance(node, Name):
                    self._take(node, Fate.DELETED_WITH_DIRECTORY)
                else:
                    waiting.append(node)
            emptied.clear()

    def _take(self, name: Name, fate: Fate) -> None:
        """A name goes, and with the last one its content."""
        file = name.file
        if file is None:
            return
        del file.names[name]
        if not file.names:
            file.fate = fate
            file.killer = self._layer


def _depth(entry: Entry) -> int:
    return entry.path.count("/") + 1 if entry.path else 0
