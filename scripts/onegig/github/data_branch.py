"""The data branch: an orphan that holds the default branch's numbers, its badge and its trend.

Each push replaces the branch by one commit without parents: its history is in history.jsonl, and a
clone of the repository gets only what is there now. `--force-with-lease` makes that safe: the push
is refused unless the branch is still what was read. Then it is read again, and what somebody else
added meanwhile stays.

Git works in a bare repository of its own, so that neither the caller's checkout (shallow, or none
at all) nor its configured identity matter. The token goes to git through its environment: other
processes of the machine can read an argument list, and git repeats a URL in its messages.
"""

import re
import shlex
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from onegig.errors import ConfigError, GithubPermissionError, OnegigError, PublishError
from onegig.github.client import Clock
from onegig.github.history import READ, Record, read_files, write_files
from onegig.github.job import advice
from onegig.model.verdict import Baseline
from onegig.process import CommandError, Completed, run

BRANCHES = "refs/heads/"
NAME, EMAIL = "onegig", "onegig@onegig.invalid"  # a domain that nobody has
NETWORK_SECONDS = 120
_FETCHED = "refs/onegig/fetched"
_PASSWORD = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@", re.IGNORECASE)
_DENIED = re.compile(
    r"error: 40[13]|Authentication failed|Permission to .* denied|could not read User"
)
_PASSING = re.compile(
    r"error: 5\d\d|HTTP 5\d\d|timed out|early EOF|hung up|Could not resolve host|"
    r"Failed to connect|Connection (reset|refused|closed)"
)
MOST_ATTEMPTS = 8
MOST_PAUSE_SECONDS = 20.0
_RULES = re.compile(r"protected branch|rule violations|GH013|GH006")
_SSH = (
    re.compile(r"ssh://(?:[^/@]+@)?(?P<host>[\w.-]+)(?::\d+)?/(?P<path>.+)"),
    re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The branch to push to. The token is only ever sent to `server_url`."""

    remote: str  # URL or path, as git takes it
    branch: str
    server_url: str = "https://github.com"
    token: str = field(default="", repr=False)


class PassingError(PublishError):
    """A failure that may be over in a moment: the network, the server, somebody else's push."""


class Plumbing:
    """One remote branch, seen from an empty folder that this makes its own."""

    def __init__(self, directory: Path, target: Target) -> None:
        if _PASSWORD.match(target.remote):
            raise ConfigError(
                "the remote's URL holds a password",
                advice="leave it out of the URL and set GITHUB_TOKEN",
            )
        self._directory = directory
        self._target = target
        self._ref = BRANCHES + target.branch
        self._environment = {**_environment(target), "GIT_INDEX_FILE": str(directory / "our-index")}
        self._git("init", "--quiet", "--bare", "--template=")
        if self._git("check-ref-format", self._ref, check=False).code:
            raise ConfigError(
                f"{target.branch!r} is not a valid name for a branch",
                advice="choose another --branch",
            )

    def fetch(self) -> str:
        """Fetch the branch and return its newest commit; "" when there is no such branch."""
        listed = self._git("ls-remote", "--", self._target.remote, self._ref).stdout
        if not any(line.split("\t")[1:] == [self._ref] for line in listed.splitlines()):
            return ""
        options = ("--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head")
        refs = f"+{self._ref}:{_FETCHED}"
        self._git("fetch", *options, "--", self._target.remote, refs)
        return self._git("rev-parse", _FETCHED).stdout.strip()

    def read(self, commit: str, path: str) -> str | None:
        """Return a file of a commit, None without one. Raises PublishError when it is not text."""
        if self._git("cat-file", "-e", f"{commit}:{path}", check=False).code:
            return None
        text = self._git("cat-file", "blob", f"{commit}:{path}").stdout
        if "\ufffd" in text:
            raise PublishError(
                f"{path} on {self._target.branch} is not UTF-8 text, so nothing was changed",
                advice="repair the file there, or delete it to begin anew",
            )
        return text

    def commit(self, base: str, files: Mapping[str, str], message: str) -> str:
        """Commit the files of `base` with these instead, without parents, or "" if nothing changes.

        Names of other files never pass through here, so that they may be any bytes.
        """
        self._git("read-tree", *([base] if base else ["--empty"]))
        sources = [self._directory / f"our-file-{number}" for number in range(len(files))]
        for source, text in zip(sources, files.values(), strict=True):
            source.write_text(text, encoding="utf-8", newline="")
        blobs = self._git("hash-object", "-w", "--no-filters", "--", *map(str, sources)).stdout
        pairs = zip(files, blobs.split(), strict=True)
        entries = [("--cacheinfo", f"100644,{blob},{path}") for path, blob in pairs]
        self._git("update-index", "--add", "--replace", *chain.from_iterable(entries))
        tree = self._git("write-tree").stdout.strip()
        if base and tree == self._git("rev-parse", f"{base}^{{tree}}").stdout.strip():
            return ""
        return self._git("commit-tree", tree, "-m", message).stdout.strip()

    def push(self, commit: str, expected: str) -> str:
        """Point the branch to a commit if it is still at `expected`; return why not, or ""."""
        lease = f"--force-with-lease={self._ref}:{expected}"
        refs = f"{commit}:{self._ref}"
        options = ("--quiet", "--porcelain", lease)
        done = self._git("push", *options, "--", self._target.remote, refs, check=False)
        if done.code == 0:
            return ""
        rejected = [line for line in done.stdout.splitlines() if line.startswith("!")]
        if not rejected:
            raise self._failure(done.argv, done.stderr or done.stdout)
        return self._scrub("\n".join([*rejected, done.stderr]).strip())

    def _git(self, *arguments: str, check: bool = True) -> Completed:
        argv = ["git", f"--git-dir={self._directory}", *arguments]
        try:
            done = run(argv, env=self._environment, timeout_seconds=NETWORK_SECONDS, check=False)
        except CommandError as error:
            raise self._failure(argv, error.output or error.message) from None
        if check and done.code:
            raise self._failure(argv, done.stderr or done.stdout) from None
        return done

    def _failure(self, argv: tuple[str, ...] | list[str], output: str) -> OnegigError:
        """Return the error that git's output means, without secrets."""
        detail, command = self._scrub(output.strip()), self._scrub(shlex.join(argv))
        where, branch = self._scrub(self._target.remote), self._target.branch
        if _DENIED.search(output):
            return GithubPermissionError(
                f"{where} does not let onegig read or write {branch}",
                status=403,
                advice=advice("contents=write", "POST", ""),
                command=command,
                detail=detail,
            )
        kind = PassingError if _PASSING.search(output) else PublishError
        return kind(
            f"git could not read or write {branch} of {where}",
            advice="git's own message is above; run this command again once that is fixed",
            command=command,
            detail=detail,
        )

    def _scrub(self, text: str) -> str:
        for secret in (self._target.token, _credential(self._target.token)):
            text = text.replace(secret, "***") if self._target.token else text
        return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The branch after publishing. `commit` is "" if nothing had to be changed."""

    commit: str
    created: bool  # whether the branch is new
    attempts: int
    record: Record


def publish(
    entry: Baseline | None,
    target: Target,
    *,
    clock: Clock,
    jitter: Callable[[], float],
    report: Callable[[str], None] = lambda _text: None,
) -> Published:
    """Add an entry to the branch and push it; None only makes sure that the branch is there.

    `jitter` gives numbers from 0 to 1. Raises HistoryError and PublishError, both without having
    changed anything; GithubPermissionError when the token may not write.
    """
    with tempfile.TemporaryDirectory(prefix="onegig-data-") as directory:
        git = Plumbing(Path(directory), target)
        problem = PassingError("it was never tried")
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                return _attempt(git, entry, target, attempt)
            except PassingError as error:
                problem = error
            if attempt < MOST_ATTEMPTS:
                report(f"{problem.message}; trying again")
                clock.sleep(min(MOST_PAUSE_SECONDS, 2.0**attempt) * (0.5 + jitter() / 2))
        raise problem


def _attempt(git: Plumbing, entry: Baseline | None, target: Target, attempt: int) -> Published:
    """Read, add and push once. Raises PassingError if somebody else pushed in between."""
    base = git.fetch()
    read = {path: git.read(base, path) for path in READ} if base else {}
    files = {path: text for path, text in read.items() if text is not None}
    record = read_files(files, target.branch) if base else Record()
    if entry:
        record = record.with_entry(entry)
    files = write_files(record, web_address(target.remote), target.branch)
    message = f"Numbers of {entry.commit}" if entry else "Before the first numbers"
    commit = git.commit(base, files, message)
    refusal = git.push(commit, base) if commit else ""
    if not refusal:
        return Published(commit=commit, created=not base, attempts=attempt, record=record)
    if _RULES.search(refusal):
        raise PublishError(
            f"a rule of the repository forbids replacing {target.branch}",
            advice="except this branch from the rule: it must allow creating and force pushes",
            detail=refusal,
        )
    raise PassingError(
        "the push was refused: somebody else pushed, or a hook refused it",
        advice="run this command again; nothing on the branch was changed",
        detail=refusal,
    )


def web_address(remote: str) -> str:
    """Return the repository's page: https://github.com/owner/name; "" for a path."""
    plain = remote.removesuffix("/").removesuffix(".git")
    if re.match(r"https?://", plain):
        return re.sub(r"(?<=://)[^/@]*@", "", plain)
    ssh = next(filter(None, (pattern.fullmatch(plain) for pattern in _SSH)), None)
    return f"https://{ssh['host']}/{ssh['path']}" if ssh else ""


def _environment(target: Target) -> dict[str, str]:
    """Return everything git needs to know, whatever the machine's configuration is."""
    settings = [("gc.auto", "0")]
    if target.token:
        key = f"http.{target.server_url.rstrip('/')}/.extraheader"  # git sends it there only
        header = f"AUTHORIZATION: basic {_credential(target.token)}"
        settings += [(key, ""), (key, header)]  # "" forgets headers from elsewhere: two are refused
    environment = {
        "GIT_AUTHOR_NAME": NAME,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": NAME,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_TRACE_REDACT": "1",
        "LC_ALL": "C",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment


def _credential(token: str) -> str:
    return b64encode(f"x-access-token:{token}".encode()).decode()
