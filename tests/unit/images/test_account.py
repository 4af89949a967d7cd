"""Every byte of every layer is live or has one fate, charged to the layer that did it."""

import os
from collections import defaultdict
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layer_entries import device, directory, file, hardlink, opaque, symlink, whiteout
from naive_account import NaiveAccount
from onegig.errors import AccountError, ExitCode
from onegig.images.account import LARGEST_PATHS, Account, account
from onegig.images.layer import Entry, LayerIndex
from onegig.model.images import Dead, Fate, SizedPath
from random_layers import as_index, random_layers

LIVE, OVERWRITTEN, METADATA = Fate.LIVE, Fate.OVERWRITTEN, Fate.METADATA
DELETED, WITH_DIRECTORY = Fate.DELETED, Fate.DELETED_WITH_DIRECTORY
UNREAD = ""
DEEP = "/".join(["d"] * 2000)  # deeper than Python's stack


def of(*layers: Sequence[Entry]) -> Account:
    return account(as_index(layers))


def fates(made: Account) -> list[tuple[int, int, Fate, int]]:
    """(layer, killer, fate, bytes) of all that is dead."""
    return [(one.layer, one.killer, one.fate, one.bytes) for one in made.dead]


def live(made: Account) -> list[tuple[int, str, int]]:
    return [(layer, entry.path, entry.size) for layer, entry in made.live]


CASES = {
    "nothing happens": (
        [[file("a", 10), directory("d"), file("d/b", 5)], [file("c", 1)]],
        [(0, "a", 10), (0, "d/b", 5), (1, "c", 1)],
        [],
    ),
    "overwritten": (
        [[file("a", 10)], [], [file("a", 7, "new")]],
        [(2, "a", 7)],
        [(0, 2, OVERWRITTEN, 10)],
    ),
    "overwritten by the same size": (
        [[file("a", 10, "old")], [file("a", 10, "new")]],
        [(1, "a", 10)],
        [(0, 1, OVERWRITTEN, 10)],
    ),
    "overwritten twice": (
        [[file("a", 10)], [file("a", 7)], [file("a", 3)]],
        [(2, "a", 3)],
        [(0, 1, OVERWRITTEN, 10), (1, 2, OVERWRITTEN, 7)],
    ),
    "the same content again": (
        [[file("a", 10)], [file("a", 10)]],
        [(1, "a", 10)],
        [(0, 1, METADATA, 10)],
    ),
    "contents that were not read are not the same": (
        [[file("a", 10, UNREAD), file("b", 5, UNREAD)], [file("a", 10, UNREAD), file("b", 5)]],
        [(1, "a", 10), (1, "b", 5)],
        [(0, 1, OVERWRITTEN, 15)],
    ),
    "empty files are the same, though nobody reads them": (
        [[file("a", 0, UNREAD), file("b", 0, UNREAD)], [file("a", 0, UNREAD), file("b", 0)]],
        [(1, "a", 0), (1, "b", 0)],
        [(0, 1, METADATA, 0)],
    ),
    "the same content elsewhere is no copy for its metadata": (
        [[file("a", 10)], [whiteout("a"), file("b", 10)]],
        [(1, "b", 10)],
        [(0, 1, DELETED, 10)],
    ),
    "a file deleted": (
        [[file("a", 10), file("b", 5)], [whiteout("a")]],
        [(0, "b", 5)],
        [(0, 1, DELETED, 10)],
    ),
    "a directory deleted": (
        [[directory("d"), file("d/a", 10), file("d/e/b", 5), file("da", 1)], [whiteout("d")]],
        [(0, "da", 1)],
        [(0, 1, WITH_DIRECTORY, 15)],
    ),
    "a directory of two layers deleted by a third": (
        [[file("d/a", 10)], [file("d/b", 7)], [whiteout("d")]],
        [],
        [(0, 2, WITH_DIRECTORY, 10), (1, 2, WITH_DIRECTORY, 7)],
    ),
    "a path that is a directory, then a file, then deleted": (
        [[directory("p"), file("p/a", 10)], [file("p", 7)], [whiteout("p")]],
        [],
        [(0, 1, WITH_DIRECTORY, 10), (1, 2, DELETED, 7)],
    ),
    "a path that is a file, then a directory, then deleted": (
        [[file("p", 10)], [directory("p"), file("p/a", 7)], [whiteout("p")]],
        [],
        [(0, 1, OVERWRITTEN, 10), (1, 2, WITH_DIRECTORY, 7)],
    ),
    "an opaque directory": (
        [
            [directory("d"), file("d/a", 10), file("d/e/b", 5)],
            [directory("d"), file("d/c", 3), opaque("d"), file("d/a", 2)],
        ],
        [(1, "d/c", 3), (1, "d/a", 2)],
        [(0, 1, WITH_DIRECTORY, 15)],
    ),
    "an opaque root": (
        [[file("a", 10)], [opaque(""), file("b", 1)]],
        [(1, "b", 1)],
        [(0, 1, WITH_DIRECTORY, 10)],
    ),
    "an opaque directory over a file": (
        [[file("d", 10)], [opaque("d")]],
        [],
        [(0, 1, OVERWRITTEN, 10)],
    ),
    "a directory replaced by a file": (
        [[directory("d"), file("d/a", 10), file("d/e/b", 5)], [file("d", 3)]],
        [(1, "d", 3)],
        [(0, 1, WITH_DIRECTORY, 15)],
    ),
    "a directory replaced by a symbolic link": (
        [[directory("bin"), file("bin/sh", 10)], [symlink("bin", "usr/bin")]],
        [],
        [(0, 1, WITH_DIRECTORY, 10)],
    ),
    "a directory replaced by a hard link": (
        [[directory("d"), file("d/a", 10)], [file("f", 3), hardlink("d", "f")]],
        [(1, "f", 3)],
        [(0, 1, WITH_DIRECTORY, 10)],
    ),
    "a file replaced by a directory": (
        [[file("d", 10)], [directory("d")]],
        [],
        [(0, 1, OVERWRITTEN, 10)],
    ),
    "a file replaced by a directory that the tar does not list": (
        [[file("d", 10)], [file("d/a", 1)]],
        [(1, "d/a", 1)],
        [(0, 1, OVERWRITTEN, 10)],
    ),
    "a whiteout below a file makes that a directory": (
        [[file("d", 10)], [whiteout("d/a")]],
        [],
        [(0, 1, OVERWRITTEN, 10)],
    ),
    "a file replaced by a link or a device": (
        [[file("a", 10), file("b", 5)], [symlink("a"), device("b")]],
        [],
        [(0, 1, OVERWRITTEN, 15)],
    ),
    "a directory listed again keeps what it has": (
        [[directory("d"), file("d/a", 10)], [directory("d")]],
        [(0, "d/a", 10)],
        [],
    ),
    "one path three times in a layer": (
        [[file("a", 10), file("a", 7), file("a", 7)]],
        [(0, "a", 7)],
        [(0, 0, OVERWRITTEN, 17)],
    ),
    "a directory replaced within a layer": (
        [[file("d/a", 10), file("d", 7)]],
        [(0, "d", 7)],
        [(0, 0, WITH_DIRECTORY, 10)],
    ),
    "a whiteout before its own layer's file": (
        [[file("a", 10)], [whiteout("a"), file("a", 10)]],
        [(1, "a", 10)],
        [(0, 1, DELETED, 10)],
    ),
    "a whiteout after its own layer's file": (
        [[file("a", 10)], [file("a", 10), whiteout("a")]],
        [(1, "a", 10)],
        [(0, 1, DELETED, 10)],
    ),
    "a whiteout after its own layer's directory": (
        [[file("d/a", 10)], [directory("d"), file("d/b", 7), whiteout("d")]],
        [(1, "d/b", 7)],
        [(0, 1, WITH_DIRECTORY, 10)],
    ),
    "a whiteout in the lowest layer": ([[file("a", 10), whiteout("a")]], [(0, "a", 10)], []),
    "whiteouts of a file and of the directory above it": (
        [[file("d/a", 10), file("d/b", 7)], [whiteout("d"), whiteout("d/a")]],
        [],
        [(0, 1, DELETED, 10), (0, 1, WITH_DIRECTORY, 7)],
    ),
    "whiteouts of a file and of all there is": (
        [[file("a", 10), file("b", 7)], [opaque(""), whiteout("a")]],
        [],
        [(0, 1, DELETED, 10), (0, 1, WITH_DIRECTORY, 7)],
    ),
    "a whiteout of nothing": (
        [[file("a", 10)], [whiteout("b"), whiteout("a/b/c"), whiteout("x/y"), opaque("z")]],
        [],
        [(0, 1, OVERWRITTEN, 10)],
    ),
    "deleted, then made again": (
        [[file("a", 10)], [whiteout("a")], [file("a", 10)]],
        [(2, "a", 10)],
        [(0, 1, DELETED, 10)],
    ),
    "hard links are one content": (
        [[file("a", 10), hardlink("b", "a"), hardlink("c", "b")]],
        [(0, "a", 10)],
        [],
    ),
    "a hard link keeps the content": (
        [[file("z", 10), hardlink("c", "z"), hardlink("b", "z")], [whiteout("z")]],
        [(0, "b", 10)],
        [],
    ),
    "the last name is charged": (
        [[file("a", 10), hardlink("b", "a")], [whiteout("a")], [file("b", 3)]],
        [(2, "b", 3)],
        [(0, 2, OVERWRITTEN, 10)],
    ),
    "the last name goes with its directory": (
        [[file("a", 10), hardlink("d/b", "a")], [whiteout("a")], [whiteout("d")]],
        [],
        [(0, 2, WITH_DIRECTORY, 10)],
    ),
    "chown of hard links": (
        [[file("a", 10), hardlink("b", "a")], [file("a", 10), hardlink("b", "a")]],
        [(1, "a", 10)],
        [(0, 1, METADATA, 10)],
    ),
    "chown of one of two hard links": (
        [[file("a", 10), hardlink("b", "a")], [file("a", 10)]],
        [(0, "b", 10), (1, "a", 10)],
        [],
    ),
    "a hard link to a lower layer": (
        [[file("a", 10)], [hardlink("b", "a")], [whiteout("a")], [whiteout("b")]],
        [],
        [(0, 3, DELETED, 10)],
    ),
    "a file overwritten by a hard link": (
        [[file("a", 10), file("b", 7)], [file("new", 3), hardlink("a", "new")]],
        [(0, "b", 7), (1, "new", 3)],
        [(0, 1, OVERWRITTEN, 10)],
    ),
    "a file overwritten by a hard link to the same content": (
        [[file("a", 10)], [file("new", 10), hardlink("a", "new")]],
        [(1, "new", 10)],
        [(0, 1, METADATA, 10)],
    ),
    "a hard link to itself": ([[file("a", 10)], [hardlink("a", "a")]], [(0, "a", 10)], []),
    "a hard link below its own target": (
        [[file("a", 10)], [hardlink("a/b", "a")]],
        [(0, "a/b", 10)],
        [],
    ),
    "a hard link to nothing, to a directory, to a symbolic link": (
        [
            [file("x", 10), file("y", 7), file("z", 5), directory("d"), symlink("s")],
            [hardlink("x", "none"), hardlink("y", "d"), hardlink("z", "s")],
        ],
        [],
        [(0, 1, OVERWRITTEN, 22)],
    ),
    "a hard link keeps what its layer overwrote": (
        [[file("a", 10), hardlink("b", "a"), file("a", 7)]],
        [(0, "b", 10), (0, "a", 7)],
        [],
    ),
    "paths are literal": (
        [[symlink("lib", "usr/lib"), file("usr/lib/a", 10)], [file("lib/a", 7)]],
        [(0, "usr/lib/a", 10), (1, "lib/a", 7)],
        [],
    ),
    "empty files": (
        [[file("a", 0), file("b", 0), file("c", 0)], [whiteout("a"), file("b", 0)]],
        [(0, "c", 0), (1, "b", 0)],
        [(0, 1, DELETED, 0), (0, 1, METADATA, 0)],
    ),
    "a deep tree": ([[file(DEEP, 10)], [whiteout("d")]], [], [(0, 1, WITH_DIRECTORY, 10)]),
    "empty layers": ([[], [file("a", 1)], []], [(1, "a", 1)], []),
    "no layers": ([], [], []),
}


@pytest.mark.parametrize("name", CASES)
def test_fates(name: str) -> None:
    layers, expected_live, expected_dead = CASES[name]
    made = of(*layers)
    assert live(made) == expected_live
    assert sorted(fates(made)) == sorted(expected_dead)


def test_the_largest_paths_come_first_and_are_few() -> None:
    entries = [file(f"d/{number}", number) for number in range(20)] + [file("d/\udcff", 15)]
    assert of(entries, [whiteout("d")]).dead == (
        Dead(
            layer=0,
            killer=1,
            fate=WITH_DIRECTORY,
            bytes=205,
            files=21,
            largest=(
                SizedPath(path="d/19", bytes=19),
                SizedPath(path="d/18", bytes=18),
                SizedPath(path="d/17", bytes=17),
                SizedPath(path="d/16", bytes=16),
                SizedPath(path="d/15", bytes=15),
            ),
        ),
    )


def test_paths_that_are_not_utf_8_are_escaped() -> None:
    made = of([file("\udcff/é", 3)], [whiteout("\udcff/é")])
    assert made.dead[0].largest == (SizedPath(path="\\xff/é", bytes=3),)


def test_the_largest_group_comes_first() -> None:
    made = of([file("a", 1), file("b", 9)], [whiteout("a"), file("b", 5)], [file("b", 2)])
    assert fates(made) == [
        (0, 1, OVERWRITTEN, 9),
        (1, 2, OVERWRITTEN, 5),
        (0, 1, DELETED, 1),
    ]
    assert (made.live_bytes, made.overwritten_bytes, made.deleted_bytes) == (2, 14, 1)
    assert made.dead_bytes == 15


def test_bytes_that_do_not_add_up_are_a_bug_of_ours() -> None:
    """An index that gives a symbolic link a size counts bytes that no file has."""
    wrong = Entry(path="a", kind=symlink("a").kind, size=3)
    with pytest.raises(
        AccountError, match=r"0 bytes of layer .* are accounted for, but it has 3"
    ) as caught:
        of([wrong])
    assert caught.value.exit_code is ExitCode.BUG


@settings(max_examples=int(os.environ.get("ONEGIG_ACCOUNT_IMAGES", "150")))
@given(st.randoms(use_true_random=False))
def test_any_image_is_accounted_for_as_the_slow_way_does(random: Random) -> None:
    layers = as_index(random_layers(random))
    made, slow = account(layers), NaiveAccount(layers)
    names = {
        file: slow.entry(file).path if slow.entry(file).path in paths else min(paths)
        for file, paths in slow.live.items()
    }
    assert live(made) == [(at[0], names[at], slow.entry(at).size) for at in sorted(names)]
    groups: defaultdict[tuple[int, int, Fate], list[int]] = defaultdict(list)
    for at, (killer, fate) in slow.dead.items():
        groups[at[0], killer, fate].append(slow.entry(at).size)
    assert {(one.layer, one.killer, one.fate): (one.bytes, one.files) for one in made.dead} == {
        key: (sum(sizes), len(sizes)) for key, sizes in groups.items()
    }
    _adds_up(made, layers)


def _adds_up(made: Account, layers: Sequence[LayerIndex]) -> None:
    sums = (
        made.live_bytes
        + made.overwritten_bytes
        + made.deleted_bytes
        + made.deleted_with_directory_bytes
        + made.metadata_bytes
    )
    assert sums == sum(layer.size_bytes for layer in layers)
    assert all(len(one.largest) == min(one.files, LARGEST_PATHS) for one in made.dead)
