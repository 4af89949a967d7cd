"""What dockerd keeps of images with the storage driver overlay2, made from tars."""

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onegig.engine.images import EngineImage
from onegig.images.reading.layers import chain_ids
from onegig.images.reading.overlay import find_unpacked


class Folders:
    """An engine with folders that can be read, and images that it can save as well."""

    def __init__(self, root: Path, engine: Any) -> None:
        self._root = root
        self._engine = engine
        self.images = engine.images
        self.saves = engine.saves
        self.save = engine.save
        self.image = engine.image

    def unpacked(self, image: EngineImage) -> Any:
        return find_unpacked(self._root, image.image_id, image.diff_ids)


def put(root: Path, made: Any) -> None:
    """An image below the engine's root."""
    configs = root / "image/overlay2/imagedb/content/sha256"
    configs.mkdir(parents=True, exist_ok=True)
    (configs / made.image_id[7:]).write_bytes(made.config)
    for layer, chain in zip(made.layers, chain_ids(made.diff_ids), strict=True):
        entry = root / "image/overlay2/layerdb/sha256" / chain[7:]
        if entry.exists():
            continue
        folder = root / "overlay2" / f"c{chain[7:20]}" / "diff"
        for place in (entry, folder):
            place.mkdir(parents=True)
        (entry / "cache-id").write_text(f"c{chain[7:20]}")
        (entry / "diff").write_text(f"sha256:{hashlib.sha256(layer).hexdigest()}")
        (entry / "tar-split.json.gz").write_bytes(notes_of(layer))
        unpack(layer, folder)


def unpack(layer: bytes, folder: Path) -> None:
    """The regular files of a layer: whatever else it has, nobody looks for it in a folder."""
    with tarfile.open(fileobj=io.BytesIO(layer), errors="surrogateescape") as tar:
        for member in tar:
            if member.isreg():
                tar.extract(member, folder, filter="data")


def notes_of(layer: bytes) -> bytes:
    """A layer's tar-split.json.gz, with another checksum than CRC-64."""
    lines = [json.dumps(part | {"position": at}) for at, part in enumerate(_parts(layer))]
    return gzip.compress("\n".join([*lines, ""]).encode())


def _parts(layer: bytes) -> Iterator[dict[str, Any]]:
    place = 0
    with tarfile.open(fileobj=io.BytesIO(layer), errors="surrogateescape") as tar:
        for member in tar:
            yield {"type": 2, "payload": _text(layer[place : member.offset_data])}
            size = member.size if member.isreg() else 0
            place = member.offset_data + size
            name = os.fsencode(member.name)
            named = {"name": member.name} if _is_utf8(name) else {"name_raw": _text(name)}
            crc = zlib.crc32(layer[member.offset_data : place]).to_bytes(8)
            yield {"type": 1, **named} | (
                {"size": size, "payload": _text(crc)} if size else {"payload": None}
            )
    yield {"type": 2, "payload": _text(layer[place:])}


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
