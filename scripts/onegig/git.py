"""git asked about a checkout without running anything that the checkout brings along.

Its .git/config may name programs (fsmonitor, ssh, credential helpers, gpg), and so may that of a
bare repository that a commit holds as files. What is set here goes before both.
"""

from pathlib import Path

from onegig.process import CommandError, Completed, run

SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "log.showSignature": "false",  # gpg.program
    "safe.bareRepository": "explicit",
}
# Without any protocol nothing is fetched that a partial clone lacks: that would take programs of
# its configuration.
VARIABLES = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}


def run_git(folder: Path, *arguments: str) -> Completed:
    """Run git in a folder, only to read. Raises CommandError."""
    settings = (word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}"))
    return run(["git", "-C", str(folder), *settings, *arguments], env=VARIABLES)


def ask_git(folder: Path, *arguments: str) -> str:
    """Return what git prints, "" where it knows nothing."""
    try:
        return run_git(folder, *arguments).stdout
    except CommandError:
        return ""
