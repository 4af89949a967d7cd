"""Files of a checkout, written and read without trust in what it has put in their place.

A commit may hold `report/comment.md`, or `report` itself, as a symbolic link to any file of its
reader's. So a file in the checkout is made beside its place and moved there, which replaces a link,
and a folder of the checkout that leads out of it is refused. What the user names elsewhere, such as
/dev/stdout, is theirs to choose, links included. A file that is read may be a link to a device that
never ends, or a pipe that waits forever. Paths are as a shell and compose name them.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from onegig.errors import ConfigError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MORE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_WALK = getattr(os, "O_PATH", os.O_RDONLY)  # folders above may be closed to readers
_FOLDER = _WALK | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STREAMS = (Path("/dev"), Path("/proc"))
_MODE = 0o666  # less the user's umask


def refuse_outside(folder: Path) -> None:
    """Raise ConfigError if a folder of the checkout leads out of it."""
    with _telling(folder):
        _real_parent(folder / "file")


def write_file(path: Path, text: str) -> None:
    """Write a file and the folders above it; ConfigError when that is not possible."""
    with _telling(path):
        place = _place(path)
        if place is None:
            path.write_text(text, encoding="utf-8")
            return
        name = f".onegig-{secrets.token_hex(8)}"
        with _folder(place.parent) as folder:
            try:
                _create(folder, name, text)
                os.replace(name, place.name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)


def write_new_file(path: Path, text: str) -> None:
    """Write a file that is not there yet, and the folders above it. Raises ConfigError."""
    with _telling(path), _folder(_real_parent(path)) as folder:
        _create(folder, path.name, text)


def append_file(path: Path, text: str) -> None:
    """Add to the end of a file. Raises ConfigError."""
    with _telling(path):
        place = _place(path)
        if place is None:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(text)
            return
        with _folder(place.parent) as folder:
            descriptor = os.open(place.name, _MORE, _MODE, dir_fd=folder)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(text)


def remove_file(path: Path) -> None:
    """Remove a file, or the link in its place, if there is one. Raises ConfigError."""
    with _telling(path), suppress(FileNotFoundError):
        (_real_parent(path) / path.name).unlink()


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}",
            advice="choose another path",
        ) from error


def _place(path: Path) -> Path | None:
    """Return the file to write: where a user's own link leads; a checkout's link is not followed.

    None for what can only be written to as it is: a terminal, a pipe, /dev/stdout.
    """
    place = _real_parent(path) / path.name
    if any(absolute(path).is_relative_to(folder) for folder in _STREAMS):
        return None
    if _root_of(absolute(path).parent) is None:
        place = Path(os.path.realpath(place))
    with suppress(FileNotFoundError):
        mode = place.lstat().st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
            return None
    return place


def _real_parent(path: Path) -> Path:
    """Return the real folder of a file. Raises ConfigError if it leads out of its checkout."""
    folder = absolute(path).parent
    real, root = Path(os.path.realpath(folder)), _root_of(folder)
    if root and not real.is_relative_to(os.path.realpath(root)):
        raise ConfigError(
            f"{path.parent} points out of the checkout, to {real}",
            advice="remove that symbolic link, or use the folder that it points to",
        )
    return real


def _root_of(folder: Path) -> Path | None:
    """Return the checkout that a folder is in, by its name; None for a place of the user's own."""
    here = checkout()
    return repository(folder) or (here if folder.is_relative_to(here) else None)


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    """Open a folder step by step without following links, creating missing folders."""
    folder = os.open(path.anchor, _FOLDER)
    try:
        for part in path.parts[1:]:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=folder)
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _create(folder: int, name: str, text: str) -> None:
    """Write a file that must not be there yet, not even as a link."""
    with os.fdopen(os.open(name, _NEW, _MODE, dir_fd=folder), "w", encoding="utf-8") as file:
        file.write(text)


MOST_BYTES = 1_000_000  # more than a person would write


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file, at most one byte more than `most`.

    Raises OSError for one that cannot be read, and for whatever is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read(most + 1)


def read_text(path: Path, most: int = MOST_BYTES) -> str | None:
    """Return a file's text, or None if no regular file can be read, or it is larger than `most`."""
    try:
        data = read_bytes(path, most)
    except (OSError, ValueError):  # a name with a null byte
        return None
    return None if len(data) > most else data.decode("utf-8", errors="replace")


def is_private(state: os.stat_result) -> bool:
    """Return whether the result of `lstat` is a private folder of this user."""
    is_folder, mode = stat.S_ISDIR(state.st_mode), stat.S_IMODE(state.st_mode)
    return is_folder and state.st_uid == os.geteuid() and not mode & 0o077


def distrust(folder: Path) -> str:
    """Return why the contents of a folder can't be trusted, or "" if they can.

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
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def cache_folder() -> Path:
    """Return where this user's programs cache, by the XDG base directory specification."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return base if base.is_absolute() else home_folder() / ".cache"


def home_folder() -> Path:
    """Return this user's home, or for a user without one a place where nothing can be."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def absolute(path: Path) -> Path:
    """Return the absolute path, with symbolic links as the shell went through them.

    As in Go, which compose is written in: $PWD counts if it is the current folder.
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
        is_repository = os.path.exists(folder / ".git")  # noqa: PTH110 - false if closed to us
        if is_repository and not home_folder().is_relative_to(folder):
            return folder
    return None


def shown(path: Path) -> Path:
    """Return an absolute path as a user in the current folder would write it."""
    here = absolute(Path())
    return path.relative_to(here) if path.is_relative_to(here) else path


def join(folder: Path, path: Path) -> Path:
    """Join as Go does: `..` goes back in the text, not through a symbolic link."""
    return Path(os.path.normpath(folder / path))


def relative_to_here(path: Path) -> str:
    """Return a path relative to the current folder, for reports."""
    return os.path.relpath(absolute(path), absolute(Path()))
