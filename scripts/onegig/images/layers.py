"""A layer's bytes on disk and on the wire, its chain id and the instruction that made it."""

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onegig.images.archive import CHUNK_BYTES, StoredLayer, layer_members
from onegig.images.records import LayerRecord
from onegig.model.images import Layer

GZIP_LEVEL = 6
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_SHELL = re.compile(r"^(?:\|\d+ .*?)?/bin/sh -c +")


def measure_layer(layer: StoredLayer) -> LayerRecord:
    """Size and compressed size of a layer. Raises InspectError when it cannot be read."""
    return LayerRecord(
        size_bytes=content_bytes(layer), compressed_bytes=compressed_bytes(layer.path)
    )


def content_bytes(layer: StoredLayer) -> int:
    """Bytes of the layer's regular files; a hard link adds nothing to the file it names.

    This is the engine's own count (`docker history`, `docker image inspect`) for layers it built.
    For layers it pulled, loaded or imported it walks the unpacked folder instead and adds the
    length of every symbolic link's target: 4,894 bytes for Alpine's 300 busybox links. The same
    layer must not change its size with the way it came, so the targets stay out here. The
    containerd image store reports disk blocks plus compressed blobs, which is neither.
    """
    return sum(member.size for _, member in layer_members(layer) if member.isreg())


def compressed_bytes(path: Path) -> int:
    """Size of the file after gzip -6, about what a registry stores and a pull moves."""
    gzip = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
    total = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total += len(gzip.compress(chunk))
    return total + len(gzip.flush())


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
