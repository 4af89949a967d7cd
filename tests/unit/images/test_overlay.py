"""Layers from the engine's folders are its tars, byte for byte, or are not taken from there."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onegig.images.reading.archive import Spool
from onegig.images.reading.layers import chain_ids
from onegig.images.reading.overlay import find_unpacked
from onegig.images.reading.saving import find, save
from onegig.images.reading.source import EngineImage

LAYERS = ([("bin/sh", b"x" * 5000), ("caf\udce9", b"1")], [("etc/motd", b"hello")], [])


class Folders:
    """An engine with folders that can be read, and images that it can save as well."""

    def __init__(self, root: Path, engine: Any) -> None:
        self._root = root
        self._engine = engine
        self.save = engine.save
        self.image = engine.image

    def unpacked(self, image: EngineImage) -> Any:
        return find_unpacked(self._root, image.image_id, image.diff_ids)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "docker"


def put(root: Path, made: Any) -> None:
    """An image as dockerd keeps it with overlay2."""
    configs = root / "image/overlay2/imagedb/content/sha256"
    configs.mkdir(parents=True, exist_ok=True)
    (configs / made.image_id[7:]).write_bytes(made.config)
    for layer, chain in zip(made.layers, chain_ids(made.diff_ids), strict=True):
        entry = root / "image/overlay2/layerdb/sha256" / chain[7:]
        entry.mkdir(parents=True)
        (entry / "cache-id").write_text(f"c{chain[7:20]}")
        (entry / "diff").write_text(f"sha256:{hashlib.sha256(layer).hexdigest()}")
        split(layer, root / "overlay2" / f"c{chain[7:20]}" / "diff", entry / "tar-split.json.gz")


def split(layer: bytes, folder: Path, kept: Path) -> None:
    folder.mkdir(parents=True)
    lines, place = [], 0
    with tarfile.open(fileobj=io.BytesIO(layer), errors="surrogateescape") as tar:
        for member in tar:
            tar.extract(member, folder, filter="data")
            lines.append({"type": 2, "payload": text(layer[place : member.offset_data])})
            place = member.offset_data + member.size
            name = os.fsencode(member.name)
            known = {"name": member.name} if name.isascii() else {"name_raw": text(name)}
            lines.append({"type": 1, "size": member.size, "payload": "crc", **known})
    lines.append({"type": 2, "payload": text(layer[place:])})
    kept.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))


def text(raw: bytes) -> str:
    return b64encode(raw).decode()


@pytest.fixture
def saved(
    root: Path, tmp_path: Path, make_engine: Callable[..., Any]
) -> Callable[[Any], tuple[list[bytes], int]]:
    """The layers of an image as they arrive, and how often the engine had to save it."""

    def run(made: Any) -> tuple[list[bytes], int]:
        engine = make_engine(images={"a:1": made})
        spool = Spool(tmp_path, lambda _layer: None)
        source = Folders(root, engine)
        image = source.image("a:1")
        found = find(spool, image, save([image], source, spool))
        assert found.config == made.config
        return [spool.layers[one].path.read_bytes() for one in found.diff_ids], len(engine.saves)

    return run


def test_layers_are_put_together_without_the_engine(
    root: Path, make_image: Callable[..., Any], saved: Callable[[Any], Any]
) -> None:
    made = make_image(*LAYERS)
    put(root, made)
    assert saved(made) == (list(made.layers), 0)


def change(root: Path) -> None:
    (motd,) = root.glob("overlay2/*/diff/etc/motd")
    motd.write_bytes(b"HELLO")


def shorten(root: Path) -> None:
    (motd,) = root.glob("overlay2/*/diff/etc/motd")
    motd.write_bytes(b"")


def lose_a_file(root: Path) -> None:
    (motd,) = root.glob("overlay2/*/diff/etc/motd")
    motd.unlink()


def replace_by_a_link(root: Path) -> None:
    (motd,) = root.glob("overlay2/*/diff/etc/motd")
    motd.rename(motd.with_name("elsewhere"))
    motd.symlink_to("elsewhere")


def damage_the_split(root: Path) -> None:
    one = max(root.rglob("tar-split.json.gz"), key=lambda path: path.stat().st_size)
    one.write_bytes(one.read_bytes()[:-20])


def lose_a_layer(root: Path) -> None:
    next(root.glob("image/overlay2/layerdb/sha256/*/cache-id")).unlink()


def lose_the_config(root: Path) -> None:
    next(root.glob("image/overlay2/imagedb/content/sha256/*")).unlink()


@pytest.mark.parametrize(
    "harm",
    [
        change,
        shorten,
        lose_a_file,
        replace_by_a_link,
        damage_the_split,
        lose_a_layer,
        lose_the_config,
    ],
)
def test_what_is_not_as_it_was_comes_from_the_engine(
    harm: Callable[[Path], None],
    root: Path,
    make_image: Callable[..., Any],
    saved: Callable[[Any], Any],
) -> None:
    made = make_image(*LAYERS)
    put(root, made)
    harm(root)
    assert saved(made) == (list(made.layers), 1)


def test_an_engine_elsewhere_saves(
    make_image: Callable[..., Any], saved: Callable[[Any], Any]
) -> None:
    made = make_image(*LAYERS)
    assert saved(made) == (list(made.layers), 1)
