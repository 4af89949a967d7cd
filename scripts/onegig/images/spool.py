"""The spool: images of a stack, saved from the engine once and read by the account, dive and trivy.

Archives (`docker save`, OCI image layout) are read as they stream, in bounded memory. Every layer
lands once, as a plain tar named by its diff_id, whatever the archive called it and however it was
compressed: its diff_id is the SHA-256 of what was written, so an image whose layers are all there
is an image that was read whole. Together with configs and manifests these are the blobs of an OCI
image layout, so nobody needs a copy.
"""

import gzip
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from io import BufferedReader, BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Protocol, cast

import urllib3
import zstandard

from onegig.engine.images import EngineImage
from onegig.errors import InspectError
from onegig.images.layer import CHUNK_BYTES, FAULTS, members, open_tar
from onegig.images.manifests import ArchivedImage, images_of

DOCUMENT_LIMIT_BYTES = 4 * CHUNK_BYTES  # the OCI distribution-spec's limit for manifests
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or one to skip

_REASON = re.compile(rb'\{"errorDetail":\{(?:"code":\d+,)?"message":"(.*?)"\}')


class ImageSource(Protocol):
    """A source of images: the engine, or an archive."""

    def image(self, reference: str) -> EngineImage:
        """Return the image of that name; raise InspectError when there is none."""

    def save(self, image_ids: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
        """Open the images as one tar stream in which shared layers come once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLayer:
    """A layer's plain tar in a file; `compressed_bytes` if it came compressed."""

    diff_id: str
    path: Path
    compressed_bytes: int | None = None


class Spool:
    """Takes archives in, one after the other, and keeps each distinct layer once.

    `on_layer` is called for every layer as soon as it is complete, in the thread that reads.
    """

    def __init__(self, directory: Path, on_layer: Callable[[StoredLayer], None]) -> None:
        self._blobs = directory / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._on_layer = on_layer
        self._refused: dict[str, InspectError] = {}
        self.layers: dict[str, StoredLayer] = {}
        self.images: tuple[ArchivedImage, ...] = ()

    def save(self, images: Sequence[EngineImage], source: ImageSource) -> None:
        """Save images at once, so that layers they share come once; `find` reports failures.

        Those that are missing then are saved one by one: a damaged one can take others with it.
        """
        singles = [[image] for image in images] if len(images) > 1 else []
        for batch in (images, *singles):
            if all(map(self._holds, batch)):
                continue
            try:
                with source.save([image.image_id for image in batch]) as stream:
                    self.add(stream)
            except InspectError as error:
                if len(batch) == 1:
                    self._refused[batch[0].image_id] = error

    def _holds(self, image: EngineImage) -> bool:
        with suppress(InspectError):
            self.find(image.image_id, image.diff_ids)
            return True
        return False

    def add(self, stream: IO[bytes]) -> None:
        """Read one archive to its end. Raises InspectError when it is damaged or ends early."""
        names: dict[str, str] = {}
        documents: dict[str, bytes] = {}
        try:
            with open_tar(stream, "r|") as archive:
                for member in members(archive):
                    if member.isreg():
                        content = cast(BufferedReader, archive.extractfile(member))
                        layer = open_layer(content)
                        if layer is not None:
                            self._store(layer, None if layer is content else member.size)
                        elif member.size <= DOCUMENT_LIMIT_BYTES:
                            add_document(member.name, content.read(), names, documents)
                _expect_end(cast(IO[bytes], archive.fileobj))
            self.images += images_of(names, documents)
        except (*FAULTS, urllib3.exceptions.HTTPError, HTTPException) as error:
            raise _unreadable(error, self._blobs) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InspectError(f"the archive's manifest is not valid: {error!r}") from error

    def find(self, image_id: str, diff_ids: tuple[str, ...]) -> ArchivedImage:
        """Return the image of that digest and those layers; InspectError when it is not whole."""
        if image_id in self._refused:
            raise self._refused[image_id]
        own = (image for image in self.images if image_id in image.digests)
        stored = next((image for image in own if image.diff_ids == diff_ids), None)
        if stored is None:
            raise InspectError(
                f"image {image_id} is not in the archive, or is damaged",
                advice="build or pull the image again",
            )
        missing = [diff_id for diff_id in diff_ids if diff_id not in self.layers]
        if missing:
            raise InspectError(
                f"layer {missing[0]} is not in the archive, or is damaged",
                advice="build or pull the image again",
            )
        return stored

    def write_archive(self, out: IO[bytes], reference: str, image: ArchivedImage) -> None:
        """Write one image as `docker save` does, its layers in the config's order."""
        names = {diff_id: f"{diff_id.removeprefix('sha256:')}.tar" for diff_id in image.diff_ids}
        layers = [names[diff_id] for diff_id in image.diff_ids]
        manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": layers}]
        with tarfile.open(fileobj=out, mode="w|", bufsize=CHUNK_BYTES) as tar:
            tar.copybufsize = CHUNK_BYTES  # type: ignore[attr-defined]  # an option since 3.7
            for diff_id, name in names.items():
                with self.layers[diff_id].path.open("rb") as file:
                    _add(tar, name, os.fstat(file.fileno()).st_size, file)
            _add(tar, "config.json", len(image.config), BytesIO(image.config))
            raw = json.dumps(manifest).encode()
            _add(tar, "manifest.json", len(raw), BytesIO(raw))

    def lay_out(self, folder: Path, image: ArchivedImage) -> None:
        """Make a new folder the OCI layout of one image, whose blobs are the spool's."""
        folder.mkdir()
        (folder / "blobs").symlink_to(self._blobs.parent)
        layers = [
            _descriptor("layer.v1.tar", diff_id, self.layers[diff_id].path.stat().st_size)
            for diff_id in image.diff_ids
        ]
        config = self._put("config.v1+json", image.config)
        manifest = {"schemaVersion": 2, "config": config, "layers": layers}
        index = {"manifests": [self._put("manifest.v1+json", json.dumps(manifest).encode())]}
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, **index}))
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def _put(self, kind: str, raw: bytes) -> Mapping[str, Any]:
        digest = hashlib.sha256(raw).hexdigest()
        (self._blobs / digest).write_bytes(raw)
        return _descriptor(kind, f"sha256:{digest}", len(raw))

    def _store(self, tar: IO[bytes], compressed_bytes: int | None) -> None:
        digest = hashlib.sha256()
        with NamedTemporaryFile(dir=self._blobs, delete=False) as file:
            while chunk := tar.read(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
        path = Path(file.name).replace(self._blobs / digest.hexdigest())
        diff_id = f"sha256:{digest.hexdigest()}"
        if diff_id not in self.layers:
            layer = StoredLayer(diff_id=diff_id, path=path, compressed_bytes=compressed_bytes)
            self.layers[diff_id] = layer
            self._on_layer(layer)


def add_document(name: str, raw: bytes, names: dict[str, str], documents: dict[str, bytes]) -> None:
    """Keep a file's content by digest, and its digest by name, if it is JSON."""
    with suppress(ValueError, RecursionError):
        json.loads(raw)
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        names[name.removeprefix("./")] = digest
        documents[digest] = raw


def open_layer(stream: BufferedReader) -> IO[bytes] | None:
    """Open the plain tar behind `stream`, by its content; None when it is not a layer."""
    head = stream.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
    if head.startswith(GZIP_MAGIC):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if ZSTD_MAGIC.match(head):
        unpacker = zstandard.ZstdDecompressor()
        return unpacker.stream_reader(
            cast(IO[bytes], stream), read_across_frames=True, closefd=False
        )
    return stream if _is_tar(head) else None


def _is_tar(head: bytes) -> bool:
    """Return whether a block is a valid tar header, or the end mark of an empty tar."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # missing in typeshed
        return True
    except tarfile.HeaderError:
        return False
    return True


def _expect_end(rest: IO[bytes]) -> None:
    """Read on after an archive's end; raise tarfile.ReadError with the engine's reason.

    An engine that fails while it saves has answered 200 by then: it ends the archive in good order,
    without most of it, and writes its reason after that.
    """
    tail = b""
    while chunk := rest.read(CHUNK_BYTES):
        tail = tail or chunk.strip(b"\0")
    reason = _REASON.match(tail)
    if reason:
        raise tarfile.ReadError(reason[1].decode(errors="replace"))


def _descriptor(kind: str, digest: str, size: int) -> Mapping[str, Any]:
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": size}


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)


def _unreadable(error: Exception, directory: Path) -> InspectError:
    if isinstance(error, OSError) and error.errno is not None:
        return InspectError(
            f"the images could not be unpacked into {directory}: {error}",
            advice="free some space there, or set TMPDIR to a folder with enough space",
        )
    return InspectError(
        f"the archive of images is damaged: {error}",
        advice="build, pull or save the images again; if the engine saved them, read its log",
    )
