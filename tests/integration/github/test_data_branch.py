"""The data branch, with real git: what is published, and what of others is kept."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_remotes import BRANCH, OURS, Remote, Sleeps, badge, baseline, history, publish
from histories import commit, entry, incomplete
from onegig.errors import ConfigError, ExitCode, HistoryError, PublishError
from onegig.github import data_branch as data_branch
from onegig.github.data_branch import Target, web_address
from onegig.github.history import Record, parse_history, readme, write_history
from onegig.model.codec import from_json, to_json, to_line
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


@pytest.mark.parametrize("again", [None, entry(1)], ids=["seed", "the same numbers"])
def test_nothing_new_changes_nothing(remote: Remote, again: Baseline | None) -> None:
    publish(remote, entry(1))
    before = remote.head()
    assert publish(remote, again).commit == ""
    assert remote.head() == before


def test_incomplete_run_makes_the_badge_unknown_and_leaves_the_baseline(remote: Remote) -> None:
    publish(remote, entry(1))
    publish(remote, incomplete(2))
    assert (history(remote), badge(remote)) == ([1, 2], "unknown")
    assert baseline(remote) == entry(1)
    publish(remote, entry(3, 700))
    assert (badge(remote), baseline(remote)) == ("700 / 1,024 MB", entry(3, 700))


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
    for item in (entry(1, 480), incomplete(2), entry(3, 612)):
        publish(remote, item)
    for name in OURS:
        if name not in ("README.md", "trend.svg"):  # one below, the other has tests of its own
            golden(f"data-branch/{name}", remote.read(name))
    golden("data-branch/README.md", readme("https://github.com/octo/stack", BRANCH))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 2000)), max_size=20))
def test_baseline_is_the_newest_commit_that_was_ever_complete(
    runs: list[tuple[int, bool, int]],
) -> None:
    record = Record()
    for number, measured, total in runs:
        record = record.with_entry(entry(number, total) if measured else incomplete(number))
    assert parse_history(write_history(record.history)) == record.history
    assert record.history == tuple(sorted(record.history, key=lambda item: item.created))
    complete = [number for number, measured, _ in runs if measured]
    if not complete:
        assert record.baseline is None
        return
    newest = max(complete)
    total = next(t for number, ok, t in reversed(runs) if ok and number == newest)
    assert record.baseline == entry(newest, total)
    assert from_json(Baseline, to_json(entry(newest, total)), "x") == record.baseline


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("history.jsonl", to_line(entry(1)) + "<<<<<<< ours\n"),
        ("history.jsonl", to_line(entry(1))[:-40]),
        ("history.jsonl", to_line(entry(1)).replace("onegig/baseline/1", "onegig/baseline/2")),
        ("history.jsonl", "\n"),
        ("baseline.json", "{}"),
        ("baseline.json", ""),
        ("README.md", "# My own page\n"),
    ],
)
@pytest.mark.parametrize("new", [entry(2), None], ids=["entry", "seed"])
def test_what_cannot_be_read_is_never_written_over(
    remote: Remote, name: str, broken: str, new: Baseline | None
) -> None:
    publish(remote, entry(1))
    remote.write({name: broken})
    before = remote.head()
    with pytest.raises((HistoryError, PublishError), match="nothing was changed") as caught:
        publish(remote, new)
    assert caught.value.exit_code is ExitCode.INCOMPLETE
    assert caught.value.advice
    assert remote.head() == before


def put(remote: Remote, tree: str) -> None:
    """Make a tree the branch."""
    created = remote.git("commit-tree", tree.strip(), "-m", "by hand").strip()
    remote.git("update-ref", f"refs/heads/{BRANCH}", created)


def git_bytes(remote: Remote, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["git", f"--git-dir={remote.path}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


def test_history_that_is_no_text_is_never_written_over(remote: Remote, tmp_path: Path) -> None:
    publish(remote, entry(1))
    (tmp_path / "bytes").write_bytes(to_line(entry(1, metric="r\u00e9s")).encode("latin-1"))
    blob = remote.git("hash-object", "-w", str(tmp_path / "bytes")).strip()
    remote.git("read-tree", BRANCH)
    remote.git("update-index", "--cacheinfo", f"100644,{blob},history.jsonl")
    tree = remote.git("write-tree").strip()
    put(remote, tree)
    before = remote.head()
    with pytest.raises(PublishError, match=r"history\.jsonl on onegig-data is not UTF-8 text"):
        publish(remote, entry(2))
    assert remote.head() == before


def test_history_as_a_link_to_somewhere_is_not_followed(remote: Remote) -> None:
    publish(remote, entry(1))
    remote.write({"history.jsonl": "/etc/passwd"}, mode="120000")
    with pytest.raises(HistoryError):
        publish(remote, entry(2))


def test_branch_of_somebody_else_is_refused(remote: Remote) -> None:
    remote.write({"README.md": "# Stack\n", "history.jsonl": "", "app.py": "pass\n"}, "main")
    before = remote.head("main")
    with pytest.raises(PublishError, match="the branch main was not created by onegig") as caught:
        publish(remote, entry(1), branch="main")
    assert "--branch" in caught.value.advice
    assert remote.head("main") == before


def test_deleted_history_begins_anew(remote: Remote) -> None:
    publish(remote, entry(1))
    tree = "".join(
        f"{line}\n"
        for line in remote.git("ls-tree", BRANCH).splitlines()
        if not line.endswith(("history.jsonl", "baseline.json"))
    )
    put(remote, remote.git("mktree", stdin=tree))
    publish(remote, entry(2))
    assert (history(remote), baseline(remote)) == ([2], entry(2))


def test_files_of_others_are_kept(remote: Remote) -> None:
    publish(remote, entry(1))
    remote.write({"CNAME": "example.org", "docs/a b\u00fc.md": "hello"})
    remote.write({"run": "#!/bin/sh"}, mode="100755")
    remote.write({"link": "CNAME"}, mode="120000")
    theirs = [line for line in remote.files() if line.split(" ", 1)[1] not in OURS]
    publish(remote, entry(2))
    assert [line for line in remote.files() if line.split(" ", 1)[1] not in OURS] == theirs
    assert remote.read("docs/a b\u00fc.md") == "hello"
    assert len(theirs) == 4


def test_names_that_are_no_text_are_kept(remote: Remote) -> None:
    publish(remote, entry(1))
    blob = remote.git("hash-object", "-w", "--stdin", stdin="x").strip()
    odd = b"100644 blob " + blob.encode() + b"\tcaf\xe9\n.txt\0"
    ours = git_bytes(remote, "ls-tree", "-z", BRANCH)
    put(remote, git_bytes(remote, "mktree", "-z", stdin=ours + odd).decode())
    publish(remote, entry(2))
    assert odd in git_bytes(remote, "ls-tree", "-z", BRANCH)
    assert history(remote) == [1, 2]


def test_checkout_around_it_is_neither_used_nor_touched(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        remote.write({"app.py": str(number)}, "main")
    clone = tmp_path / "clone"
    url = f"file://{remote.path}"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", "--branch=main", url, str(clone)], check=True
    )
    monkeypatch.chdir(clone)
    publish(remote, entry(1))
    git = ["git", "-C", str(clone)]
    for command in (["status", "--porcelain"], ["branch", "--all", "--list", "*onegig*"]):
        done = subprocess.run([*git, *command], capture_output=True, text=True, check=True)
        assert done.stdout == ""
