"""Where dive and the exact account disagree, one line says why."""

import pytest

from layer_entries import directory, file, opaque, whiteout
from onegig.images.account import account
from onegig.images.accounts.dive_remark import explain
from onegig.images.accounts.parity import dive_numbers
from onegig.images.layer import Entry
from random_layers import as_index

MB = 1_000_000


def remark(*layers: list[Entry]) -> str:
    index = as_index(layers)
    return explain(dive_numbers(index), account(index))


def test_a_removed_directory_is_seen_by_the_account_alone() -> None:
    """`rm -rf dir` in a later layer: 100 % efficient to dive, 82 of 100 MB dead."""
    lower = [directory("d"), file("d/a", 80 * MB), file("d/b", 2 * MB), file("kept", 18 * MB)]
    index = as_index([lower, [whiteout("d")]])
    assert dive_numbers(index).efficiency == 1.0
    assert account(index).deleted_with_directory_bytes == 82 * MB
    assert remark(lower, [whiteout("d")]) == (
        "dive finds 0 MB wasted, 82 MB are dead: "
        "it does not see what was removed with its directory (82 MB)"
    )


def test_an_opaque_directory_is_one_that_was_removed() -> None:
    assert remark(
        [directory("d"), file("d/a", 30 * MB)], [directory("d"), opaque("d"), file("d/b")]
    ) == (
        "dive finds 0 MB wasted, 30 MB are dead: "
        "it does not see what was removed with its directory (30 MB)"
    )


def test_the_copy_in_use_is_waste_to_dive() -> None:
    assert remark([file("a", 20 * MB)], [file("a", 30 * MB)]) == (
        "dive finds 50 MB wasted, 20 MB are dead: "
        "it counts every copy of a path, the one in use too"
    )


def test_both_at_once() -> None:
    assert remark(
        [file("a", 20 * MB), directory("d"), file("d/a", 60 * MB)],
        [file("a", 30 * MB), whiteout("d")],
    ) == (
        "dive finds 50 MB wasted, 80 MB are dead: "
        "it does not see what was removed with its directory (60 MB), "
        "and it counts every copy of a path, the one in use too"
    )


def test_what_dive_leaves_out() -> None:
    assert remark([file("a", 20 * MB)], [directory("a"), file("a/b")]) == (
        "dive finds 0 MB wasted, 20 MB are dead: it leaves out files that a directory replaced, "
        "and what comes after a whiteout of nothing"
    )


@pytest.mark.parametrize(
    "layers",
    [
        ([file("a", 20 * MB)],),
        ([file("a", 20 * MB), file("b")], [whiteout("a")]),
        ([directory("d")], [whiteout("d")]),
        ([file("a", 40_000)], [file("a", 50_000)]),
        ([],),
    ],
)
def test_nothing_is_said_where_they_agree(layers: tuple[list[Entry], ...]) -> None:
    assert remark(*layers) == ""
