"""A layer's index as few bytes: columns of like values, zstd-compressed, with a checksum.

20,000 entries take about 500 kB, nearly all of it digests or checksums, and paths. What can't be
decoded to the last byte is no index at all.
"""

import struct
from collections.abc import Iterator, Sequence

import zstandard

from onegig.images.layer import Entry, Kind, LayerIndex

MAGIC = b"onegig-index/2\n"
DIGEST_BYTES = 16
CHECKSUM_BYTES = 8
LIMIT_BYTES = 1024**3  # decoded: more than any index has
_LENGTH = struct.Struct("<Q")
_KINDS = tuple(Kind)


def encode(index: LayerIndex) -> bytes:
    """The index as bytes."""
    entries = index.entries
    columns = (
        index.diff_id.encode(),
        bytes(entry.kind for entry in entries),
        _texts([entry.path for entry in entries]),
        _texts([entry.link for entry in entries]),
        _numbers([entry.size for entry in entries]),
        bytes(bool(entry.digest) for entry in entries),
        b"".join([entry.digest for entry in entries]),
        bytes(bool(entry.checksum) for entry in entries),
        b"".join([entry.checksum for entry in entries]),
        _texts(list(index.contents)),
        _numbers([len(content) for content in index.contents.values()]),
        b"".join(index.contents.values()),
    )
    raw = b"".join(_LENGTH.pack(len(column)) + column for column in columns)
    return MAGIC + zstandard.ZstdCompressor(level=3, write_checksum=True).compress(raw)


def decode(data: bytes) -> LayerIndex:
    """What `encode` was given. Raises ValueError for anything that it did not write."""
    if not data.startswith(MAGIC):
        raise ValueError("not an index of this version")
    try:
        raw = zstandard.ZstdDecompressor().decompress(data[len(MAGIC) :], LIMIT_BYTES)
        return _index(*_columns(raw))
    except (zstandard.ZstdError, struct.error, IndexError, TypeError, MemoryError) as error:
        raise ValueError(f"a damaged index: {error}") from error


def _index(
    diff_id: bytes,
    kinds: bytes,
    paths: bytes,
    links: bytes,
    sizes: bytes,
    has_digest: bytes,
    digests: bytes,
    has_checksum: bytes,
    checksums: bytes,
    names: bytes,
    lengths: bytes,
    contents: bytes,
) -> LayerIndex:
    return LayerIndex(
        diff_id=diff_id.decode(),
        entries=tuple(
            Entry(
                path=path,
                kind=_KINDS[kind],
                size=size,
                digest=digest,
                link=link,
                checksum=checksum,
            )
            for path, kind, size, digest, link, checksum in zip(
                _split(paths, len(kinds)),
                kinds,
                _unpack(sizes),
                _pieces(digests, [DIGEST_BYTES * has for has in has_digest]),
                _split(links, len(kinds)),
                _pieces(checksums, [CHECKSUM_BYTES * has for has in has_checksum]),
                strict=True,
            )
        ),
        contents=dict(
            zip(
                _split(names, len(lengths) // _LENGTH.size),
                _pieces(contents, _unpack(lengths)),
                strict=True,
            )
        ),
    )


def _columns(raw: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(raw):
        (length,) = _LENGTH.unpack_from(raw, place)
        place += _LENGTH.size + length
        yield raw[place - length : place]
    if place != len(raw):
        raise ValueError("it ends early")


def _texts(texts: Sequence[str]) -> bytes:
    """Texts without NUL, which no path of a file system has."""
    return "\0".join(texts).encode("utf-8", "surrogateescape")


def _split(column: bytes, count: int) -> Sequence[str]:
    return column.decode("utf-8", "surrogateescape").split("\0") if count else ()


def _numbers(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def _unpack(column: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(column) // _LENGTH.size}Q", column)


def _pieces(column: bytes, lengths: Sequence[int]) -> Sequence[bytes]:
    pieces, place = [], 0
    for length in lengths:
        pieces.append(column[place : place + length])
        place += length
    if place != len(column):
        raise ValueError("its columns do not fit")
    return pieces
