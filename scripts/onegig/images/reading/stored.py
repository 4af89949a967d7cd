"""A layer that can be read, wherever its bytes are."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1024**2


class ReadableLayer(Protocol):
    """What every kind of layer can tell, whatever reading it takes."""

    @property
    def diff_id(self) -> str:
        """SHA-256 of its tar."""

    @property
    def compressed_bytes(self) -> int | None:
        """What it took on its way here, None where it came uncompressed."""

    def tar(self) -> Iterator[bytes]:
        """Its uncompressed tar, in pieces. Raises InspectError where that is not to be had."""

    def tar_bytes(self) -> int:
        """Length of that tar. Raises InspectError where that is not to be had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLayer:
    """A layer's tar, uncompressed, in a file; `compressed_bytes` of it where it came so."""

    diff_id: str
    path: Path
    compressed_bytes: int | None = None

    def tar(self) -> Iterator[bytes]:
        """The file."""
        with self.path.open("rb") as file:
            yield from iter(partial(file.read, CHUNK_BYTES), b"")

    def tar_bytes(self) -> int:
        """Its length."""
        return self.path.stat().st_size
