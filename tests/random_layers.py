"""Layers as no builder would make them all at once: few names, so that everything collides."""

import io
import tarfile
from collections.abc import Sequence
from random import Random

from onegig.images.layer import Entry, Kind, LayerIndex

# Before and after ".wh." in the order of bytes; not ASCII, not UTF-8; longer than a tar's field.
NAMES = ("a", "b", "c", "d", "-x", "+", ".a", ".z", "a.b", "é", "\udcff", "\uffff", "n" * 120)
CONTENTS = (b"1", b"2")
SIZES = (0, 1, 512, 9999)
TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.HARDLINK: tarfile.LNKTYPE,
    Kind.OTHER: tarfile.FIFOTYPE,
    Kind.WHITEOUT: tarfile.REGTYPE,
    Kind.OPAQUE: tarfile.REGTYPE,
}


def random_layers(random: Random, *, most_layers: int = 6) -> list[list[Entry]]:
    """An image's layers, lowest first: half of the images in order, half as made carelessly."""
    names = random.sample(NAMES, random.randint(2, len(NAMES)))
    careful = random.random() < 0.5
    layers: list[list[Entry]] = []
    known = [""]
    for _ in range(max(random.randint(1, most_layers), random.randint(1, most_layers))):
        layer: list[Entry] = []
        lower = list(known)
        for _ in range(random.choice((0, 1, 4, 12, 25))):
            layer += _step(random, names, known, layer)
        if careful:
            layer = [entry for entry in layer if _is_orderly(entry, lower)]
        elif random.random() < 0.5:
            random.shuffle(layer)
        layers.append(layer)
        removed = {entry.path for entry in layer if entry.kind is Kind.WHITEOUT}
        known = [path for path in known if not removed & _at_and_above(path)]
        known += [entry.path for entry in layer if entry.kind is not Kind.WHITEOUT]
    return layers


def _step(
    random: Random, names: Sequence[str], known: list[str], layer: list[Entry]
) -> list[Entry]:
    path = _path(random, names, known)
    kind = random.choices(list(Kind), weights=(9, 3, 1, 2, 1, 3, 1))[0]
    if kind in (Kind.WHITEOUT, Kind.OPAQUE):
        aim = path if random.random() < 0.1 else _aim(random, known)
        return [Entry(path=aim, kind=kind)] if aim or kind is Kind.OPAQUE else []
    if not path:
        return []
    parents = _parents(path) if random.random() < 0.6 else []
    if kind is Kind.FILE:
        return [*parents, _file(random, path)]
    if kind is Kind.HARDLINK:
        own = [entry.path for entry in layer if entry.kind is Kind.FILE]
        target = random.choice(own) if own and random.random() < 0.8 else random.choice(known)
        return [*parents, Entry(path=path, kind=kind, link=target)]
    return [*parents, Entry(path=path, kind=kind, link="a" if kind is Kind.SYMLINK else "")]


def _path(random: Random, names: Sequence[str], known: list[str]) -> str:
    if random.random() < 0.5:
        return random.choice(known)
    return "/".join(random.choices(names, k=random.randint(1, 4)))


def _aim(random: Random, known: list[str]) -> str:
    """A path seen before or one of the directories above it."""
    parts = random.choice(known).split("/")
    return "/".join(parts[: max(random.randint(1, len(parts)), random.randint(1, len(parts)))])


def _is_orderly(entry: Entry, lower: list[str]) -> bool:
    """Whether it is no whiteout of something that no lower layer has."""
    return entry.kind is not Kind.WHITEOUT or any(
        entry.path in _at_and_above(path) for path in lower
    )


def _at_and_above(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[: depth + 1]) for depth in range(len(parts))}


def _file(random: Random, path: str) -> Entry:
    size, content = random.choice(SIZES), random.choice(CONTENTS)
    return Entry(path=path, kind=Kind.FILE, size=size, digest=content if size else b"0")


def _parents(path: str) -> list[Entry]:
    parts = path.split("/")[:-1]
    return [
        Entry(path="/".join(parts[: depth + 1]), kind=Kind.DIRECTORY) for depth in range(len(parts))
    ]


def as_index(layers: Sequence[Sequence[Entry]]) -> list[LayerIndex]:
    """The layers as the index of a tar would have them."""
    return [
        LayerIndex(diff_id=f"sha256:{place}", entries=tuple(entries), contents={})
        for place, entries in enumerate(layers)
    ]


def as_tar(entries: Sequence[Entry], form: int = tarfile.GNU_FORMAT) -> bytes:
    """The layer's tar; the content of a file repeats the first byte of its digest."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as tar:
        for entry in entries:
            tar.addfile(_member(entry), io.BytesIO(entry.digest[:1] * entry.size))
    return out.getvalue()


def _member(entry: Entry) -> tarfile.TarInfo:
    above, slash, name = entry.path.rpartition("/")
    path = entry.path
    if entry.kind is Kind.WHITEOUT:
        path = f"{above}{slash}.wh.{name}"
    if entry.kind is Kind.OPAQUE:
        path = f"{path}/.wh..wh..opq".lstrip("/")
    member = tarfile.TarInfo(path)
    member.type = TYPES[entry.kind]
    member.linkname = entry.link
    member.size = entry.size
    return member
