"""Caches that somebody else could have written are not read."""

import os
from pathlib import Path

import pytest

from onegig.files import cache_folder, distrust, make_private
from onegig.images import trivy
from onegig.images.cache import open_cache
from onegig.images.records import LayerRecord
from onegig.model.measured import Unknown

DIGEST = "sha256:" + "a" * 64
RECORD = LayerRecord(size_bytes=1, compressed_bytes=1)
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give folders away")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, with a layer in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    open_cache(pytest.fail).keep_layer(DIGEST, RECORD)
    return tmp_path / "cache"


def spoil(folder: Path, how: str) -> None:
    if how == "others can write to":
        folder.chmod(0o777)
    elif how == "a link of others":
        real = folder.rename(folder.with_name("real"))
        folder.symlink_to(real)
        os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)
    else:
        os.chown(folder, NOBODY, NOBODY)


HOWS = (
    "others can write to",
    pytest.param("a link of others", marks=needs_root),
    pytest.param("belongs to another user", marks=needs_root),
)


def test_a_cache_of_our_own_is_read_and_others_may_not_look(base: Path) -> None:
    assert open_cache(pytest.fail).layer(DIGEST) == RECORD
    assert {oct(path.stat().st_mode)[-3:] for path in (base, base / "onegig")} == {"700"}


@pytest.mark.security
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("part", ["onegig", "onegig/inspect"])
def test_a_planted_cache_is_neither_read_nor_written(base: Path, part: str, how: str) -> None:
    spoil(base / part, how)
    said: list[str] = []
    cache = open_cache(said.append)
    assert cache.layer(DIGEST) is None
    before = sorted(base.rglob("*"))
    cache.keep_layer("sha256:" + "b" * 64, RECORD)
    cache.prune()
    assert sorted(base.rglob("*")) == before
    assert len(said) == 1
    assert said[0].startswith("nothing is taken from the cache: ")
    assert str(base / part) in said[0]


@pytest.mark.security
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("part", ["", "db", "java-db"])
def test_a_planted_database_of_trivy_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, how: str
) -> None:
    program = tmp_path / "trivy"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    program.chmod(0o755)
    monkeypatch.setattr(trivy, "find_program", lambda _name: str(program))
    folder = tmp_path / "databases"
    (folder / part).mkdir(parents=True)
    spoil(folder / part, how)
    found = trivy.find(folder=folder)
    assert isinstance(found, Unknown)
    assert found.reason.startswith("its database may be somebody else's: ")
    assert not (tmp_path / "asked").exists()


def test_what_is_not_there_yet_is_no_reason_to_distrust(tmp_path: Path) -> None:
    assert distrust(tmp_path / "none") == ""
    make_private(tmp_path / "none/deep")
    assert distrust(tmp_path / "none/deep") == ""


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    assert cache_folder() == Path(os.devnull)
    cache = open_cache(lambda _text: None)
    cache.keep_layer(DIGEST, RECORD)
    assert cache.layer(DIGEST) is None
