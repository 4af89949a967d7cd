"""OCI image layouts made by hand: what registries and builders have and no single build gives."""

import gzip
import hashlib
import json
import tarfile
from collections.abc import Callable, Sequence
from typing import Any

import zstandard

from made_tars import tar_of

Descriptor = dict[str, Any]
_OCI = "application/vnd.oci.image"
FORMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", bytes),
    "gzip": ("+gzip", lambda layer: gzip.compress(layer, mtime=0)),
    "zstd": ("+zstd", zstandard.compress),
    "frames": ("+zstd", lambda layer: b"".join(map(zstandard.compress, _halves(layer)))),
}
"""Suffix of the media type, and what makes a blob of a layer."""


class Layout:
    """Blobs by digest, and the images made of them so far."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._images: list[tuple[str, list[str]]] = []

    def image(
        self, layers: Sequence[bytes], forms: Sequence[str], *, architecture: str = "amd64"
    ) -> Descriptor:
        """A manifest; each layer was made by "ARCHITECTURE PLACE"."""
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": {"built-for": architecture}},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
            "history": [{"created_by": f"{architecture} {at}"} for at in range(len(layers))],
        }
        blobs = [
            self._put(FORMS[form][1](layer), f"{_OCI}.layer.v1.tar{FORMS[form][0]}")
            for layer, form in zip(layers, forms, strict=True)
        ]
        descriptor = self._put(config, f"{_OCI}.config.v1+json")
        self._images.append((descriptor["digest"], [blob["digest"] for blob in blobs]))
        manifest = {"config": descriptor, "layers": blobs}
        return self._document("manifest", manifest) | {"platform": for_linux_on(architecture)}

    def proof(self, image: Descriptor) -> Descriptor:
        """An attestation of how `image` was built, as BuildKit puts it beside an image."""
        statement = self._put({"predicateType": "made-up"}, "application/vnd.in-toto+json")
        rootfs = {"type": "layers", "diff_ids": [statement["digest"]]}
        config = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": rootfs}
        descriptor = self._put(config, f"{_OCI}.config.v1+json")
        return self._document("manifest", {"config": descriptor, "layers": [statement]}) | {
            "annotations": {
                "vnd.docker.reference.digest": image["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
            "platform": {"architecture": "unknown", "os": "unknown"},
        }

    def index(self, *manifests: Descriptor) -> Descriptor:
        """An index of them."""
        return self._document("index", {"manifests": manifests})

    def drop(self, descriptor: Descriptor) -> Descriptor:
        """What an engine does not fetch of other platforms: the manifest and all below it."""
        below = json.loads(self._blobs.pop(descriptor["digest"]))
        for entry in (below["config"], *below["layers"]):
            self._blobs.pop(entry["digest"], None)
        return descriptor

    def archive(self, top: Descriptor, name: str) -> bytes:
        """All of it as a tar, for new and old engines; the last image made is theirs."""
        named = {**top, "annotations": {"io.containerd.image.name": name}}
        config, layers = self._images[-1]
        old = {"Config": _path(config), "RepoTags": [name], "Layers": [*map(_path, layers)]}
        files = {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": json.dumps({"schemaVersion": 2, "manifests": [named]}).encode(),
            "manifest.json": json.dumps([old]).encode(),
        }
        files |= {_path(name): blob for name, blob in self._blobs.items()}
        return tar_of(*((path, tarfile.REGTYPE, raw, "") for path, raw in files.items()))

    def _document(self, kind: str, document: Descriptor) -> Descriptor:
        media_type = f"{_OCI}.{kind}.v1+json"
        return self._put({"schemaVersion": 2, "mediaType": media_type, **document}, media_type)

    def _put(self, content: bytes | Descriptor, media_type: str) -> Descriptor:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._blobs[digest(raw)] = raw
        return {"mediaType": media_type, "digest": digest(raw), "size": len(raw)}


def for_linux_on(architecture: str) -> Descriptor:
    """Linux on that processor."""
    return {"architecture": architecture, "os": "linux"}


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _path(name: str) -> str:
    return f"blobs/sha256/{name.removeprefix('sha256:')}"


def _halves(layer: bytes) -> tuple[bytes, bytes]:
    middle = len(layer) // 2
    return layer[:middle], layer[middle:]
