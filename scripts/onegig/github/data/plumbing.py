"""Git on one branch of a remote repository, without a checkout: read it, make a commit, push it.

Works in a bare repository of its own, so that neither the caller's checkout (shallow, or none at
all) nor its configured identity matter. The token goes to git through its environment: other
processes of the machine can read an argument list, and git repeats a URL in its messages.
"""

import re
import shlex
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from onegig.errors import ConfigError, GithubPermissionError, OnegigError, PublishError
from onegig.github.job import advice
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where to push. The token is only ever sent to `server_url`."""

    remote: str  # URL or path, as git takes it
    branch: str
    server_url: str = "https://github.com"
    token: str = field(default="", repr=False)


class PassingError(PublishError):
    """The network or the server failed in a way that may be over in a moment."""


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
        found = self._git("cat-file", "-e", f"{commit}:{path}", check=False)
        if found.code:
            return None
        text = self._git("cat-file", "blob", f"{commit}:{path}").stdout
        if "\ufffd" in text:
            raise PublishError(
                f"{path} on {self._target.branch} is not UTF-8 text, so nothing was changed",
                advice="repair the file there, or delete it to begin anew",
            )
        return text

    def commit(self, base: str, files: Mapping[str, str], message: str) -> str:
        """Commit the files of `base` with these instead, without parents; "" if nothing changes.

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
        """Make a commit the branch if that is still at `expected`; return why not, or ""."""
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
        detail = self._scrub(output.strip())
        command = self._scrub(shlex.join(argv))
        where = self._scrub(self._target.remote)
        if _DENIED.search(output):
            return GithubPermissionError(
                f"{where} does not let onegig read or write {self._target.branch}",
                status=403,
                advice=advice("contents=write", "POST", ""),
                command=command,
                detail=detail,
            )
        kind = PassingError if _PASSING.search(output) else PublishError
        return kind(
            f"git could not read or write {self._target.branch} of {where}",
            advice="git's own message is above; run this command again once that is fixed",
            command=command,
            detail=detail,
        )

    def _scrub(self, text: str) -> str:
        for secret in (self._target.token, _credential(self._target.token)):
            text = text.replace(secret, "***") if self._target.token else text
        return text


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
