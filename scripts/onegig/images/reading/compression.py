"""Layers come plain, gzipped or zstd-compressed; told apart by content, never by name."""

import gzip
import tarfile
import zlib
from io import BufferedReader
from typing import IO, cast

import zstandard

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
FAULTS = (EOFError, OSError, zlib.error, zstandard.ZstdError, tarfile.TarError)
"""What reading a damaged stream or tar raises."""


def open_layer(stream: BufferedReader) -> IO[bytes] | None:
    """A reader of the plain tar behind `stream`, or None when it is no layer at all."""
    head = stream.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
    if head.startswith(GZIP_MAGIC):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if head.startswith(ZSTD_MAGIC):
        return _open_zstd(stream)
    return stream if _is_tar(head) else None


def _open_zstd(stream: BufferedReader) -> IO[bytes]:
    return zstandard.ZstdDecompressor().stream_reader(
        cast(IO[bytes], stream), read_across_frames=True, closefd=False
    )


def _is_tar(head: bytes) -> bool:
    """Whether a block is a tar header with a valid checksum, or the end mark of an empty tar."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # missing in typeshed
        return True
    except tarfile.HeaderError:
        return False
    return True
