"""Files of a checkout, read without trust: a link may lead to a device that never ends, or a pipe.

Such a file has no size that tells anything, and merely to open a pipe may wait for ever.
"""

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 1_000_000  # more than a person would write


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what a regular file holds, at most one byte more than `most`.

    Raises OSError for one that cannot be read, and for whatever is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read(most + 1)


def read_text(path: Path, most: int = MOST_BYTES) -> str | None:
    """Return a file's text; None where no regular file can be read, or it is larger than `most`."""
    try:
        data = read_bytes(path, most)
    except (OSError, ValueError):  # a name with a null byte
        return None
    return None if len(data) > most else data.decode("utf-8", errors="replace")
