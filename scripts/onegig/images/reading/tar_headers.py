"""A tar's entries by their headers alone, in one pass and without keeping any.

Python's tarfile takes 27 µs for a header, which is most of the time for an image of many small
files. So what nearly every header looks like is read here, and whatever is unusual (sparse files,
old formats, a checksum that does not fit) goes to tarfile, whose word is final. In two points this
goes by the engine instead: a tar that turns into something else on its way is damaged and has not
just ended, and global headers change nothing.
"""

import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

BLOCK = tarfile.BLOCKSIZE
REGULAR = tarfile.REGTYPE
DIRECTORY = tarfile.DIRTYPE
SYMLINK = tarfile.SYMTYPE
HARDLINK = tarfile.LNKTYPE
_FORMATS = (b"ustar\x0000", b"ustar  \x00")  # POSIX, GNU
_PLAIN = frozenset(b"0123456")  # file, hard link, symlink, two kinds of device, directory, fifo
_LONG = {ord("L"): "path", ord("K"): "linkpath"}
_EXTENDED, _GLOBAL = ord("x"), ord("g")
_ODD_RECORDS = (b"GNU.sparse.", b"hdrcharset=")
_RECORD = re.compile(rb"(\d+) ([^=]+)=")
_EXTENSION_LIMIT_BYTES = 1024**2  # Go's, and so the engine's
_ADLER = 65521

ReadAt = Callable[[int, int], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """One entry: its names as the tar has them, its size as the file reads.

    `offset` is where the data begin. `pieces`: a sparse file's as (place, length), whose data lie
    end to end. `kind` is one of tarfile's types.
    """

    name: str
    kind: bytes
    size: int
    link: str
    offset: int
    pieces: tuple[tuple[int, int], ...] | None = None


def headers(tar: IO[bytes]) -> Iterator[Header]:
    """All entries of an uncompressed tar file. Raises tarfile.TarError where it is damaged."""
    descriptor = tar.fileno()
    end = os.fstat(descriptor).st_size
    offset = 0

    def read_at(place: int, size: int) -> bytes:
        return os.pread(descriptor, size, place)

    while True:
        offset = _after_globals(read_at, offset)
        found = _usual(read_at, offset) or _by_tarfile(tar, offset)
        if found is None:
            _expect_end(read_at(offset, BLOCK))
            return
        header, offset = found
        if offset > end:
            raise tarfile.ReadError("unexpected end of data")
        yield header


def header_of(blocks_: bytes) -> Header | None:
    """The one entry that these blocks announce, extensions included; None where it is unusual.

    Its `offset` is the end of the blocks.
    """
    found = _usual(lambda place, size: blocks_[place : place + size], 0)
    return found[0] if found and found[0].offset == len(blocks_) else None


def _after_globals(read_at: ReadAt, offset: int) -> int:
    while True:
        block = read_at(offset, BLOCK)
        if not _is_sound(block) or block[156] != _GLOBAL:
            return offset
        offset += BLOCK + blocks(_octal(block[124:136]) or 0)


def _usual(read_at: ReadAt, offset: int) -> tuple[Header, int] | None:
    """The entry at `offset` and the place of the next one; None for what is not usual."""
    block = read_at(offset, BLOCK)
    names: dict[str, str] = {}
    size = None
    while len(block) == BLOCK and block[156] not in _PLAIN:
        extension = _extension(block, read_at, offset)
        if extension is None or (names and block[156] == _EXTENDED):
            return None
        found, size, offset = extension
        names = found | names
        block = read_at(offset, BLOCK)
        if block[156:157] == b"x":
            return None
    if not _is_sound(block):
        return None
    return _plain(block, offset + BLOCK, names, size)


def _extension(
    block: bytes, read_at: ReadAt, offset: int
) -> tuple[dict[str, str], int | None, int] | None:
    """(names, size, place of what is extended) of a PAX header or a GNU long name."""
    if not _is_sound(block):
        return None
    length = _octal(block[124:136])
    if length is None or length > _EXTENSION_LIMIT_BYTES:
        return None
    body = read_at(offset + BLOCK, length)
    after = offset + BLOCK + blocks(length)
    if block[156] in _LONG:
        return {_LONG[block[156]]: text_of(body)}, None, after
    if block[156] != _EXTENDED or any(record in body for record in _ODD_RECORDS):
        return None
    records = _records(body)
    if records is None:
        return None
    names = {key: text for key, text in records.items() if key in ("path", "linkpath")}
    if "\0" in "".join(names.values()):
        return None
    size = records.get("size")
    if size is not None and not size.isdecimal():
        return None
    return names, None if size is None else int(size), after


def _records(body: bytes) -> dict[str, str] | None:
    records, place = {}, 0
    while match := _RECORD.match(body, place):
        length = int(match[1])
        if not match.end() - place < length <= len(body) - place:
            return None
        value = body[match.end() : place + length - 1]
        records[match[2].decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        place += length
    return records if place == len(body) else None


def _plain(
    block: bytes, offset: int, names: dict[str, str], longer: int | None
) -> tuple[Header, int] | None:
    size = _octal(block[124:136]) if longer is None else longer
    prefix = block[345]
    if size is None or (prefix and block[257:265] != _FORMATS[0]):
        return None
    name = names.get("path")
    if name is None:
        name = text_of(block[:100])
        if prefix:
            name = f"{text_of(block[345:500])}/{name}"
    link = names.get("linkpath")
    if link is None:
        link = text_of(block[157:257])
    kind = block[156:157]
    following = offset + blocks(size) if kind == REGULAR else offset
    return Header(name=name, kind=kind, size=size, link=link, offset=offset), following


def _is_sound(block: bytes) -> bool:
    """A header of a known format whose checksum fits (by Adler-32, which begins with that sum)."""
    if len(block) != BLOCK or block[257:265] not in _FORMATS:
        return False
    checksum = _octal(block[148:156])
    summed = zlib.adler32(block[:148] + b"        " + block[156:]) & 0xFFFF
    return checksum is not None and (checksum + 1) % _ADLER == summed


def _octal(field: bytes) -> int | None:
    digits = field.split(b"\0", 1)[0].strip()
    return int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else None


def text_of(field: bytes) -> str:
    """A field of a header, which ends with NUL unless it is full."""
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def blocks(size: int) -> int:
    """Bytes that `size` bytes of data take in a tar."""
    return -(-size // BLOCK) * BLOCK


def _by_tarfile(tar: IO[bytes], offset: int) -> tuple[Header, int] | None:
    """The entry at `offset` and the place of the next one; None where tarfile sees the end."""
    tar.seek(offset)
    with tarfile.open(
        fileobj=tar, mode="r:", encoding="utf-8", errors="surrogateescape"
    ) as archive:
        member = archive.next()
        return None if member is None else (_told(member), archive.offset)


def _told(member: tarfile.TarInfo) -> Header:
    if "\0" in member.name + member.linkname:  # only PAX can say it, no file system can have it
        raise tarfile.ReadError("a name with a NUL")
    pieces: Sequence[tuple[int, int]] | None = getattr(member, "sparse", None)
    return Header(
        name=member.name,
        kind=REGULAR if member.isreg() else member.type,
        size=member.size,
        link=member.linkname,
        offset=member.offset_data,
        pieces=None if pieces is None else tuple(one for one in pieces if one[1]),
    )


def _expect_end(block: bytes) -> None:
    if block.strip(b"\0"):
        raise tarfile.ReadError("what follows the last entry is no header")
