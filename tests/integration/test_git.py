"""git reads a checkout, and runs nothing that the checkout's configuration names."""

import subprocess
from pathlib import Path

import pytest

from onegig.process import ask_git

PROGRAMS = (  # keys whose value is a command
    *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass"),
    *("core.alternateRefsCommand", "gpg.program", "diff.external", "credential.helper"),
    *("diff.x.textconv", "diff.x.command", "filter.x.smudge", "filter.x.clean", "pager.show"),
)
QUESTIONS = (
    ("rev-parse", "HEAD"),
    ("rev-parse", "--show-toplevel"),
    ("rev-list", "--parents", "--max-count=1", "HEAD"),
    ("show", "HEAD:./budgets.yml"),
    ("show", "--no-patch", "--format=%cI", "HEAD", "--"),
    ("show", f"{'1' * 40}:./budgets.yml"),  # not here: a partial clone would fetch it
    ("remote", "get-url", "origin"),
    ("ls-files", "budgets.yml"),
    ("for-each-ref", "--contains", "HEAD", "refs/remotes/origin"),
    ("tag", "--points-at", "HEAD"),
    ("symbolic-ref", "--short", "refs/remotes/origin/HEAD"),
)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "budgets.yml").write_text("version: 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=x")
    git(folder, "remote", "add", "origin", "https://github.com/octo/stack")
    return folder


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a file beside it."""
    path = tmp_path / "trap"
    path.write_text('#!/bin/sh\ntouch "$0.sprung"\n')
    path.chmod(0o755)
    return path


@pytest.mark.security
@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_checkouts_configuration_runs_nothing(
    question: tuple[str, ...], checkout: Path, trap: Path
) -> None:
    for key in PROGRAMS:
        git(checkout, "config", key, str(trap))
    git(checkout, "config", "log.showSignature", "true")
    git(checkout, "config", "protocol.ext.allow", "always")
    git(checkout, "config", "remote.origin.promisor", "true")
    git(checkout, "config", "remote.origin.url", f"ext::{trap}")
    (checkout / ".gitattributes").write_text("* diff=x filter=x\n")
    ask_git(checkout, *question)
    assert not trap.with_name("trap.sprung").exists()


@pytest.mark.security
def test_a_signed_commit_is_not_verified(checkout: Path, trap: Path) -> None:
    text = git(checkout, "cat-file", "commit", "HEAD")
    head, _, message = text.partition("\n\n")
    mark = "PGP SIGNATURE-----"
    signed = f"{head}\ngpgsig -----BEGIN {mark}\n \n x\n -----END {mark}\n\n"
    done = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=checkout,
        input=signed + message,
        capture_output=True,
        text=True,
        check=True,
    )
    git(checkout, "config", "gpg.program", str(trap))
    git(checkout, "config", "log.showSignature", "true")
    assert ask_git(checkout, "show", "--no-patch", "--format=%cI", done.stdout.strip(), "--")
    assert not trap.with_name("trap.sprung").exists()


@pytest.mark.security
def test_a_bare_repository_within_a_commit_is_not_asked(checkout: Path, trap: Path) -> None:
    nested = checkout / "nested"
    git(checkout, "clone", "--quiet", "--bare", ".", "nested")
    git(nested, "config", "core.fsmonitor", str(trap))
    assert ask_git(nested, "rev-parse", "HEAD") == ""


def test_it_answers(checkout: Path) -> None:
    assert ask_git(checkout, "show", "HEAD:./budgets.yml") == "version: 1\n"
    assert ask_git(checkout, "remote", "get-url", "origin") == "https://github.com/octo/stack\n"
    assert ask_git(checkout, "rev-parse", "nothing") == ""
