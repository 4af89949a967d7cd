"""Bare repositories to publish to, and what the data branch in them says."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from onegig.github import data_branch as data_branch
from onegig.github.data_branch import Published, Target
from onegig.github.history import parse_history
from onegig.model.codec import from_json
from onegig.model.verdict import Baseline

BRANCH = "onegig-data"
OURS = ["README.md", "badge.json", "badge.svg", "baseline.json", "history.jsonl", "trend.svg"]


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A bare repository on this machine."""

    path: Path

    def git(self, *arguments: str, stdin: str = "") -> str:
        """What git says in it."""
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", f"--git-dir={self.path}", *identity, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, input=stdin)
        return done.stdout

    def head(self, branch: str = BRANCH) -> str:
        """The branch's commit, "" when there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").strip()

    def read(self, path: str, branch: str = BRANCH) -> str:
        """A file of the branch."""
        return self.git("show", f"{branch}:{path}")

    def files(self, branch: str = BRANCH) -> list[str]:
        """Mode and name of every file of the branch."""
        listed = self.git("ls-tree", "-r", "-z", branch).split("\0")
        return [f"{line.split()[0]} {line.partition(chr(9))[2]}" for line in listed if line]

    def write(self, files: dict[str, str], branch: str = BRANCH, *, mode: str = "100644") -> None:
        """Somebody else's commit on the branch: these files, beside what is there."""
        if self.head(branch):
            self.git("read-tree", branch)
        else:
            self.git("read-tree", "--empty")
        for path, text in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=text).strip()
            self.git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}")
        tree = self.git("write-tree").strip()
        parents = ("-p", self.head(branch)) if self.head(branch) else ()
        commit = self.git("commit-tree", tree, *parents, "-m", "by hand").strip()
        self.git("update-ref", f"refs/heads/{branch}", commit)

    def hook(self, script: str) -> None:
        """A pre-receive hook: it runs before a push is taken and may refuse it."""
        path = self.path / "hooks" / "pre-receive"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """An empty repository, on a machine where git knows nobody's name."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("NAME", "EMAIL"):
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.delenv(f"GIT_{role}_{name}", raising=False)
    path = tmp_path / "octo" / "stack.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    created = Remote(path=path)
    created.git("config", "http.receivepack", "true")
    return created


class Sleeps:
    """A clock that only counts, and does what happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.seconds: list[float] = []
        self._meanwhile = meanwhile

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._meanwhile()


def publish(
    remote: Remote, entry: Baseline | None, *, clock: Sleeps | None = None, branch: str = BRANCH
) -> Published:
    """Put these numbers on the branch."""
    target = Target(remote=str(remote.path), branch=branch)
    return data_branch.publish(entry, target, clock=clock or Sleeps(), jitter=lambda: 1.0)


def history(remote: Remote) -> list[int]:
    """The numbers of the commits whose numbers are kept."""
    result = parse_history(remote.read("history.jsonl"))
    return [int(item.commit, 16) for item in result]


def baseline(remote: Remote) -> Baseline:
    """What pull requests are compared with."""
    return from_json(Baseline, remote.read("baseline.json"), "baseline.json")


def badge(remote: Remote) -> str:
    """What the badge says."""
    message: str = json.loads(remote.read("badge.json"))["message"]
    return message
