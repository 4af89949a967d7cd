"""Images made by hand: layers as tars, archives in every form that engines and tools write."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import pytest
import zstandard

from onegig.engine.images import EngineImage
from onegig.errors import InspectError
from onegig.images import dive
from onegig.model.measured import Environment, Unknown

ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


class Form(StrEnum):
    """How an archive is laid out."""

    DOCKER = "docker"  # engine 24: <id>/layer.tar, manifest.json
    BOTH = "both"  # engine 25 and later: blobs/, manifest.json and index.json
    OCI = "oci"  # other tools: blobs/ and index.json
    GZIP = "gzip"  # the containerd store, as pulled
    ZSTD = "zstd"
    NESTED = "nested"  # an index in the index, with an attestation beside the image


@dataclass(frozen=True)
class MadeImage:
    """An image before it is put into an archive."""

    layers: tuple[bytes, ...]
    history: tuple[dict[str, Any], ...] = ()
    config_extra: str = ""

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(digest(layer) for layer in self.layers)

    @property
    def config(self) -> bytes:
        document = {
            "architecture": "amd64",
            "os": "linux",
            "author": self.config_extra,
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
            "history": self.history,
        }
        return json.dumps(document).encode()

    @property
    def image_id(self) -> str:
        return digest(self.config)


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def make_tar(files: Sequence[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def make_archive(images: Sequence[MadeImage], form: str) -> bytes:
    return _docker(images) if form == Form.DOCKER else _oci(images, Form(form))


def _docker(images: Sequence[MadeImage]) -> bytes:
    files: dict[str, bytes] = {}
    manifest = []
    for image in images:
        paths = [
            f"{place}-{digest(layer)[7:19]}/layer.tar" for place, layer in enumerate(image.layers)
        ]
        files |= dict(zip(paths, image.layers, strict=True))
        files |= {path.replace("layer.tar", "VERSION"): b"1.0" for path in paths}
        config = f"{image.image_id[7:]}.json"
        files[config] = image.config
        manifest.append({"Config": config, "RepoTags": None, "Layers": paths})
    return make_tar([*files.items(), ("manifest.json", json.dumps(manifest).encode())])


def _oci(images: Sequence[MadeImage], form: Form) -> bytes:
    blobs: dict[str, bytes] = {}

    def put(raw: bytes | dict[str, Any]) -> dict[str, Any]:
        content = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        blobs[digest(content)] = content
        return {"digest": digest(content), "size": len(content)}

    descriptors, manifest = [], []
    for image in images:
        layers = [put(_squeeze(layer, form)) for layer in image.layers]
        descriptor = put({"config": put(image.config), "layers": layers})
        descriptors.append(_nest(descriptor, put) if form is Form.NESTED else descriptor)
        paths = [f"blobs/sha256/{layer['digest'][7:]}" for layer in layers]
        config = f"blobs/sha256/{image.image_id[7:]}"
        manifest.append({"Config": config, "RepoTags": None, "Layers": paths})
    files = sorted((f"blobs/sha256/{name[7:]}", raw) for name, raw in blobs.items())
    index = {"schemaVersion": 2, "manifests": descriptors}
    files += [
        ("index.json", json.dumps(index).encode()),
        ("oci-layout", b'{"imageLayoutVersion":""}'),
    ]
    if form is Form.BOTH:
        files.append(("manifest.json", json.dumps(manifest).encode()))
    return make_tar(files)


def _squeeze(layer: bytes, form: Form) -> bytes:
    if form in (Form.GZIP, Form.NESTED):
        return gzip.compress(layer)
    return zstandard.compress(layer) if form is Form.ZSTD else layer


def _nest(descriptor: dict[str, Any], put: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    statement = put(b'{"predicateType": "https://slsa.dev/provenance/v0.2"}')
    config = put(json.dumps({"rootfs": {"diff_ids": [statement["digest"]]}}).encode())
    proof = put({"config": config, "layers": [statement]}) | {"annotations": ATTESTATION}
    elsewhere = {"digest": digest(b"an image of another platform"), "size": 9}
    return put({"schemaVersion": 2, "manifests": [elsewhere, proof, descriptor]})


@dataclass
class FakeEngine:
    """An engine that holds made images; `broken` references cannot be saved."""

    images: dict[str, MadeImage]
    form: str = Form.BOTH
    broken: tuple[str, ...] = ()
    saves: list[tuple[str, ...]] = field(default_factory=list)

    def image(self, reference: str) -> EngineImage:
        if reference not in self.images:
            raise InspectError(f"the engine has no image {reference}", advice="build it")
        image = self.images[reference]
        return EngineImage(
            reference=reference,
            image_id=image.image_id,
            diff_ids=image.diff_ids,
            architecture="amd64",
            labels=(),
            size_bytes=0,
        )

    @contextmanager
    def save(self, image_ids: Sequence[str]) -> Iterator[IO[bytes]]:
        self.saves.append(tuple(image_ids))
        if any(self.images[name].image_id in image_ids for name in self.broken):
            raise InspectError("the engine could not save the image: layer does not exist")
        chosen = [image for image in self.images.values() if image.image_id in image_ids]
        yield io.BytesIO(make_archive(chosen, self.form))


def make_image(*layers: Sequence[tuple[str, bytes]], **more: Any) -> MadeImage:
    """An image from the files of each layer: make_image([("a", b"1")], [("b", b"2")])."""
    return MadeImage(layers=tuple(make_tar(files) for files in layers), **more)


def make_engine(images: dict[str, MadeImage], **more: Any) -> FakeEngine:
    """An engine that holds the images given by reference."""
    return FakeEngine(images, **more)


@pytest.fixture
def no_dive() -> Unknown:
    """Inspecting without dive."""
    return Unknown(reason="dive is not installed")


@pytest.fixture(scope="session")
def installed_dive() -> dive.Program:
    """The dive that onegig installs beside itself."""
    program = dive.find()
    assert isinstance(program, dive.Program), program
    return program


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], dive.Program]:
    """A stand-in for dive: a shell script."""

    def make(script: str) -> dive.Program:
        path = tmp_path / "dive"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return dive.Program(path=str(path), version="0.0.0")

    return make


@pytest.fixture
def environment() -> Environment:
    """Where the images were inspected."""
    return Environment(
        onegig_version="0.1.0",
        os="Debian",
        kernel="6.12",
        architecture="x86_64",
        cpus=2,
        memory_bytes=2**30,
        engine_version="26.1.5",
        cgroup_version=2,
        cgroup_driver="systemd",
        storage_driver="overlay2",
        runner="local",
        bases="official",
    )
