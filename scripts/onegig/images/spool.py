"""Image archives (`docker save`, OCI image layout) read as they stream, in bounded memory.

Every layer lands once in a folder as a plain tar named by its diff_id, whatever the archive called
it and however it was compressed: its diff_id is the SHA-256 of what was written, so an image whose
layers are all there is an image that was read whole. JSON documents are kept in memory.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from http.client import HTTPException
from io import BufferedReader, BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, cast

import urllib3

from onegig.errors import InspectError
from onegig.images.manifests import ArchivedImage, images_of
from onegig.images.reading.compression import FAULTS, open_layer
from onegig.images.reading.stored import CHUNK_BYTES, ReadableLayer, StoredLayer

DOCUMENT_LIMIT_BYTES = 4 * CHUNK_BYTES  # the OCI distribution-spec's limit for manifests

_REASON = re.compile(rb'\{"errorDetail":\{(?:"code":\d+,)?"message":"(.*?)"\}')


class Spool:
    """Takes archives in, one after the other, and keeps each distinct layer once.

    `on_layer` is called for every layer as soon as it is complete, in the thread that reads.
    """

    def __init__(self, directory: Path, on_layer: Callable[[ReadableLayer], None]) -> None:
        self._directory = directory
        self._on_layer = on_layer
        self.layers: dict[str, ReadableLayer] = {}
        self.images: tuple[ArchivedImage, ...] = ()

    def add(self, stream: IO[bytes]) -> None:
        """Read one archive to its end. Raises InspectError when it is damaged or ends early."""
        names: dict[str, str] = {}
        documents: dict[str, bytes] = {}
        try:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK_BYTES) as archive:
                for member in members(archive):
                    if member.isreg():
                        content = cast(BufferedReader, archive.extractfile(member))
                        self._take(member, content, names, documents)
                _expect_end(cast(IO[bytes], archive.fileobj))
            self.images += images_of(names, documents)
        except (*FAULTS, urllib3.exceptions.HTTPError, HTTPException) as error:
            raise _unreadable(error, self._directory) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InspectError(f"the archive's manifest makes no sense: {error!r}") from error

    def put(self, layer: ReadableLayer) -> None:
        """Take a layer that is elsewhere; it is left there."""
        if layer.diff_id not in self.layers:
            self.layers[layer.diff_id] = layer
            self._on_layer(layer)

    def store(self, layer: ReadableLayer) -> StoredLayer:
        """A layer's tar as a file. Raises InspectError when it is not the one of that name."""
        stored = self._store(layer.tar(), None)
        if stored.diff_id != layer.diff_id:
            raise changed(layer.diff_id)
        return stored

    def find(self, image_id: str, diff_ids: tuple[str, ...]) -> ArchivedImage:
        """The image of that digest and those layers; InspectError when it did not come whole."""
        for image in self.images:
            if image_id in image.digests and image.diff_ids == diff_ids:
                break
        else:
            raise InspectError(f"image {image_id} is not in the archive")
        missing = [diff_id for diff_id in diff_ids if diff_id not in self.layers]
        if missing:
            raise InspectError(
                f"layer {missing[0]} is not in the archive, or is damaged",
                advice="build or pull the image again",
            )
        return image

    def _take(
        self,
        member: tarfile.TarInfo,
        content: BufferedReader,
        names: dict[str, str],
        documents: dict[str, bytes],
    ) -> None:
        layer = open_layer(content)
        if layer is not None:
            chunks = iter(partial(layer.read, CHUNK_BYTES), b"")
            self._keep(chunks, None if layer is content else member.size)
        elif member.size <= DOCUMENT_LIMIT_BYTES:
            raw = content.read()
            if _is_json(raw):
                digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
                names[member.name.removeprefix("./")] = digest
                documents[digest] = raw

    def _keep(self, tar: Iterable[bytes], compressed_bytes: int | None) -> None:
        layer = self._store(tar, compressed_bytes)
        if layer.diff_id not in self.layers:
            self.layers[layer.diff_id] = layer
            self._on_layer(layer)

    def _store(self, tar: Iterable[bytes], compressed_bytes: int | None) -> StoredLayer:
        digest = hashlib.sha256()
        with NamedTemporaryFile(dir=self._directory, delete=False) as file:
            for chunk in tar:
                digest.update(chunk)
                file.write(chunk)
        path = Path(file.name).replace(self._directory / f"{digest.hexdigest()}.tar")
        return StoredLayer(
            diff_id=f"sha256:{digest.hexdigest()}", path=path, compressed_bytes=compressed_bytes
        )


def changed(diff_id: str) -> InspectError:
    """A layer whose bytes are not the ones it is named by."""
    return InspectError(
        f"layer {diff_id} has been changed since it was made",
        advice="build or pull the image again",
    )


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Every member of a tar in order, each dropped from memory once passed."""
    while (member := archive.next()) is not None:
        yield member
        archive.members = []  # type: ignore[attr-defined]  # tarfile keeps all headers otherwise


def _expect_end(rest: IO[bytes]) -> None:
    """Read on after an archive's end.

    An engine that fails while it saves has answered 200 by then: it ends the archive in good order,
    without most of it, and writes its reason after that. Raises tarfile.ReadError with it.
    """
    said = b""
    while chunk := rest.read(CHUNK_BYTES):
        said = said or chunk.strip(b"\0")
    reason = _REASON.match(said)
    if reason:
        raise tarfile.ReadError(reason[1].decode(errors="replace"))


def write_docker_archive(
    out: IO[bytes], reference: str, image: ArchivedImage, layers: Sequence[ReadableLayer]
) -> None:
    """One image as `docker save` writes it: layers in the order given, never in random order."""
    names = {layer.diff_id: f"{layer.diff_id.removeprefix('sha256:')}.tar" for layer in layers}
    manifest = [
        {
            "Config": "config.json",
            "RepoTags": [reference],
            "Layers": [names[layer.diff_id] for layer in layers],
        }
    ]
    with tarfile.open(fileobj=out, mode="w|", bufsize=CHUNK_BYTES) as tar:
        tar.copybufsize = CHUNK_BYTES  # type: ignore[attr-defined]  # an option since 3.7
        for layer in {layer.diff_id: layer for layer in layers}.values():
            content = cast(IO[bytes], _Stream(layer.tar()))
            _add(tar, names[layer.diff_id], layer.tar_bytes(), content)
        _add(tar, "config.json", len(image.config), BytesIO(image.config))
        raw = json.dumps(manifest).encode()
        _add(tar, "manifest.json", len(raw), BytesIO(raw))


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)


class _Stream:
    """What comes in pieces, as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = bytearray()

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        while len(self._rest) < size and (piece := next(self._pieces, None)) is not None:
            self._rest += piece
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        return taken


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True


def _unreadable(error: Exception, directory: Path) -> InspectError:
    if isinstance(error, OSError) and error.errno is not None:
        return InspectError(
            f"the images could not be unpacked into {directory}: {error}",
            advice="free some space there, or set TMPDIR to a folder with room for the images",
        )
    return InspectError(
        f"the archive of images is damaged: {error}",
        advice="if it comes from the engine, see its log; build, pull or save the images again",
    )
