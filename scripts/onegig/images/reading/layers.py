"""The layers of an image: their chain ids and the instructions that made them. Pure."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from onegig.images.records import LayerRecord
from onegig.model.images import Layer

_SHELL = re.compile(r"^(?:\|\d+ .*?)?/bin/sh -c +")


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
