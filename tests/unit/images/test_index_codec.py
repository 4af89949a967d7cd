"""An index comes back as it was, or not at all."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegig.images.cache import Cache
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.reading.index_codec import decode, encode

DIFF_ID = "sha256:" + "3" * 64
PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=20).map(
    lambda text: text.encode("utf-8", "ignore").decode() + "\udcff" * (len(text) % 2)
)
FILES = st.builds(
    Entry,
    path=PATHS,
    kind=st.just(Kind.FILE),
    size=st.integers(0, 2**63),
    digest=st.binary(min_size=16, max_size=16),
)
OTHERS = st.builds(
    Entry,
    path=PATHS,
    kind=st.sampled_from([kind for kind in Kind if kind is not Kind.FILE]),
    link=PATHS,
)
INDEXES = st.builds(
    LayerIndex,
    diff_id=st.just(DIFF_ID),
    entries=st.lists(FILES | OTHERS, max_size=12).map(tuple),
    contents=st.dictionaries(PATHS, st.binary(max_size=50), max_size=4),
)


@given(INDEXES)
def test_an_index_comes_back_as_it_was(index: LayerIndex) -> None:
    assert decode(encode(index)) == index


@given(INDEXES, st.data())
def test_a_damaged_index_is_none(index: LayerIndex, data: st.DataObject) -> None:
    raw = encode(index)
    at = data.draw(st.integers(0, len(raw) - 1))
    flipped = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]
    for damaged in (raw[:at], flipped):
        try:
            assert decode(damaged) == index  # a bit that zstd does not use
        except ValueError:
            continue


def test_the_cache_keeps_indexes_by_diff_id(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    file = Entry(path="a", kind=Kind.FILE, size=1, digest=b"d" * 16)
    index = LayerIndex(diff_id=DIFF_ID, entries=(file,), contents={"etc/os-release": b"ID=alpine"})
    assert cache.index(DIFF_ID) is None
    assert not cache.has_indexes([DIFF_ID])
    cache.keep_index(index)
    assert cache.index(DIFF_ID) == index
    assert cache.has_indexes([DIFF_ID])
    (entry,) = tmp_path.glob("index-*")
    entry.write_bytes(encode(dataclasses.replace(index, diff_id="sha256:another")))
    assert cache.index(DIFF_ID) is None
    entry.write_bytes(b"")
    assert cache.index(DIFF_ID) is None


@pytest.mark.parametrize("raw", [b"", b"onegig-index/1\n", b"onegig-index/2\n" + b"\0" * 40])
def test_what_is_no_index_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="index"):
        decode(raw)
