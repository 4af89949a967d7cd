"""Number of an image's lowest layers that came with FROM: known from its base, or guessed.

The Dockerfile of an image that is built here names the base. Where the engine has that, its layers
decide; where the engine has it in another version, its history is how the image's begins, or the
Dockerfile's own instructions are how it ends. (BuildKit leaves no image behind for what it pulls.)

Below any other image only these count, and only if they go further than the guess, as an image
on Python's is on Debian's, too: an image that a registry has (what was only built here may be a
stage or an earlier version of the very image), that has another name, is no younger, no larger, and
whose labels are all inherited; and what a label names as the base (OCI image-spec, annotations).

A wrong base is worse than the guess, and one that is too long is worse than one that is too short:
of two that differ the shorter holds.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from difflib import SequenceMatcher
from typing import Any

from onegig.dockerfiles.parse import ALIKE, copies_everything, guess_base_layers
from onegig.dockerfiles.stages import BuildFile, read_base
from onegig.engine.images import EngineImage, Images
from onegig.images.manifests import instructions

NAME_LABEL = "org.opencontainers.image.base.name"
DIGEST_LABEL = "org.opencontainers.image.base.digest"
_DOCKER_HUB = ("docker.io/", "library/")
_VERSIONS = re.compile(r"[0-9a-f]{7,}|\d+")  # what differs between two versions of one base
_COPIES = ("COPY ", "ADD ", "WORKDIR ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The evidence of where an image's base ends.

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
        """Return a name for the cache of images: "" if nothing is known."""
        if self == NOTHING_KNOWN:
            return ""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()


NOTHING_KNOWN = Evidence()


def base_evidence(image: EngineImage, file: BuildFile | None, bases: Images) -> Evidence:
    """Return the evidence for the image's base; `file` is the Dockerfile it was built from."""
    if file is None:
        below = (bases.diff_ids(name) for name in _candidates(image, bases))
        lengths = (len(ids) for ids in below if ids != image.diff_ids and _are_lowest(ids, image))
        return Evidence(at_least=max(lengths, default=0))
    base = read_base(file, image.architecture)
    if base is None:
        return NOTHING_KNOWN
    if familiar(base.reference) == familiar(image.reference):  # built on its own last version
        return Evidence(added=base.added)
    names = [name for name in names_of(base.reference) if bases.diff_ids(name)]
    for name in names:
        if _are_lowest(bases.diff_ids(name), image):
            return Evidence(layers=len(bases.diff_ids(name)))
    return Evidence(history=bases.history(names[0]) if names else (), added=base.added)


def count_base_layers(evidence: Evidence, history: Sequence[Mapping[str, Any]], layers: int) -> int:
    """Return how many of the `layers` came with FROM; `history` is the config's, oldest first."""
    if evidence.layers is not None:
        return min(evidence.layers, layers)
    made_by = instructions(history, layers)
    guess = guess_base_layers(made_by)
    if not any(made_by):
        return guess
    known = (_below(evidence.history, history), _above(evidence.added, made_by))
    if any(known):
        return min(filter(None, known))
    if any(map(copies_everything, made_by[guess : evidence.at_least])):  # an application
        return guess
    return max(guess, min(evidence.at_least, layers))


def names_of(reference: str) -> Iterator[str]:
    """Yield the names an engine may know an image by: the digest first, as a tag may move on."""
    yield reference
    name, at, digest = reference.partition("@")
    if at and ":" in name.rpartition("/")[2]:
        yield f"{repository(name)}@{digest}"
        yield name


def familiar(reference: str) -> str:
    """Return name and tag, the way a person would write them."""
    name = reference.partition("@")[0]
    for prefix in _DOCKER_HUB:
        name = name.removeprefix(prefix)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def repository(reference: str) -> str:
    """Return the name without tag and digest."""
    return familiar(reference).rpartition(":")[0]


def _candidates(image: EngineImage, bases: Images) -> Iterator[str]:
    """Yield images that may be below another one, by reference or id."""
    labels = dict(image.labels)
    if labels.get(NAME_LABEL):
        yield from names_of(labels[NAME_LABEL])
        if labels.get(DIGEST_LABEL):
            yield f"{repository(labels[NAME_LABEL])}@{labels[DIGEST_LABEL]}"
    own = [listed for listed in bases.listed if listed.image_id == image.image_id]
    names = {repository(name) for listed in own for name in listed.names}
    names.add(repository(image.reference))
    for listed in bases.listed:
        younger = any(listed.created_seconds > known.created_seconds for known in own)
        named_alike = any(repository(name) in names for name in listed.names)
        inherited = listed.labels <= labels.keys() and listed.size_bytes <= image.size_bytes
        if listed.in_registry and inherited and not younger and not named_alike:
            yield listed.image_id


def _are_lowest(diff_ids: Sequence[str], image: EngineImage) -> bool:
    return bool(diff_ids) and image.diff_ids[: len(diff_ids)] == tuple(diff_ids)


def _below(base: Sequence[str], history: Sequence[Mapping[str, Any]]) -> int:
    """Count the layers of the entries that read like the base's, or 0 if they do not."""
    lowest = history[: len(base)]
    # versions, dates and digests may differ
    shapes = [_VERSIONS.sub("#", str(entry.get("created_by") or "")) for entry in lowest]
    if not all(shapes) or shapes != [_VERSIONS.sub("#", entry) for entry in base]:
        return 0
    return sum(not entry.get("empty_layer") for entry in lowest)


def _above(added: Sequence[str], made_by: Sequence[str]) -> int:
    """Count the layers below those that the Dockerfile's instructions made; 0 without a match."""
    base = len(made_by) - len(added)
    if not added or base < 1:
        return 0
    return base if all(map(_made_by, added, made_by[base:])) else 0


def _made_by(instruction: str, layer: str) -> bool:
    """Return whether an instruction's words are those of a layer, in their order.

    The history has more: the shell and its arguments before a RUN, flags, a whole path for WORKDIR.
    """
    name, *words = instruction.split()
    alike = layer.upper().startswith(_COPIES if name == "RUN" else f"{name} ")
    if alike == (name == "RUN"):
        return False
    if name == "WORKDIR" or not words:
        return True
    blocks = SequenceMatcher(a=words, b=layer.split(), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= ALIKE * len(words)
