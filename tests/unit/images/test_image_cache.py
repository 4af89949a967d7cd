"""The cache gives back what it got, and nothing else."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onegig.images.cache import Cache, ImageRecord, open_cache
from onegig.model.images import Dive, Layer, WastedFile
from onegig.model.measured import Unknown

IMAGE_ID = "sha256:" + "1" * 64
DIFF_ID = "sha256:" + "2" * 64
DAY = 24 * 3600
BYTES = 2**40
RECORD = ImageRecord(
    layers=(
        Layer(
            diff_id=DIFF_ID,
            chain_id=DIFF_ID,
            size_bytes=10,
            compressed_bytes=5,
            instruction='RUN echo "caf\xe9"',
        ),
    ),
    dive=Dive(
        version="0.13.1",
        efficiency=0.9992444754358576,
        wasted_bytes=3,
        user_wasted_share=0.1,
        worst=(WastedFile(path="/a b", copies=2, bytes=3),),
    ),
)
WITHOUT_DIVE = ImageRecord(layers=RECORD.layers, dive=Unknown(reason="dive is not installed"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.mark.parametrize("record", [RECORD, WITHOUT_DIVE])
def test_an_image_comes_back_as_it_was(cache: Cache, record: ImageRecord) -> None:
    cache.keep_image(IMAGE_ID, record, "0.13.1")
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1") == record


def test_a_layer_comes_back_as_it_was(cache: Cache) -> None:
    assert cache.weight(DIFF_ID) is None
    cache.keep_weight(DIFF_ID, BYTES)
    assert cache.weight(DIFF_ID) == BYTES


def test_another_dive_or_other_layers_make_it_absent(cache: Cache) -> None:
    cache.keep_image(IMAGE_ID, RECORD, "0.13.1")
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.14.0") is None
    assert cache.image(IMAGE_ID, (DIFF_ID, DIFF_ID), "0.13.1") is None
    assert cache.image(DIFF_ID, (DIFF_ID,), "0.13.1") is None


def test_another_base_makes_it_absent_and_the_account_is_made_anew(cache: Cache) -> None:
    cache.keep_image(IMAGE_ID, RECORD, "0.13.1")
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1", base="") == RECORD
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1", base="two layers") is None
    cache.keep_image(IMAGE_ID, WITHOUT_DIVE, "0.13.1", base="two layers")
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1", base="two layers") == WITHOUT_DIVE
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1", base="three layers") is None
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1") is None


def set_field(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-5],
        lambda text: "[]",
        lambda text: "7",
        lambda text: "\x00\xff",
        set_field(schema="another"),
        set_field(digest="sha256:another"),
        set_field(record=None),
        set_field(record={"layers": [{}], "dive": {"kind": "unknown", "reason": ""}}),
        set_field(record={"layers": [], "dive": {"kind": "unknown"}}),
        set_field(compressed_bytes="7"),
    ],
)
def test_a_damaged_or_foreign_entry_counts_as_absent_and_is_written_anew(
    cache: Cache, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    cache.keep_image(IMAGE_ID, RECORD, "0.13.1")
    cache.keep_weight(DIFF_ID, BYTES)
    whole = {path: path.read_text() for path in (tmp_path / "cache").iterdir()}
    for path, text in whole.items():
        path.write_text(damage(text))
    results = (cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1"), cache.weight(DIFF_ID))
    assert None in results
    assert all(item in (None, RECORD, BYTES) for item in results)
    cache.keep_image(IMAGE_ID, RECORD, "0.13.1")
    cache.keep_weight(DIFF_ID, BYTES)
    assert {path: path.read_text() for path in (tmp_path / "cache").iterdir()} == whole


def test_entries_unused_for_30_days_go_and_used_ones_stay(cache: Cache, tmp_path: Path) -> None:
    cache.keep_image(IMAGE_ID, RECORD, "0.13.1")
    cache.keep_weight(DIFF_ID, BYTES)
    now = 10**9
    for path in (tmp_path / "cache").iterdir():
        os.utime(path, (now - 31 * DAY, now - 31 * DAY))
    assert cache.weight(DIFF_ID) == BYTES  # used: its clock starts again
    cache.prune(now)
    assert cache.weight(DIFF_ID) == BYTES
    assert cache.image(IMAGE_ID, (DIFF_ID,), "0.13.1") is None
    cache.prune()
    assert cache.weight(DIFF_ID) == BYTES


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache")
    cache.keep_weight(DIFF_ID, BYTES)
    cache.prune()
    assert cache.weight(DIFF_ID) is None


def test_the_cache_lies_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    open_cache(pytest.fail).keep_weight(DIFF_ID, BYTES)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/paths/are/to/be/ignored")
    open_cache(pytest.fail).keep_weight(DIFF_ID, BYTES)
    results = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")}
    assert results == {"xdg/onegig/inspect", "home/.cache/onegig/inspect"}


def test_what_a_build_took_is_kept_by_image(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.build_seconds("sha256:1") is None
    cache.keep_build("sha256:1", 12.5)
    assert Cache(tmp_path).build_seconds("sha256:1") == 12.5
    assert cache.build_seconds("sha256:2") is None
