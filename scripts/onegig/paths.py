"""Paths as a shell and compose name them: a symbolic link on the way is not followed."""

import os
from pathlib import Path


def absolute(path: Path) -> Path:
    """Return the absolute path, with symbolic links as the shell went through them.

    As in Go, which compose is written in: $PWD counts where it is the current folder.
    """
    logical = os.environ.get("PWD", "")
    try:
        here = logical if os.path.samefile(logical, ".") else os.getcwd()  # noqa: PTH109, PTH121 - text
    except OSError:
        here = os.getcwd()  # noqa: PTH109 - text
    return join(Path(here), path)


def checkout() -> Path:
    """Return the folder that a stranger's files may fill: the nearest with .git, else this one.

    A home folder that is a repository, too, is its user's own.
    """
    here = absolute(Path())
    for folder in (here, *here.parents):
        if Path.home().is_relative_to(folder):
            break
        if (folder / ".git").exists():
            return folder
    return here


def shown(path: Path) -> Path:
    """Return an absolute path as a user in the current folder would write it."""
    here = absolute(Path())
    return path.relative_to(here) if path.is_relative_to(here) else path


def join(folder: Path, path: Path) -> Path:
    """Join as Go does: `..` goes back in the text, not through a symbolic link."""
    return Path(os.path.normpath(folder / path))


def from_here(path: Path) -> str:
    """Return a path relative to the current folder, for reports."""
    return os.path.relpath(absolute(path), absolute(Path()))
