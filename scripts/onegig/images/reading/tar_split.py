"""A layer's tar put together again from the engine's folders, byte for byte.

The engine unpacks a layer and keeps, in tar-split.json.gz, all of its tar but the contents of files
(github.com/vbatts/tar-split): headers, padding and the end as pieces, and between them the names of
the files whose content was there. `docker save` does nothing else, but takes five times as long.
Whether the result is the layer is seen by its digest.
"""

import gzip
import json
import os
import zlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegig.errors import InspectError
from onegig.images.reading.archive import CHUNK_BYTES

_FILE, _PIECE = 1, 2  # tar-split's types of entries
_FAULTS = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackedLayer:
    """An unpacked layer: its folder, and what else its tar had."""

    diff_id: str
    folder: Path
    split: Path

    def tar(self) -> Iterator[bytes]:
        """Its tar in pieces. Raises InspectError where the folders lack what they should have."""
        try:
            for part in _parts(self.split):
                if isinstance(part, bytes):
                    yield part
                else:
                    yield from _content(self.folder, part)
        except _FAULTS as error:
            raise InspectError(f"layer {self.diff_id} can't be put together: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    name: bytes
    size: int


def _parts(split: Path) -> Iterator[bytes | _File]:
    with gzip.open(split) as lines:
        for line in lines:
            part = json.loads(line)
            if part["type"] == _PIECE:
                yield b64decode(part["payload"] or "")
            elif part["type"] == _FILE and part.get("size"):
                yield _File(name=_name(part), size=part["size"])


def _name(part: dict[str, Any]) -> bytes:
    """A file's name; in `name_raw` where it is not UTF-8."""
    return b64decode(part["name_raw"]) if part.get("name_raw") else part["name"].encode()


def _content(folder: Path, file: _File) -> Iterator[bytes]:
    descriptor = os.open(os.fsencode(folder) + b"/" + file.name, _READ)
    try:
        left = file.size
        while left and (chunk := os.read(descriptor, min(left, CHUNK_BYTES))):
            yield chunk
            left -= len(chunk)
    finally:
        os.close(descriptor)
    if left:
        raise OSError(f"{os.fsdecode(file.name)} is too short")
