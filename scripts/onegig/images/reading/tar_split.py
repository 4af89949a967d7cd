"""An unpacked layer in the engine's folders, and its tar put together again, byte for byte.

The engine unpacks a layer and keeps, in tar-split.json.gz, all of its tar but the contents of files
(github.com/vbatts/tar-split): headers, padding and the end as pieces, and between them the name,
size and CRC-64 of each file whose content was there. `docker save` puts tars together of nothing
else, but takes five times as long. Whether the result is the layer is seen by its digest.
"""

import os
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic_core
from zlib_ng import zlib_ng

from onegig.errors import InspectError
from onegig.images.reading.stored import CHUNK_BYTES

FILE, PIECE = 1, 2  # tar-split's types of parts
_DAMAGED: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # wrong in its stubs
FAULTS = (OSError, EOFError, _DAMAGED, ValueError, KeyError, TypeError)
"""What reading a layer raises whose folder or tar-split are not as the engine made them."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_GZIP = 31  # zlib's wbits for gzip


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackedLayer:
    """An unpacked layer: its folder, and what else its tar had."""

    diff_id: str
    folder: Path
    split: Path

    @property
    def compressed_bytes(self) -> None:
        """Nothing here is compressed."""

    def tar(self) -> Iterator[bytes]:
        """Its tar in pieces. Raises InspectError where the folders lack what they should have."""
        gathered = bytearray()
        try:
            for part in self.parts():
                if part["type"] == PIECE:
                    gathered += b64decode(part["payload"] or "")
                elif part.get("size"):
                    for chunk in self.content(name_of(part), part["size"]):
                        gathered += chunk
                        if len(gathered) >= CHUNK_BYTES:
                            yield bytes(gathered)
                            gathered.clear()
            yield bytes(gathered)
        except FAULTS as error:
            raise InspectError(f"layer {self.diff_id} can't be put together: {error}") from error

    def tar_bytes(self) -> int:
        """Length of its tar, from what the engine noted. Raises InspectError where it can't."""
        try:
            return sum(
                decoded_length(part["payload"] or "")
                if part["type"] == PIECE
                else part.get("size", 0)
                for part in self.parts()
            )
        except FAULTS as error:
            raise InspectError(f"layer {self.diff_id} can't be put together: {error}") from error

    def parts(self) -> Iterator[dict[str, Any]]:
        """tar-split's parts in order, some of `FAULTS` where they are damaged."""
        unpacker = zlib_ng.decompressobj(_GZIP)
        rest = b""
        with self.split.open("rb") as file:
            while raw := file.read(CHUNK_BYTES // 16):
                lines, _, rest = (rest + unpacker.decompress(raw)).rpartition(b"\n")
                yield from _parsed(lines)
        yield from _parsed(rest)
        if not unpacker.eof:
            raise EOFError("its list of parts ends early")

    def content(self, name: bytes, size: int) -> Iterator[bytes]:
        """A file of the folder. Raises OSError when it is no file of that size."""
        descriptor = os.open(os.fsencode(self.folder) + b"/" + name, _READ)
        try:
            left = size
            while left and (chunk := os.read(descriptor, min(left, CHUNK_BYTES))):
                yield chunk
                left -= len(chunk)
        finally:
            os.close(descriptor)
        if left:
            raise OSError(f"{os.fsdecode(name)} is too short")


def name_of(part: dict[str, Any]) -> bytes:
    """A file's name; in `name_raw` where it is not UTF-8."""
    return b64decode(part["name_raw"]) if part.get("name_raw") else part["name"].encode()


def decoded_length(base64: str) -> int:
    """Bytes behind a base64 text."""
    return len(base64) // 4 * 3 - base64.count("=", -2)


def _parsed(lines: bytes) -> list[dict[str, Any]]:
    if not lines.strip():
        return []
    parts: list[dict[str, Any]] = pydantic_core.from_json(
        b"[" + lines.replace(b"\n", b",") + b"]", cache_strings="keys"
    )
    return parts
