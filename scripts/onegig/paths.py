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
    """Return the folder that a stranger's files may fill: this one's repository, else this one."""
    return repository(Path()) or absolute(Path())


def repository(place: Path) -> Path | None:
    """Return the outermost folder above a place that is a repository of git's.

    Outermost, as a link in a repository may lead to another one. A home folder that is a
    repository, too, is its user's own.
    """
    here = absolute(place)
    for folder in reversed((here, *here.parents)):
        is_repository = os.path.exists(folder / ".git")  # noqa: PTH110 - false where closed to us
        if is_repository and not Path.home().is_relative_to(folder):
            return folder
    return None


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
