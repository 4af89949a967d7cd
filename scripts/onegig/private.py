"""Folders that only this user can have filled: what lies elsewhere may be somebody else's word."""

import os
import stat
from pathlib import Path


def is_private(state: os.stat_result) -> bool:
    """Return whether `lstat` tells of a folder of this user's that nobody else may look into."""
    is_folder, mode = stat.S_ISDIR(state.st_mode), stat.S_IMODE(state.st_mode)
    return is_folder and state.st_uid == os.geteuid() and not mode & 0o077


def distrust(folder: Path) -> str:
    """Return why what a folder holds can't be relied on; "" where it can, or is not there.

    It and its links have to be this user's or root's, and nobody else may write to it.
    """
    try:
        if not os.path.lexists(folder):
            return ""
        owners = {folder.lstat().st_uid, folder.stat().st_uid}
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        return f"{folder} cannot be read: {error.strerror}"
    if owners - {os.geteuid(), 0}:
        return f"{folder} belongs to another user"
    return f"others can write to {folder}" if mode & 0o022 else ""


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone. Raises OSError."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def cache_folder() -> Path:
    """Return where this user's programs cache, by the XDG base directory specification.

    For a user without a home it is a place where nothing can be.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return base if base.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return Path(os.devnull)
