"""What the engine and a Dockerfile tell about the base of an image.

Of an image that is built here, the Dockerfile names the base. Where the engine has that, its layers
decide. BuildKit does not leave an image behind for what it pulls itself; then its own instructions
must do.

Of any other image only this is taken for a base: an image that a registry has (what was only built
here may be a stage or an earlier version of the very image), that has another name, is no younger,
no larger, and whose labels it has all inherited; and what a label names as the base (OCI
image-spec, annotations). Both count only where they go further than the guess: an image on Python's
is on Debian's, too, and only the latter may be here.
"""

from collections.abc import Iterator, Sequence

from onegig.dockerfiles.base_image import BuildFile, read_base
from onegig.engine.bases import Bases
from onegig.engine.names import familiar, names_of, repository
from onegig.images.base_layers import NOTHING_KNOWN, Evidence
from onegig.images.reading.source import EngineImage

NAME_LABEL = "org.opencontainers.image.base.name"
DIGEST_LABEL = "org.opencontainers.image.base.digest"


def base_evidence(image: EngineImage, file: BuildFile | None, bases: Bases) -> Evidence:
    """What is known of where the image's base ends; `file` is what it was built from."""
    if file is None:
        return _of_any(image, bases)
    base = read_base(file, image.architecture)
    if base is None:
        return NOTHING_KNOWN
    if familiar(base.reference) == familiar(image.reference):  # built on its own last version
        return Evidence(added=base.added)
    found = [name for name in names_of(base.reference) if bases.diff_ids(name)]
    for name in found:
        if _are_lowest(bases.diff_ids(name), image):
            return Evidence(layers=len(bases.diff_ids(name)))
    return Evidence(history=bases.history(found[0]) if found else (), added=base.added)


def _of_any(image: EngineImage, bases: Bases) -> Evidence:
    found = (
        len(diff_ids)
        for diff_ids in map(bases.diff_ids, _candidates(image, bases))
        if _are_lowest(diff_ids, image) and len(diff_ids) < len(image.diff_ids)
    )
    return Evidence(at_least=max(found, default=0))


def _candidates(image: EngineImage, bases: Bases) -> Iterator[str]:
    """Images that may be below another one, by reference or id."""
    labels = dict(image.labels)
    if labels.get(NAME_LABEL):
        yield from names_of(labels[NAME_LABEL])
        if labels.get(DIGEST_LABEL):
            yield f"{repository(labels[NAME_LABEL])}@{labels[DIGEST_LABEL]}"
    listed = bases.listed()
    own = [one for one in listed if one.image_id == image.image_id]
    names = {repository(name) for one in own for name in one.names}
    names.add(repository(image.reference))
    for one in listed:
        younger = any(one.created_seconds > known.created_seconds for known in own)
        named_alike = any(repository(name) in names for name in one.names)
        inherited = one.labels <= labels.keys() and one.size_bytes <= image.size_bytes
        if one.in_registry and inherited and not younger and not named_alike:
            yield one.image_id


def _are_lowest(diff_ids: Sequence[str], image: EngineImage) -> bool:
    """Whether these are the image's lowest layers; all of them where the Dockerfile adds none."""
    return bool(diff_ids) and image.diff_ids[: len(diff_ids)] == tuple(diff_ids)
