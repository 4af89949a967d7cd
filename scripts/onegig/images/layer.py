"""What a layer says: an entry for each path, in the order of its tar, without the contents.

Everything that is said about images later (exact account, causes, duplicates, dive's numbers) is
worked out from these indexes alone, so a layer is read once however many images share it.
"""

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What an entry is. Whiteouts are those of the OCI image-spec (layer.md)."""

    FILE = 0
    DIRECTORY = 1
    SYMLINK = 2
    HARDLINK = 3  # `link` names an earlier path of the same layer
    OTHER = 4  # device, fifo
    WHITEOUT = 5  # `path` is what it removes
    OPAQUE = 6  # `path` is the directory whose lower content is hidden


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One path, relative to the root and normalised ("etc/passwd"); "" is the root itself.

    Paths that are not UTF-8 keep their bytes by surrogateescape. `size` is the length of a regular
    file's content, holes of sparse files included, 0 for all else. `digest` names that content
    (BLAKE2b, 16 bytes); b"" for what is no regular file, and for files whose content was not read
    because no other can be equal (contents.py). `checksum` is the engine's of that content (CRC-64,
    8 bytes), b"" where it told none: equal contents have equal ones, others may.
    """

    path: str
    kind: Kind
    size: int = 0
    digest: bytes = b""
    link: str = ""
    checksum: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerIndex:
    """One layer. `contents`: by path, the few small files that explain others.

    Those are package databases, RECORD and METADATA of Python distributions, package.json.
    """

    diff_id: str
    entries: tuple[Entry, ...]
    contents: dict[str, bytes]

    @property
    def is_read(self) -> bool:
        """Whether every content has a digest, so that nobody need read the layer again."""
        return all(entry.digest for entry in self.entries if entry.size)

    @property
    def size_bytes(self) -> int:
        """Bytes of its regular files: Layer.size_bytes. A hard link adds nothing.

        This is the engine's own count (`docker history`, `docker image inspect`) for layers it
        built. For layers it pulled, loaded or imported it walks the unpacked folder instead and
        adds the length of every symbolic link's target: 4,894 bytes for Alpine's 300 busybox links.
        The same layer must not change its size with the way it came, so the targets stay out here.
        The containerd image store reports disk blocks plus compressed blobs, which is neither.
        """
        return sum(entry.size for entry in self.entries)
