"""Results kept by image id and diff_id, so that what did not change costs nothing.

Small JSON files per image and per layer under ${XDG_CACHE_HOME:-~/.cache}/onegig/inspect, and each
layer's index beside them. A file that is damaged, of another version of onegig or dive, or of
another kind counts as absent and is written anew. The cache never fails a run: if nothing can be
written, nothing is kept, and nothing is read if another user could have written.
"""

import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import zstandard
from pydantic import TypeAdapter

from onegig import __version__
from onegig.files import cache_folder, distrust, make_private
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.model.images import IMAGES_SCHEMA, NOT_ACCOUNTED, Accounting, Dive, Duplicate, Layer
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Scan

SCHEMA = f"{IMAGES_SCHEMA}/cache/5"
T = TypeVar("T")
UNUSED_DAYS = 30
INDEX_LIMIT_BYTES = 1024**3  # decoded: more than any index has
_DAY_SECONDS = 24 * 3600
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError, zstandard.ZstdError, MemoryError)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRecord:
    """An image's layers, the account of its bytes and dive's numbers, kept by image id."""

    layers: tuple[Layer, ...]
    dive: Dive | Unknown
    accounting: Accounting | Missing = NOT_ACCOUNTED

    @property
    def is_weighed(self) -> bool:
        """Return whether the download size of every layer is known."""
        return not any(isinstance(layer.compressed_bytes, Missing) for layer in self.layers)


_RECORD: TypeAdapter[ImageRecord] = TypeAdapter(ImageRecord)
_SCAN: TypeAdapter[Scan] = TypeAdapter(Scan)
_DUPLICATES: TypeAdapter[tuple[Duplicate, ...]] = TypeAdapter(tuple[Duplicate, ...])


class Cache:
    """Results of earlier runs in a folder; without one, nothing is known and nothing kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory or Path(os.devnull)

    def image(
        self, image_id: str, diff_ids: tuple[str, ...], dive_version: str, base: str = ""
    ) -> ImageRecord | None:
        """Return the image's record made with that dive, None when there is none that fits.

        `base` is the key of what is known of its base (`Evidence.key`): the account depends on it.
        """
        entry = self._load("image", image_id)
        if not _makers(dive_version, base).items() <= entry.items():
            return None
        record = _validate(_RECORD, entry.get("record"))
        if record and tuple(layer.diff_id for layer in record.layers) == diff_ids:
            return record
        return None

    def keep_image(
        self, image_id: str, record: ImageRecord, dive_version: str, base: str = ""
    ) -> None:
        """Keep an image's record, made with that dive and what is known of its base."""
        fields = {**_makers(dive_version, base), "record": asdict(record)}
        self._store("image", image_id, fields)

    def weight(self, diff_id: str) -> int | None:
        """Return the layer's compressed bytes, None when they are not known."""
        compressed_bytes = self._load("layer", diff_id).get("compressed_bytes")
        return compressed_bytes if isinstance(compressed_bytes, int) else None

    def keep_weight(self, diff_id: str, compressed_bytes: int) -> None:
        """Keep a layer's compressed bytes."""
        self._store("layer", diff_id, {"compressed_bytes": compressed_bytes})

    def index(self, diff_id: str) -> LayerIndex | None:
        """Return the layer's index, None when that is not known."""
        path = self._path("index", diff_id, ".zst")
        try:
            index = _decode(path.read_bytes())
            os.utime(path)
        except (OSError, *_MALFORMED):
            return None
        return index if index.diff_id == diff_id else None

    def has_indexes(self, diff_ids: Iterable[str]) -> bool:
        """Return whether all these layers' indexes are kept; they count as used then."""
        try:
            for diff_id in diff_ids:
                os.utime(self._path("index", diff_id, ".zst"))
        except OSError:
            return False
        return True

    def keep_index(self, index: LayerIndex) -> None:
        """Keep a layer's index."""
        self._write(self._path("index", index.diff_id, ".zst"), _encode(index))

    def duplicates(self, stack: str) -> tuple[Duplicate, ...] | None:
        """Return the duplicates of a stack, named by the digest of its images."""
        return _validate(_DUPLICATES, self._load("duplicates", stack).get("duplicates"))

    def keep_duplicates(self, stack: str, duplicates: tuple[Duplicate, ...]) -> None:
        """Keep the duplicates of a stack."""
        self._store("duplicates", stack, {"duplicates": [asdict(copy) for copy in duplicates]})

    def scan(self, image_id: str, trivy_version: str, database: str | Missing) -> Scan | None:
        """Return the findings of that trivy with that database, None when it did not look yet."""
        scan = _validate(_SCAN, self._load("scan", image_id).get("scan"))
        if scan and scan.trivy_version == trivy_version and scan.database == database:
            return scan
        return None

    def keep_scan(self, image_id: str, scan: Scan) -> None:
        """Keep trivy's findings in an image, instead of earlier ones."""
        self._store("scan", image_id, {"scan": asdict(scan)})

    def build_seconds(self, image_id: str) -> float | None:
        """Return how long building exactly this image took, None when that is not known."""
        seconds = self._load("build", image_id).get("seconds")
        return float(seconds) if isinstance(seconds, (int, float)) else None

    def keep_build(self, image_id: str, seconds: float) -> None:
        """Keep how long building an image took."""
        self._store("build", image_id, {"seconds": seconds})

    def prune(self, now: float | None = None) -> None:
        """Remove entries that no run has used for 30 days; `now` is in seconds since the epoch."""
        oldest = (time.time() if now is None else now) - UNUSED_DAYS * _DAY_SECONDS
        for path in self._directory.glob("*"):
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _path(self, kind: str, digest: str, suffix: str = ".json") -> Path:
        return self._directory / f"{kind}-{digest.removeprefix('sha256:')}{suffix}"

    def _load(self, kind: str, digest: str) -> dict[str, Any]:
        path = self._path(kind, digest)
        try:
            entry = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        with suppress(OSError):
            os.utime(path)  # marks the entry as used
        expected = {"schema": SCHEMA, "digest": digest}
        if not isinstance(entry, dict) or not expected.items() <= entry.items():
            return {}
        return entry

    def _store(self, kind: str, digest: str, fields: dict[str, Any]) -> None:
        text = json.dumps({"schema": SCHEMA, "digest": digest, **fields})
        self._write(self._path(kind, digest), text.encode())

    def _write(self, path: Path, content: bytes) -> None:
        with suppress(OSError):
            make_private(self._directory)
            with NamedTemporaryFile(dir=self._directory, delete=False) as file:
                file.write(content)
            Path(file.name).replace(path)


def open_cache(say: Callable[[str], None]) -> Cache:
    """Return the user's cache, one that keeps nothing if somebody else could have written it.

    `say` then hears why.
    """
    folder = cache_folder() / "onegig" / "inspect"
    reason = distrust(folder.parent) or distrust(folder)
    if reason:
        say(f"nothing is taken from the cache: {reason}")
    return Cache(None if reason else folder)


def _makers(dive_version: str, base: str) -> dict[str, str]:
    """Return whose rules a record goes by: causes and fixes change with onegig's version."""
    return {"onegig_version": __version__, "dive_version": dive_version, "base": base}


def _validate(adapter: TypeAdapter[T], value: Any) -> T | None:
    try:
        return adapter.validate_python(value)
    except _MALFORMED:
        return None


def _encode(index: LayerIndex) -> bytes:
    """Return an index as compressed JSON, whose texts may hold lone surrogates."""
    document = {
        "schema": SCHEMA,
        "diff_id": index.diff_id,
        "entries": [
            (entry.path, entry.kind, entry.size, entry.digest.hex(), entry.link)
            for entry in index.entries
        ],
        "contents": {path: b64encode(raw).decode() for path, raw in index.contents.items()},
    }
    return zstandard.ZstdCompressor(write_checksum=True).compress(json.dumps(document).encode())


def _decode(raw: bytes) -> LayerIndex:
    document = json.loads(zstandard.ZstdDecompressor().decompress(raw, INDEX_LIMIT_BYTES))
    if document["schema"] != SCHEMA:
        raise ValueError("an index of another version")
    return LayerIndex(
        diff_id=document["diff_id"],
        entries=tuple(
            Entry(path=path, kind=Kind(kind), size=size, digest=bytes.fromhex(digest), link=link)
            for path, kind, size, digest, link in document["entries"]
        ),
        contents={path: b64decode(text) for path, text in document["contents"].items()},
    )
