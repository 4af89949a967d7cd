"""A layer's bytes on disk and on the wire, its chain id and the instruction that made it."""

import hashlib
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

from onegig.images.reading.archive import CHUNK_BYTES
from onegig.images.records import LayerRecord
from onegig.model.images import Layer

GZIP_LEVEL = 6
PIECE_BYTES = 32 * CHUNK_BYTES
_WINDOW_BYTES = 32 * 1024
_GZIP_FRAME_BYTES = 18  # header and trailer (RFC 1952)
_SHELL = re.compile(r"^(?:\|\d+ .*?)?/bin/sh -c +")


def compressed_bytes(path: Path) -> int:
    """Size of the file after gzip -6, about what a registry stores and a pull moves.

    This is most of the work of a first inspection. So a long file is compressed in pieces, each
    with the window of the one before it, as pigz does: a few bytes more than gzip in one go.
    """
    starts = range(0, path.stat().st_size, PIECE_BYTES) or range(1)
    with ThreadPoolExecutor(min(len(starts), os.cpu_count() or 1)) as pool:
        pieces = pool.map(_compressed_piece, repeat(path), starts, repeat(starts[-1]))
        return _GZIP_FRAME_BYTES + sum(pieces)


def _compressed_piece(path: Path, start: int, last: int) -> int:
    with path.open("rb") as file:
        file.seek(max(0, start - _WINDOW_BYTES))
        window = file.read(start - file.tell())
        deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=window)
        total, left = 0, PIECE_BYTES
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            total += len(deflate.compress(chunk))
            left -= len(chunk)
    return total + len(deflate.flush(zlib.Z_FINISH if start == last else zlib.Z_SYNC_FLUSH))


def chain_ids(diff_ids: Sequence[str]) -> Iterator[str]:
    """Each layer's chain id: SHA-256 over the chain below and the layer (OCI image-spec)."""
    chain = ""
    for diff_id in diff_ids:
        pair = f"{chain} {diff_id}".encode()
        chain = f"sha256:{hashlib.sha256(pair).hexdigest()}" if chain else diff_id
        yield chain


def layers_of(
    diff_ids: Sequence[str],
    history: Sequence[Mapping[str, Any]],
    measured: Mapping[str, LayerRecord],
) -> tuple[Layer, ...]:
    """The image's layers, lowest first, from its config and what was measured by diff_id."""
    return tuple(
        Layer(
            diff_id=diff_id,
            chain_id=chain_id,
            size_bytes=measured[diff_id].size_bytes,
            compressed_bytes=measured[diff_id].compressed_bytes,
            instruction=instruction,
        )
        for diff_id, chain_id, instruction in zip(
            diff_ids, chain_ids(diff_ids), instructions(history, len(diff_ids)), strict=True
        )
    )


def instructions(history: Sequence[Mapping[str, Any]], layers: int) -> tuple[str, ...]:
    """The instruction behind each layer; empty strings when the history does not fit the layers.

    History is optional, and squashed or hand-made images have one of another length.
    """
    made = [entry for entry in history if not entry.get("empty_layer")]
    if len(made) != layers:
        return ("",) * layers
    return tuple(instruction(entry) for entry in made)


def instruction(entry: Mapping[str, Any]) -> str:
    """A history entry as the Dockerfile had it, without what the builder put around it."""
    text = str(entry.get("created_by") or entry.get("comment") or "")
    text = text.removesuffix(" # buildkit").removeprefix("RUN ").strip()
    shell = _SHELL.match(text)
    if shell is None:
        return text
    command = text[shell.end() :]
    if command.startswith("#(nop)"):
        return command.removeprefix("#(nop)").strip()
    return f"RUN {command}"
