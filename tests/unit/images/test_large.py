"""What a part of a stack lists of its files, so that other parts' images can be compared."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.merge import FLOOR_BYTES, index_large, list_large
from onegig.model.images import LargeFiles


def file(path: str, size: int, content: str = "") -> Entry:
    """A file that was read."""
    digest = (content or path).encode("utf-8", "surrogateescape").ljust(16, b".")
    return Entry(path=path, kind=Kind.FILE, size=size, digest=digest)


def layer(name: str, *entries: Entry) -> LayerIndex:
    return LayerIndex(diff_id=f"sha256:{name}", entries=entries, contents={})


def paths(large: LargeFiles) -> list[str]:
    return [f"{item.diff_id[7:]}:{entry.path}" for item in large.layers for entry in item.files]


def test_contents_that_take_enough_with_all_their_copies_are_listed() -> None:
    large = list_large(
        [
            layer("a", file("one", FLOOR_BYTES), file("less", FLOOR_BYTES - 1)),
            layer("b", file("x", 40_000, "same"), file("empty", 0)),
            layer("c", file("y", 40_000, "same"), file("z", 40_000, "another")),
        ]
    )
    assert paths(large) == ["a:one", "b:x", "c:y"]
    assert large.at_least_bytes == FLOOR_BYTES


def test_contents_of_which_nothing_is_known_and_what_is_no_file_are_not_listed() -> None:
    nameless = Entry(path="a", kind=Kind.FILE, size=FLOOR_BYTES)
    link = Entry(path="b", kind=Kind.HARDLINK, link="a")
    assert list_large([layer("a", nameless, link)]).layers == ()


@pytest.mark.parametrize(("most", "listed"), [(4, "abcd"), (3, "ab"), (2, "ab"), (1, "a"), (0, "")])
def test_of_very_many_the_largest_are_listed_and_all_that_take_as_much(
    most: int, listed: str
) -> None:
    files = [file(name, size) for name, size in (("a", 400), ("b", 300), ("c", 200), ("d", 200))]
    large = list_large([layer("x", *files)], floor_bytes=100, most=most)
    assert "".join(item[-1] for item in paths(large)) == listed
    assert all(entry.size < large.at_least_bytes for entry in files if entry.path not in listed)
    assert large.at_least_bytes == 100 or len(listed) < 4


def test_paths_that_are_not_utf_8_are_escaped_once() -> None:
    odd = file(b"caf\xe9 \\ x".decode("utf-8", "surrogateescape"), 9, "content")
    large = list_large([layer("a", odd)], floor_bytes=1)
    assert paths(large) == ["a:caf\\xe9 \\ x"]
    (index,) = index_large([large]).values()
    assert paths(list_large([index], floor_bytes=1)) == paths(large)


def test_layers_that_several_list_are_known_by_what_all_say() -> None:
    whole = layer("a", file("x", 50), file("y", 90), file("z", 10))
    lists = [list_large([whole], floor_bytes=floor) for floor in (60, 40)]
    (index,) = index_large(lists).values()
    assert sorted(entry.path for entry in index.entries) == ["x", "y"]


entries = st.builds(
    file, st.sampled_from("abcdef"), st.integers(0, 5), st.sampled_from(("k", "l", "m"))
)
layers = st.dictionaries(st.sampled_from("pqr"), st.lists(entries, max_size=6)).map(
    lambda large: [layer(name, *entry) for name, entry in large.items()]
)


@given(large=layers, floor=st.integers(1, 20), most=st.integers(0, 20))
def test_exactly_what_takes_enough_is_listed(
    large: list[LayerIndex], floor: int, most: int
) -> None:
    listed = list_large(large, floor, most)
    files = [(item.diff_id, entry) for item in large for entry in item.entries if entry.size]
    copies = Counter((entry.digest, entry.size) for _, entry in files)
    expected = [
        f"{diff_id[7:]}:{entry.path}"
        for diff_id, entry in files
        if entry.size * copies[entry.digest, entry.size] >= listed.at_least_bytes
    ]
    assert paths(listed) == expected
    assert listed.at_least_bytes >= floor
    assert len(expected) <= most or not expected
