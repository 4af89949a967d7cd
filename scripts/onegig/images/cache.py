"""Results kept by image id and diff_id, so that what did not change costs nothing.

Small JSON files per image and per layer under ${XDG_CACHE_HOME:-~/.cache}/onegig/inspect, and each
layer's index beside them. A file that is damaged, of another version of onegig or dive, or of
another kind counts as absent and is written anew. The cache never fails a run: where nothing can be
written, nothing is kept, and nothing is read where another user could have written.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from pydantic import TypeAdapter

from onegig import __version__
from onegig.files import cache_folder, distrust, make_private
from onegig.images.layer import LayerIndex
from onegig.images.reading.index_codec import decode, encode
from onegig.images.records import ImageRecord, LayerRecord
from onegig.model.images import IMAGES_SCHEMA, Accounting, Dive, Duplicate, Layer, WastedFile
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Scan

SCHEMA = f"{IMAGES_SCHEMA}/cache/3"
UNUSED_DAYS = 30
_DAY_SECONDS = 24 * 3600
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
_ACCOUNTING: TypeAdapter[Accounting | Missing] = TypeAdapter(Accounting | Missing)
_SCAN: TypeAdapter[Scan] = TypeAdapter(Scan)
_DUPLICATES: TypeAdapter[tuple[Duplicate, ...]] = TypeAdapter(tuple[Duplicate, ...])


class Cache:
    """Results of earlier runs in a folder; without one, nothing is known and nothing kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory or Path(os.devnull)

    def image(
        self, image_id: str, diff_ids: tuple[str, ...], dive_version: str, base: str = ""
    ) -> ImageRecord | None:
        """The image's record made with that dive, None when there is none that fits.

        `base` is the key of what is known of its base (`Evidence.key`): the account depends on it.
        """
        entry = self._load("image", image_id)
        expected = _makers(dive_version, base)
        try:
            is_same = expected.items() <= entry.items()
            record = _image_record(entry) if is_same else None
        except _MALFORMED:
            return None
        if record and tuple(layer.diff_id for layer in record.layers) == diff_ids:
            return record
        return None

    def layer(self, diff_id: str) -> LayerRecord | None:
        """The layer's measured bytes, None when they are not known."""
        entry = self._load("layer", diff_id)
        try:
            return LayerRecord(
                size_bytes=_number(entry["size_bytes"]),
                compressed_bytes=_number(entry["compressed_bytes"]),
            )
        except _MALFORMED:
            return None

    def index(self, diff_id: str) -> LayerIndex | None:
        """What the layer says, None when that is not known."""
        path = self._path("index", diff_id, ".zst")
        try:
            index = decode(path.read_bytes())
            os.utime(path)
        except (OSError, ValueError):
            return None
        return index if index.diff_id == diff_id else None

    def has_indexes(self, diff_ids: Iterable[str]) -> bool:
        """Whether all these layers' indexes are kept; they count as used then."""
        try:
            for diff_id in diff_ids:
                os.utime(self._path("index", diff_id, ".zst"))
        except OSError:
            return False
        return True

    def keep_index(self, index: LayerIndex) -> None:
        """Keep what a layer says."""
        self._write(self._path("index", index.diff_id, ".zst"), encode(index))

    def duplicates(self, stack: str) -> tuple[Duplicate, ...] | None:
        """What a stack, named by the digest of its images, holds more than once."""
        entry = self._load("duplicates", stack)
        try:
            return _DUPLICATES.validate_python(entry["duplicates"])
        except _MALFORMED:
            return None

    def keep_duplicates(self, stack: str, duplicates: tuple[Duplicate, ...]) -> None:
        """Keep what a stack holds more than once."""
        self._store("duplicates", stack, {"duplicates": [asdict(one) for one in duplicates]})

    def scan(self, image_id: str, trivy_version: str, database: str | Missing) -> Scan | None:
        """What that trivy found with that database, None when it did not look yet."""
        entry = self._load("scan", image_id)
        try:
            scan = _SCAN.validate_python(entry["scan"])
        except _MALFORMED:
            return None
        is_same = scan.trivy_version == trivy_version and scan.database == database
        return scan if is_same else None

    def keep_scan(self, image_id: str, scan: Scan) -> None:
        """Keep what trivy found in an image, instead of what it found before."""
        self._store("scan", image_id, {"scan": asdict(scan)})

    def build_seconds(self, image_id: str) -> float | None:
        """What building exactly this image took, None when that is not known."""
        seconds = self._load("build", image_id).get("seconds")
        return float(seconds) if isinstance(seconds, (int, float)) else None

    def keep_build(self, image_id: str, seconds: float) -> None:
        """Keep what building an image took."""
        self._store("build", image_id, {"seconds": seconds})

    def keep_image(
        self, image_id: str, record: ImageRecord, dive_version: str, base: str = ""
    ) -> None:
        """Keep an image's record, made with that dive and what is known of its base."""
        self._store("image", image_id, {**_makers(dive_version, base), **asdict(record)})

    def keep_layer(self, diff_id: str, measured: LayerRecord) -> None:
        """Keep a layer's measured bytes."""
        self._store("layer", diff_id, asdict(measured))

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
    """Return the user's cache, one that keeps nothing where somebody else could have written it.

    `say` then hears why.
    """
    folder = cache_folder() / "onegig" / "inspect"
    reason = distrust(folder.parent) or distrust(folder)
    if reason:
        say(f"nothing is taken from the cache: {reason}")
    return Cache(None if reason else folder)


def _makers(dive_version: str, base: str) -> dict[str, str]:
    """Whose rules an image's record goes by: causes and fixes change with onegig's version."""
    return {"onegig_version": __version__, "dive_version": dive_version, "base": base}


def _image_record(entry: dict[str, Any]) -> ImageRecord:
    return ImageRecord(
        layers=tuple(_layer(layer) for layer in entry["layers"]),
        dive=_dive(entry["dive"]),
        accounting=_ACCOUNTING.validate_python(entry["accounting"]),
    )


def _layer(fields: dict[str, Any]) -> Layer:
    return Layer(
        diff_id=_text(fields["diff_id"]),
        chain_id=_text(fields["chain_id"]),
        size_bytes=_number(fields["size_bytes"]),
        compressed_bytes=_number(fields["compressed_bytes"]),
        instruction=_text(fields["instruction"]),
    )


def _dive(fields: dict[str, Any]) -> Dive | Unknown:
    if fields.get("kind") == "unknown":
        return Unknown(reason=_text(fields["reason"]))
    return Dive(
        version=_text(fields["version"]),
        efficiency=float(fields["efficiency"]),
        wasted_bytes=_number(fields["wasted_bytes"]),
        user_wasted_share=float(fields["user_wasted_share"]),
        worst=tuple(_wasted(file) for file in fields["worst"]),
    )


def _wasted(fields: dict[str, Any]) -> WastedFile:
    return WastedFile(
        path=_text(fields["path"]),
        copies=_number(fields["copies"]),
        bytes=_number(fields["bytes"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value
