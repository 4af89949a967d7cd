"""Entries of layers, in a word each."""

from onegig.images.layer import Entry, Kind


def file(path: str, size: int = 1, content: str = "1") -> Entry:
    """A regular file; equal `content` and size mean the same content."""
    return Entry(path=path, kind=Kind.FILE, size=size, digest=content.encode())


def directory(path: str) -> Entry:
    return Entry(path=path, kind=Kind.DIRECTORY)


def symlink(path: str, target: str = "elsewhere") -> Entry:
    return Entry(path=path, kind=Kind.SYMLINK, link=target)


def hardlink(path: str, target: str) -> Entry:
    return Entry(path=path, kind=Kind.HARDLINK, link=target)


def device(path: str) -> Entry:
    return Entry(path=path, kind=Kind.OTHER)


def whiteout(path: str) -> Entry:
    return Entry(path=path, kind=Kind.WHITEOUT)


def opaque(path: str) -> Entry:
    return Entry(path=path, kind=Kind.OPAQUE)
