"""Where this onegig comes from: what a workflow must name to use the same one."""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from onegig.git import ask_git
from onegig.publish.doctor.checkout import repository_of

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A repository on GitHub and a commit that it has; "" where that is not known."""

    repository: str = ""  # owner/name
    commit: str = ""
    tag: str = ""


def find_source(package: Path = PACKAGE) -> Source:
    """Return where the onegig in the folder `package` comes from, from its checkout or from pip."""
    return _checkout(package) or _installed() or Source()


def origin_of(folder: Path) -> str:
    """Return owner/name of the checkout's `origin` on GitHub, "" where there is none."""
    return repository_of(ask_git(folder, "remote", "get-url", "origin").strip())


def default_branch_of(folder: Path) -> str:
    """Return the default branch of the checkout's `origin`, as far as git knows it, else "main"."""
    head = ask_git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").strip()
    return head.removeprefix("origin/") or "main"


def _checkout(package: Path) -> Source | None:
    """Ask git, where the package itself is tracked: it may be installed inside another checkout."""
    if not ask_git(package, "ls-files", "cli.py"):
        return None
    repository, commit = origin_of(package), ask_git(package, "rev-parse", "HEAD").strip()
    pushed = ask_git(package, "for-each-ref", "--contains", commit, "refs/remotes/origin")
    if not repository or not pushed:
        return Source(repository=repository)
    tag = ask_git(package, "tag", "--points-at", commit).partition("\n")[0]
    return Source(repository=repository, commit=commit, tag=tag)


def _installed() -> Source | None:
    """Read what pip notes of an installation from a repository (PEP 610)."""
    try:
        text = distribution("onegig").read_text("direct_url.json")
        return parse_direct_url(text) if text else None
    except PackageNotFoundError:
        return None


def parse_direct_url(text: str) -> Source | None:
    """Return the repository and commit of a direct_url.json, None where it names neither."""
    try:
        document = json.loads(text)
        url, vcs = document["url"], document["vcs_info"]
        repository, commit = repository_of(url), vcs["commit_id"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    if not repository or not isinstance(commit, str):
        return None
    revision = vcs.get("requested_revision")
    tag = revision if isinstance(revision, str) and revision.startswith("v") else ""
    return Source(repository=repository, commit=commit, tag=tag)
