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

OVERWRITTEN, DELETED, WITH_DIRECTORY = Fate.OVERWRITTEN, Fate.DELETED, Fate.DELETED_WITH_DIRECTORY
NAMES = {
    OVERWRITTEN: "overwritten",
    DELETED: "deleted",
    WITH_DIRECTORY: "dir",
    Fate.METADATA: "metadata",
}
UNREAD = ""
DEEP = "/".join(["d"] * 2000)  # deeper than Python's stack


def of(*layers: Sequence[Entry]) -> Account:
    return account(as_index(layers))


def fates(result: Account) -> list[tuple[int, int, Fate, int]]:
    """(layer, killer, fate, bytes) of all that is dead."""
    return [(item.layer, item.killer, item.fate, item.bytes) for item in result.dead]


def live(result: Account) -> list[tuple[int, str, int]]:
    return [(layer, entry.path, entry.size) for layer, entry in result.live]


# Each line: what happens; the layers (see `entry`); "layer:path=bytes" of what is live;
# "layer>killer:fate=bytes" of what is dead.
CASES = """
nothing happens; a=10 d/ d/b=5 | c=1; 0:a=10 0:d/b=5 1:c=1;
overwritten; a=10 |  | a=7:new; 2:a=7; 0>2:overwritten=10
overwritten by the same size; a=10:old | a=10:new; 1:a=10; 0>1:overwritten=10
overwritten twice; a=10 | a=7 | a=3; 2:a=3; 0>1:overwritten=10 1>2:overwritten=7
the same content again; a=10 | a=10; 1:a=10; 0>1:metadata=10
unread contents are not the same; a=10? b=5? | a=10? b=5; 1:a=10 1:b=5; 0>1:overwritten=15
empty files are the same, even unread; a=0? b=0? | a=0? b=0; 1:a=0 1:b=0; 0>1:metadata=0
the same content elsewhere; a=10 | -a b=10; 1:b=10; 0>1:deleted=10
a file deleted; a=10 b=5 | -a; 0:b=5; 0>1:deleted=10
a directory deleted; d/ d/a=10 d/e/b=5 da=1 | -d; 0:da=1; 0>1:dir=15
a directory of two layers deleted by a third; d/a=10 | d/b=7 | -d; ; 0>2:dir=10 1>2:dir=7
a directory, then a file, then deleted; p/ p/a=10 | p=7 | -p; ; 0>1:dir=10 1>2:deleted=7
a file, then a directory, then deleted; p=10 | p/ p/a=7 | -p; ; 0>1:overwritten=10 1>2:dir=7
an opaque directory; d/ d/a=10 d/e/b=5 | d/ d/c=3 ~d d/a=2; 1:d/c=3 1:d/a=2; 0>1:dir=15
an opaque root; a=10 | ~ b=1; 1:b=1; 0>1:dir=10
an opaque directory over a file; d=10 | ~d; ; 0>1:overwritten=10
a directory replaced by a file; d/ d/a=10 d/e/b=5 | d=3; 1:d=3; 0>1:dir=15
a directory replaced by a symbolic link; bin/ bin/sh=10 | bin@usr/bin; ; 0>1:dir=10
a directory replaced by a hard link; d/ d/a=10 | f=3 d>f; 1:f=3; 0>1:dir=10
a file replaced by a directory; d=10 | d/; ; 0>1:overwritten=10
a file replaced by a directory that the tar does not list; d=10 | d/a=1; 1:d/a=1; 0>1:overwritten=10
a whiteout below a file makes that a directory; d=10 | -d/a; ; 0>1:overwritten=10
a file replaced by a link or a device; a=10 b=5 | a@elsewhere b!; ; 0>1:overwritten=15
a directory listed again keeps what it has; d/ d/a=10 | d/; 0:d/a=10;
one path three times in a layer; a=10 a=7 a=7; 0:a=7; 0>0:overwritten=17
a directory replaced within a layer; d/a=10 d=7; 0:d=7; 0>0:dir=10
a whiteout before its own layer's file; a=10 | -a a=10; 1:a=10; 0>1:deleted=10
a whiteout after its own layer's file; a=10 | a=10 -a; 1:a=10; 0>1:deleted=10
a whiteout after its own layer's directory; d/a=10 | d/ d/b=7 -d; 1:d/b=7; 0>1:dir=10
a whiteout in the lowest layer; a=10 -a; 0:a=10;
whiteouts of a file and its directory; d/a=10 d/b=7 | -d -d/a; ; 0>1:deleted=10 0>1:dir=7
whiteouts of a file and of all there is; a=10 b=7 | ~ -a; ; 0>1:deleted=10 0>1:dir=7
a whiteout of nothing; a=10 | -b -a/b/c -x/y ~z; ; 0>1:overwritten=10
deleted, then made again; a=10 | -a | a=10; 2:a=10; 0>1:deleted=10
hard links are one content; a=10 b>a c>b; 0:a=10;
a hard link to a cached file; tmp/b=10 tmp/a>tmp/b z>tmp/b; 0:z=10;
hard links within a cache; tmp/b=10 tmp/a>tmp/b; 0:tmp/a=10;
a hard link keeps the content; z=10 c>z b>z | -z; 0:b=10;
the last name is charged; a=10 b>a | -a | b=3; 2:b=3; 0>2:overwritten=10
the last name goes with its directory; a=10 d/b>a | -a | -d; ; 0>2:dir=10
chown of hard links; a=10 b>a | a=10 b>a; 1:a=10; 0>1:metadata=10
chown of one of two hard links; a=10 b>a | a=10; 0:b=10 1:a=10;
a hard link to a lower layer; a=10 | b>a | -a | -b; ; 0>3:deleted=10
a file overwritten by a hard link; a=10 b=7 | new=3 a>new; 0:b=7 1:new=3; 0>1:overwritten=10
a file overwritten by a hard link to the same; a=10 | new=10 a>new; 1:new=10; 0>1:metadata=10
a hard link to itself; a=10 | a>a; 0:a=10;
a hard link below its own target; a=10 | a/b>a; 0:a/b=10;
a hard link to what is not a file; x=10 y=7 z=5 d/ s@e | x>none y>d z>s; ; 0>1:overwritten=22
a hard link keeps what its layer overwrote; a=10 b>a a=7; 0:b=10 0:a=7;
paths are literal; lib@usr/lib usr/lib/a=10 | lib/a=7; 0:usr/lib/a=10 1:lib/a=7;
empty files; a=0 b=0 c=0 | -a b=0; 0:c=0 1:b=0; 0>1:deleted=0 0>1:metadata=0
"""


def entry(text: str) -> Entry:
    """Read an entry.

    a=10 is a file, a=10:x one with content x, a=10? an unread one; d/ a directory, -a a whiteout,
    ~d an opaque directory, a@b a symbolic link, a>b a hard link to b, a! a device.
    """
    path = text[1:] if text[0] in "-~" else text[:-1]
    match text[0], text[-1]:
        case "-", _:
            return whiteout(path)
        case "~", _:
            return opaque(path)
        case _, "/":
            return directory(path)
        case _, "!":
            return device(path)
    for mark, link in (("@", symlink), (">", hardlink)):
        if mark in text:
            return link(*text.split(mark))
    path, _, size = text.rstrip("?").partition("=")
    size, _, content = size.partition(":")
    return file(path, int(size), UNREAD if text.endswith("?") else content or "1")


@pytest.mark.parametrize("case", CASES.strip().splitlines())
def test_fates(case: str) -> None:
    _, layers, expected_live, expected_dead = f"{case};;".split(";")[:4]
    result = of(*(list(map(entry, layer.split())) for layer in layers.split("|")))
    alive = [f"{layer}:{item.path}={item.size}" for layer, item in result.live]
    dead = [f"{item.layer}>{item.killer}:{NAMES[item.fate]}={item.bytes}" for item in result.dead]
    assert alive == expected_live.split()
    assert sorted(dead) == sorted(expected_dead.split())


def test_fates_of_a_deep_tree_and_of_nothing() -> None:
    assert fates(of([file(DEEP, 10)], [whiteout("d")])) == [(0, 1, WITH_DIRECTORY, 10)]
    assert live(of([], [file("a", 1)], [])) == [(1, "a", 1)]
    assert of().dead == of().live == ()


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
    result = of([file("\udcff/é", 3)], [whiteout("\udcff/é")])
    assert result.dead[0].largest == (SizedPath(path="\\xff/é", bytes=3),)


def test_the_largest_group_comes_first() -> None:
    result = of([file("a", 1), file("b", 9)], [whiteout("a"), file("b", 5)], [file("b", 2)])
    assert fates(result) == [(0, 1, OVERWRITTEN, 9), (1, 2, OVERWRITTEN, 5), (0, 1, DELETED, 1)]
    assert (result.dead_bytes(OVERWRITTEN), result.dead_bytes(DELETED)) == (14, 1)
    assert (result.live_bytes, result.dead_bytes()) == (2, 15)


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
    result, slow = account(layers), NaiveAccount(layers)
    names = {
        file: slow.entry(file).path if slow.entry(file).path in paths else min(paths)
        for file, paths in slow.live.items()
    }
    assert live(result) == [(at[0], names[at], slow.entry(at).size) for at in sorted(names)]
    groups: defaultdict[tuple[int, int, Fate], list[int]] = defaultdict(list)
    for at, (killer, fate) in slow.dead.items():
        groups[at[0], killer, fate].append(slow.entry(at).size)
    assert {
        (item.layer, item.killer, item.fate): (item.bytes, item.files) for item in result.dead
    } == {key: (sum(sizes), len(sizes)) for key, sizes in groups.items()}
    _adds_up(result, layers)


def _adds_up(result: Account, layers: Sequence[LayerIndex]) -> None:
    sums = result.live_bytes + result.dead_bytes()
    assert sums == sum(layer.size_bytes for layer in layers)
    assert all(len(item.largest) == min(item.files, LARGEST_PATHS) for item in result.dead)
