"""Images without an engine: a `docker save` or OCI archive, or an OCI layout as a folder.

A file or folder is read twice: its JSON documents first, to learn what images it holds, then its
layers as if an engine sent them. Nothing is believed by its name: layers and documents are known by
the digest of what was read.
"""

import os
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from onegig.engine.images import BASE_LABEL, FROM_REGISTRY, EngineImage
from onegig.errors import InspectError
from onegig.images.layer import CHUNK_BYTES, FAULTS, members, open_tar
from onegig.images.manifests import ArchivedImage, images_of, left_out
from onegig.images.spool import DOCUMENT_LIMIT_BYTES, add_document, open_layer

_ADVICE = "it takes what `docker save` writes, and OCI image layouts as archive or folder"


class Archive:
    """A file or folder as a source of images.

    `references` are what its images are called; `left_out` says what else it lists.
    Raises InspectError when it can't be read or holds no image.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        names, documents = _documents(path)
        try:
            images = images_of(names, documents)
            self.left_out = left_out(names, documents)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InspectError(f"the manifest of {path} is not valid: {error!r}") from error
        self._images = dict(_named(images))
        if not self._images:
            raise InspectError(f"there is no image in {path}", advice=_ADVICE)

    @property
    def references(self) -> tuple[str, ...]:
        """Return the names of the images, as the archive has them."""
        return tuple(self._images)

    @property
    def bases(self) -> str:
        """Return the bases its images were built on, as `Environment.bases` has them."""
        bases = {image.labels.get(BASE_LABEL, FROM_REGISTRY) for image in self._images.values()}
        return ", ".join(sorted(bases))

    def image(self, reference: str) -> EngineImage:
        """Return the image of that name; raise InspectError when there is none."""
        if reference not in self._images:
            raise InspectError(f"there is no image {reference} in {self._path}")
        image = self._images[reference]
        return EngineImage(
            reference=reference,
            image_id=image.config_digest,
            diff_ids=image.diff_ids,
            architecture=image.architecture,
            labels=tuple(sorted(image.labels.items())),
            size_bytes=0,
        )

    @contextmanager
    def save(self, image_ids: Sequence[str]) -> Iterator[IO[bytes]]:
        """Open all of the archive as one tar stream."""
        with _open(self._path) as stream:
            yield stream


def _documents(path: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the JSON documents of an archive: digest by name, content by digest."""
    names: dict[str, str] = {}
    documents: dict[str, bytes] = {}
    try:
        with _open(path) as stream:
            mode = "r:" if stream.seekable() else "r|"  # layers are skipped if that is possible
            with open_tar(stream, mode) as archive:
                for member in members(archive):
                    if member.isreg() and member.size <= DOCUMENT_LIMIT_BYTES:
                        raw = cast(IO[bytes], archive.extractfile(member)).read()
                        add_document(member.name, raw, names, documents)
    except FAULTS as error:
        raise InspectError(f"{path} can't be read: {error}", advice=_ADVICE) from error
    return names, documents


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """Open an archive without compression around it, or a folder as a tar stream."""
    if path.is_dir():
        with _packed(path) as stream:
            yield stream
        return
    with path.open("rb") as file:
        plain = open_layer(file)
        if plain is None:
            raise InspectError(f"{path} is not an archive of images", advice=_ADVICE)
        yield plain


def _named(images: Sequence[ArchivedImage]) -> Iterator[tuple[str, ArchivedImage]]:
    """Yield each image by its first name; by its digest if it has none or shares it."""
    given: set[str] = set()
    for image in images:
        name = image.names[0] if image.names else ""
        if not name or name in given:
            name = f"{name}@{image.config_digest}" if name else image.config_digest
        given.add(name)
        yield name, image


@contextmanager
def _packed(folder: Path) -> Iterator[IO[bytes]]:
    """Open a folder as a tar stream, written while it is read."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with (
            os.fdopen(write_end, "wb") as out,
            tarfile.open(fileobj=out, mode="w|", bufsize=CHUNK_BYTES, dereference=True) as tar,
        ):
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    tar.add(file, arcname=file.relative_to(folder).as_posix())

    with ThreadPoolExecutor(1) as packer:
        with os.fdopen(read_end, "rb") as stream:
            packing = packer.submit(write)
            yield stream
        with suppress(BrokenPipeError):  # the reader had enough
            packing.result()
