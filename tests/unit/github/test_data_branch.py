"""The data branch, with real git and real repositories: what is published, and where."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_remotes import BRANCH, OURS, Remote, Sleeps, badge, baseline, history, publish
from histories import commit, entry, incomplete
from onegig.errors import ConfigError, HistoryError, OnegigError, PublishError
from onegig.github import data_branch as data_branch
from onegig.github.data_branch import Target, web_address
from onegig.github.history import MARKER, Kept, parse_history, readme, write_history
from onegig.model.codec import from_json, to_json
from onegig.model.verdict import Baseline


def test_first_push_makes_an_orphan_with_every_file(remote: Remote) -> None:
    remote.write({"app.py": "pass"}, "main")
    done = publish(remote, entry(1))
    assert remote.files() == [f"100644 {name}" for name in OURS]
    assert remote.git("log", "--format=%P|%an|%s", BRANCH) == f"|onegig|Numbers of {commit(1)}\n"
    assert (done.commit, done.created, done.attempts) == (remote.head(), True, 1)
    assert (history(remote), badge(remote)) == ([1], "612 / 1,024 MB")
    assert baseline(remote) == entry(1)


def test_branch_stays_one_commit_however_often_it_is_published(remote: Remote) -> None:
    for number in (1, 2, 3):
        publish(remote, entry(number))
    assert remote.git("rev-list", "--count", BRANCH) == "1\n"
    assert history(remote) == [1, 2, 3]
    assert baseline(remote) == entry(3)


def test_images_are_those_of_the_history(remote: Remote) -> None:
    publish(remote, entry(1, 400))
    publish(remote, entry(2, 500))
    assert "400 MB, highest 500 MB" in remote.read("trend.svg")
    assert 'aria-label="memory: 500 / 1,024 MB"' in remote.read("badge.svg")


def test_seed_makes_an_unknown_badge_before_anything_links_to_it(remote: Remote) -> None:
    assert publish(remote, None).created
    assert remote.files() == [f"100644 {name}" for name in OURS if name != "baseline.json"]
    assert (history(remote), badge(remote)) == ([], "unknown")
    assert not publish(remote, None).commit
    publish(remote, entry(1))
    assert history(remote) == [1]


def test_seed_takes_nothing_away(remote: Remote) -> None:
    publish(remote, entry(1))
    before = remote.head()
    assert publish(remote, None).commit == ""
    assert remote.head() == before


def test_same_numbers_again_change_nothing(remote: Remote) -> None:
    publish(remote, entry(1))
    before = remote.head()
    assert publish(remote, entry(1)).commit == ""
    assert remote.head() == before


def test_incomplete_run_makes_the_badge_unknown_and_leaves_the_baseline(remote: Remote) -> None:
    publish(remote, entry(1))
    publish(remote, incomplete(2))
    assert (history(remote), badge(remote)) == ([1, 2], "unknown")
    assert baseline(remote) == entry(1)
    publish(remote, entry(3, 700))
    assert (badge(remote), baseline(remote)) == ("700 / 1,024 MB", entry(3, 700))


def test_incomplete_second_run_of_the_baseline_leaves_its_numbers(remote: Remote) -> None:
    publish(remote, entry(1))
    publish(remote, incomplete(1))
    assert (history(remote), badge(remote)) == ([1], "unknown")
    assert baseline(remote) == entry(1)


def test_measuring_the_baseline_again_replaces_it(remote: Remote) -> None:
    publish(remote, entry(1, 600))
    again = entry(1, 620, created="2026-11-23T19:00:00+00:00")
    publish(remote, again)
    assert baseline(remote) == again


def test_older_run_that_finishes_late_replaces_nothing_newer(remote: Remote) -> None:
    publish(remote, entry(1))
    publish(remote, entry(3, 700))
    publish(remote, entry(2, 900))
    assert history(remote) == [1, 2, 3]
    assert (badge(remote), baseline(remote)) == ("700 / 1,024 MB", entry(3, 700))
    publish(remote, incomplete(2))
    assert badge(remote) == "700 / 1,024 MB"


@pytest.mark.parametrize("name", ["", "a..b", "-x y", "refs/heads/", "a\nb", "a:b"])
def test_name_that_no_branch_can_have_is_refused(remote: Remote, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid name for a branch"):
        publish(remote, entry(1), branch=name)


def test_branch_of_another_name(remote: Remote) -> None:
    publish(remote, entry(1), branch="data/memory")
    assert remote.head("data/memory")
    assert not remote.head()


def test_missing_repository_is_told(tmp_path: Path, remote: Remote) -> None:
    target = Target(remote=str(tmp_path / "nowhere"), branch=BRANCH)
    with pytest.raises(PublishError, match="git could not read or write onegig-data") as caught:
        data_branch.publish(entry(1), target, clock=Sleeps(), jitter=lambda: 1.0)
    assert "does not appear to be a git repository" in caught.value.detail


@pytest.mark.parametrize(
    ("given_remote", "web"),
    [
        ("https://github.com/octo/stack", "https://github.com/octo/stack"),
        ("https://github.com/octo/stack.git", "https://github.com/octo/stack"),
        ("https://me@github.example/octo/stack.git/", "https://github.example/octo/stack"),
        ("git@github.com:octo/stack.git", "https://github.com/octo/stack"),
        ("ssh://git@github.com:22/octo/stack.git", "https://github.com/octo/stack"),
        ("ssh://git@github.com/octo/stack.git", "https://github.com/octo/stack"),
        ("/srv/git/stack.git", ""),
        ("../stack", ""),
    ],
)
def test_address_for_a_browser(given_remote: str, web: str) -> None:
    assert web_address(given_remote) == web


def test_whole_branch(remote: Remote, golden: Callable[[str, str], None]) -> None:
    for one in (entry(1, 480), incomplete(2), entry(3, 612)):
        publish(remote, one)
    for name in OURS:
        if name not in ("README.md", "trend.svg"):  # one below, the other has tests of its own
            golden(f"data-branch/{name}", remote.read(name))
    golden("data-branch/README.md", readme("https://github.com/octo/stack", BRANCH))


def test_readme_keeps_the_line_by_which_the_branch_is_known() -> None:
    assert MARKER in readme("", BRANCH)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 2000)), max_size=20))
def test_baseline_is_the_newest_commit_that_was_ever_complete(
    runs: list[tuple[int, bool, int]],
) -> None:
    kept = Kept()
    for number, measured, total in runs:
        kept = kept.with_entry(entry(number, total) if measured else incomplete(number))
    assert parse_history(write_history(kept.history)) == kept.history
    assert kept.history == tuple(sorted(kept.history, key=lambda one: one.created))
    complete = [number for number, measured, _ in runs if measured]
    if not complete:
        assert kept.baseline is None
        return
    newest = max(complete)
    total = next(t for number, ok, t in reversed(runs) if ok and number == newest)
    assert kept.baseline == entry(newest, total)
    assert from_json(Baseline, to_json(entry(newest, total)), "x") == kept.baseline


def test_errors_are_of_a_kind_that_the_command_line_tells() -> None:
    assert issubclass(HistoryError, OnegigError)
    assert issubclass(PublishError, OnegigError)
