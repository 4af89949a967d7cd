"""gate.yml and comment.yml for another repository: the examples, filled in as far as is known."""

import re
from importlib.resources import files

from onegig.init.source import Source

FOLDER = ".github/workflows"
NAMES = ("gate.yml", "comment.yml")
OWNER, NO_COMMIT, FILL_IN = "OWNER/onegig", "0" * 40, "# fill in"
_HOW_TO = re.compile(r"\A# Copy to .*?\n#\n", re.DOTALL)
_BRANCH = re.compile(r"[A-Za-z][\w./-]*", re.ASCII)  # others need quotes: by hand
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)


def workflow(name: str, source: Source, branch: str = "main") -> str:
    """Return the text of one of NAMES, whose runs start on pushes to `branch`.

    What `source` does not know stays a placeholder.
    """
    text = files("onegig.init").joinpath("workflows", name).read_text(encoding="utf-8")
    if _BRANCH.fullmatch(branch):
        text = text.replace("branches: [main]", f"branches: [{branch}]")
    if source.repository:
        text = text.replace(OWNER, source.repository)
    if not is_complete(source):
        return text
    note = f" # {source.tag}" if source.tag else ""
    text = text.replace(NO_COMMIT, source.commit).replace(f" {FILL_IN}", note)
    return _HOW_TO.sub("", text)


def is_complete(source: Source) -> bool:
    """Return whether nothing is left to fill in."""
    return bool(source.repository and _COMMIT.fullmatch(source.commit))


def badge(repository: str) -> str:
    """Return the badge of a repository (owner/name) as a line of Markdown."""
    raw = f"https://raw.githubusercontent.com/{repository}/onegig-data/badge.svg"
    return f"[![memory]({raw})](https://github.com/{repository}/tree/onegig-data)"
