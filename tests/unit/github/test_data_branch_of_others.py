"""What others put on the data branch: kept, or refused, and never written over."""

import subprocess
from pathlib import Path

import pytest

from git_remotes import BRANCH, OURS, Remote, baseline, history, publish
from histories import entry
from onegig.errors import ExitCode, HistoryError, PublishError
from onegig.model.codec import to_line
from onegig.model.verdict import Baseline


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


def test_history_that_is_no_text_is_never_written_over(remote: Remote, tmp_path: Path) -> None:
    publish(remote, entry(1))
    (tmp_path / "bytes").write_bytes(to_line(entry(1, metric="r\u00e9s")).encode("latin-1"))
    blob = remote.git("hash-object", "-w", str(tmp_path / "bytes")).strip()
    remote.git("read-tree", BRANCH)
    remote.git("update-index", "--cacheinfo", f"100644,{blob},history.jsonl")
    tree = remote.git("write-tree").strip()
    made = remote.git("commit-tree", tree, "-m", "by hand").strip()
    remote.git("update-ref", f"refs/heads/{BRANCH}", made)
    with pytest.raises(PublishError, match=r"history\.jsonl on onegig-data is not UTF-8 text"):
        publish(remote, entry(2))
    assert remote.head() == made


def test_history_as_a_link_to_somewhere_is_not_followed(remote: Remote) -> None:
    publish(remote, entry(1))
    remote.write({"history.jsonl": "/etc/passwd"}, mode="120000")
    with pytest.raises(HistoryError):
        publish(remote, entry(2))


def test_branch_of_somebody_else_is_refused(remote: Remote) -> None:
    remote.write({"README.md": "# Stack\n", "history.jsonl": "", "app.py": "pass\n"}, "main")
    before = remote.head("main")
    with pytest.raises(PublishError, match="the branch main is not one of onegig's") as caught:
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
    made = remote.git("commit-tree", remote.git("mktree", stdin=tree).strip(), "-m", "x").strip()
    remote.git("update-ref", f"refs/heads/{BRANCH}", made)
    publish(remote, entry(2))
    assert (history(remote), baseline(remote)) == ([2], entry(2))


def test_files_of_others_are_kept(remote: Remote) -> None:
    publish(remote, entry(1))
    remote.write({"CNAME": "example.org", "docs/a b\u00fc.md": "hello"})
    remote.write({"run": "#!/bin/sh"}, mode="100755")
    remote.write({"link": "CNAME"}, mode="120000")
    kept = [line for line in remote.files() if line.split(" ", 1)[1] not in OURS]
    publish(remote, entry(2))
    assert [line for line in remote.files() if line.split(" ", 1)[1] not in OURS] == kept
    assert remote.read("docs/a b\u00fc.md") == "hello"
    assert len(kept) == 4


def test_names_that_are_no_text_are_kept(remote: Remote) -> None:
    publish(remote, entry(1))
    blob = remote.git("hash-object", "-w", "--stdin", stdin="x").strip()
    ours = subprocess.run(
        ["git", f"--git-dir={remote.path}", "ls-tree", "-z", BRANCH],
        capture_output=True,
        check=True,
    ).stdout
    odd = b"100644 blob " + blob.encode() + b"\tcaf\xe9\n.txt\0"
    tree = subprocess.run(
        ["git", f"--git-dir={remote.path}", "mktree", "-z"],
        input=ours + odd,
        capture_output=True,
        check=True,
    ).stdout.decode()
    made = remote.git("commit-tree", tree.strip(), "-m", "x").strip()
    remote.git("update-ref", f"refs/heads/{BRANCH}", made)
    publish(remote, entry(2))
    listed = subprocess.run(
        ["git", f"--git-dir={remote.path}", "ls-tree", "-z", BRANCH],
        capture_output=True,
        check=True,
    ).stdout
    assert odd in listed
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
