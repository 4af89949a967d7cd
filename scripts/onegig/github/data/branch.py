"""The data branch: an orphan that holds the default branch's numbers, its badge and its trend.

Each push replaces the branch by one commit without parents: its history is in history.jsonl, and a
clone of the repository gets only what is there now. `--force-with-lease` makes that safe: the push
is refused unless the branch is still what was read. Then it is read again, and what somebody else
added meanwhile is kept.
"""

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onegig.errors import PublishError
from onegig.github.data.history import READ, Kept, read_files, write_files
from onegig.github.data.plumbing import PassingError, Plumbing, Target
from onegig.github.waiting import Clock
from onegig.model.verdict import Baseline

MOST_ATTEMPTS = 8
MOST_PAUSE_SECONDS = 20.0
_RULES = re.compile(r"protected branch|rule violations|GH013|GH006")
_SSH = (
    re.compile(r"ssh://(?:[^/@]+@)?(?P<host>[\w.-]+)(?::\d+)?/(?P<path>.+)"),
    re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The branch after publishing. `commit` is "" where nothing had to be changed."""

    commit: str
    created: bool  # whether the branch is new
    attempts: int
    kept: Kept


def publish(
    entry: Baseline | None,
    target: Target,
    *,
    clock: Clock,
    jitter: Callable[[], float],
    tell: Callable[[str], None] = lambda _text: None,
) -> Published:
    """Add an entry to the branch and push it; None only makes sure that the branch is there.

    `jitter` gives numbers from 0 to 1. Raises HistoryError and PublishError, both without having
    changed anything; GithubPermissionError when the token may not write.
    """
    with tempfile.TemporaryDirectory(prefix="onegig-data-") as directory:
        git = Plumbing(Path(directory), target)
        problem: PublishError = _refused("it was never tried")
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                outcome = _attempt(git, entry, target, attempt)
            except PassingError as error:
                outcome = error
            if isinstance(outcome, Published):
                return outcome
            problem = outcome
            if attempt < MOST_ATTEMPTS:
                tell(f"{problem.message}; trying again")
                clock.sleep(min(MOST_PAUSE_SECONDS, 2.0**attempt) * (0.5 + jitter() / 2))
        raise problem


def _attempt(
    git: Plumbing, entry: Baseline | None, target: Target, attempt: int
) -> Published | PublishError:
    """Read, add and push once; return the error if somebody else pushed in between."""
    base = git.fetch()
    read = {path: git.read(base, path) for path in READ} if base else {}
    files = {path: text for path, text in read.items() if text is not None}
    kept = read_files(files, target.branch) if base else Kept()
    if entry:
        kept = kept.with_entry(entry)
    commit = git.commit(
        base, write_files(kept, web_address(target.remote), target.branch), _message(entry)
    )
    refusal = git.push(commit, base) if commit else ""
    if not refusal:
        return Published(commit=commit, created=not base, attempts=attempt, kept=kept)
    if _RULES.search(refusal):
        raise PublishError(
            f"a rule of the repository forbids replacing {target.branch}",
            advice="except this branch from the rule: it must allow creating and force pushes",
            detail=refusal,
        )
    return _refused(refusal)


def web_address(remote: str) -> str:
    """Return the repository's page: https://github.com/owner/name; "" for a path."""
    plain = remote.removesuffix("/").removesuffix(".git")
    if re.match(r"https?://", plain):
        return re.sub(r"(?<=://)[^/@]*@", "", plain)
    found = filter(None, (pattern.fullmatch(plain) for pattern in _SSH))
    return next((f"https://{ssh['host']}/{ssh['path']}" for ssh in found), "")


def _message(entry: Baseline | None) -> str:
    return f"Numbers of {entry.commit}" if entry else "Before the first numbers"


def _refused(detail: str) -> PublishError:
    return PublishError(
        "the push was refused: somebody else pushed, or a hook refused it",
        advice="run this command again; nothing on the branch was changed",
        detail=detail,
    )
