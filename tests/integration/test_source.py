"""Where an onegig comes from: its checkout, or what pip noted of the installation."""

import json
import subprocess
from pathlib import Path

import pytest

from onegig.commands import init as source
from onegig.commands.init import Source, find_source, parse_direct_url

COMMIT = "5e2fb84cd2a04d3b8a7b6e1c1d4f9a60b7c3e815"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of onegig that comes from GitHub and has one commit."""
    monkeypatch.setattr(source, "_installed", lambda: None)
    folder = tmp_path / "onegig/scripts/onegig"
    folder.mkdir(parents=True)
    (folder / "cli.py").touch()
    git(tmp_path, "init", "--quiet", "onegig")
    git(folder, "remote", "add", "origin", "https://github.com/octo/onegig.git")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=x")
    return folder


def push(package: Path) -> str:
    """The commit, as if `origin` had it."""
    git(package, "update-ref", "refs/remotes/origin/main", "HEAD")
    return git(package, "rev-parse", "HEAD")


def test_a_checkout_says_owner_commit_and_tag(package: Path) -> None:
    commit = push(package)
    assert find_source(package) == Source(repository="octo/onegig", commit=commit)
    git(package, "tag", "v0.1.0")
    assert find_source(package).tag == "v0.1.0"


def test_a_commit_that_was_not_pushed_can_be_used_by_nobody(package: Path) -> None:
    assert find_source(package) == Source(repository="octo/onegig")


def test_a_checkout_around_an_installed_package_is_somebody_elses(package: Path) -> None:
    push(package)
    installed = package / ".venv/lib/onegig"
    installed.mkdir(parents=True)
    (installed / "cli.py").touch()
    assert find_source(installed) == Source()


def test_outside_of_any_checkout_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_installed", lambda: None)
    assert find_source(tmp_path) == Source()


@pytest.mark.parametrize(
    ("url", "revision", "expected"),
    [
        ("https://github.com/octo/onegig", None, Source(repository="octo/onegig", commit=COMMIT)),
        (
            "https://github.com/octo/onegig.git",
            "v0.1.0",
            Source(repository="octo/onegig", commit=COMMIT, tag="v0.1.0"),
        ),
        (
            "ssh://git@github.com/octo/onegig.git",
            "main",
            Source(repository="octo/onegig", commit=COMMIT),
        ),
        ("https://gitlab.com/octo/onegig", None, None),
    ],
)
def test_what_pip_noted(url: str, revision: str | None, expected: Source | None) -> None:
    vcs = {"vcs": "git", "commit_id": COMMIT}
    vcs |= {"requested_revision": revision} if revision else {}
    assert parse_direct_url(json.dumps({"url": url, "vcs_info": vcs})) == expected


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"url": "file:///src", "dir_info": {}}', '{"url": 1, "vcs_info": {}}'],
)
def test_other_notes_say_nothing(text: str) -> None:
    assert parse_direct_url(text) is None
