"""How many of an image's lowest layers came with FROM, from what is known of its base. Pure.

In this order: the base is on the engine, and its layers are the image's lowest; the base is on the
engine in another version, and its history is how the image's begins, or the Dockerfile's own
instructions are how it ends; a guess from the history alone. A wrong base is worse than the guess,
and one that is too long is worse than one that is too short: of two that differ the shorter holds.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from difflib import SequenceMatcher
from typing import Any

from onegig.dockerfiles.dockerfile import ALIKE
from onegig.dockerfiles.instructions import copies_everything, guess_base_layers
from onegig.images.reading.layers import instructions

_VERSIONS = re.compile(r"[0-9a-f]{7,}|\d+")  # what differs between two versions of one base
_COPIES = ("COPY ", "ADD ", "WORKDIR ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What is known of where an image's base ends.

    `layers` came with FROM, for sure. Else: `history` is how the base's own one reads, oldest entry
    first; `added` are the Dockerfile's instructions above it that make a layer each; `at_least` so
    many layers are another image that was pulled.
    """

    layers: int | None = None
    history: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    at_least: int = 0

    @property
    def key(self) -> str:
        """Names it, for what is kept of images: "" where nothing is known."""
        if self == NOTHING_KNOWN:
            return ""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()


NOTHING_KNOWN = Evidence()


def count_base_layers(evidence: Evidence, history: Sequence[Mapping[str, Any]], layers: int) -> int:
    """So many of an image's `layers` came with FROM; `history` is its config's, oldest first."""
    if evidence.layers is not None:
        return min(evidence.layers, layers)
    made_by = instructions(history, layers)
    if not any(made_by):
        return guess_base_layers(made_by)
    told = (_below(evidence.history, history), _above(evidence.added, made_by))
    return min(filter(None, told), default=0) or _guess(evidence.at_least, made_by)


def _below(base: Sequence[str], history: Sequence[Mapping[str, Any]]) -> int:
    """The layers of the entries that read like the base's; 0 where they do not."""
    lowest = history[: len(base)]
    read = [_shape(str(entry.get("created_by") or "")) for entry in lowest]
    if not all(read) or read != [_shape(entry) for entry in base]:
        return 0
    return sum(not entry.get("empty_layer") for entry in lowest)


def _shape(entry: str) -> str:
    """An entry without versions, dates and digests."""
    return _VERSIONS.sub("#", entry)


def _above(added: Sequence[str], made_by: Sequence[str]) -> int:
    """The layers below those that the Dockerfile's instructions made; 0 where they did not."""
    base = len(made_by) - len(added)
    if not added or base < 1:
        return 0
    fits = all(_is_of(one, layer) for one, layer in zip(added, made_by[base:], strict=True))
    return base if fits else 0


def _is_of(instruction: str, layer: str) -> bool:
    """Whether the words of an instruction are those of a layer, in their order.

    The history has more: the shell and its arguments before a RUN, flags, a whole path for WORKDIR.
    """
    name, *words = instruction.split()
    if name == "RUN":
        if layer.upper().startswith(_COPIES):
            return False
    elif not layer.upper().startswith(f"{name} "):
        return False
    if name == "WORKDIR" or not words:
        return True
    blocks = SequenceMatcher(a=words, b=layer.split(), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= ALIKE * len(words)


def _guess(at_least: int, made_by: Sequence[str]) -> int:
    """The guess, or the pulled image where that goes further and has no whole folder copied in."""
    guess = guess_base_layers(made_by)
    if any(map(copies_everything, made_by[guess:at_least])):
        return guess
    return max(guess, min(at_least, len(made_by)))
