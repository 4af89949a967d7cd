"""Where every byte of an image comes from, which are dead, and what to change."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """What a live byte is there for; each byte has exactly one."""

    BASE = "base OS"
    RUNTIME = "language runtime"
    DEPENDENCY = "runtime dependency"
    DEVELOPMENT = "development dependency"
    CACHE = "cache"
    DOCUMENTATION = "documentation and locales"
    APPLICATION = "application"
    UNEXPLAINED = "unexplained"


class Fate(StrEnum):
    """What became of a byte that a layer added."""

    LIVE = "live"
    OVERWRITTEN = "overwritten"
    DELETED = "deleted"  # by a whiteout of the file itself
    DELETED_WITH_DIRECTORY = "deleted with a directory"  # whiteout above it, or opaque directory
    METADATA = "copied for its metadata"  # chmod, chown or touch: the same content once more


@dataclass(frozen=True, kw_only=True, slots=True)
class SizedPath:
    r"""A path with the bytes of its content; what is not UTF-8 is escaped (\xff)."""

    path: str
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Dead:
    """Bytes that `layer` added and that the instruction of layer `killer` made unreachable.

    Both are places in `Image.layers`. They still take room on disk and are still pulled.
    """

    layer: int
    killer: int
    fate: Fate
    bytes: int
    files: int
    largest: tuple[SizedPath, ...]  # at most five


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Live bytes of one cause: a package by name, or the rest of the cause under ""."""

    cause: Cause
    name: str  # "redis 5.2.1", "musl 1.2.5-r10", "/root/.cache/pip"
    kind: str  # who says so: "apk", "pip", "npm", "dpkg", "path"
    bytes: int
    files: int
    layers: tuple[int, ...]  # places in Image.layers


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix:
    """One thing to change, as a person would put it, and what it saves."""

    bytes: int
    text: str
    layer: int | None  # whose instruction is to be changed
    place: str = ""  # "services/Dockerfile:12" where it is known


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """dive's three numbers by our own computation (formulas: images/accounts/parity.py)."""

    efficiency: float
    wasted_bytes: int
    user_wasted_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounting:
    """One image. live + dead by fate = the sum of its layers' bytes, exactly.

    Bytes that are dead within the lowest `base_layers` alone are the base's; all others are the
    image's own, and so is everything where it is not known how many layers came with FROM.
    """

    live_bytes: int
    overwritten_bytes: int
    deleted_bytes: int
    deleted_with_directory_bytes: int
    metadata_bytes: int
    dead: tuple[Dead, ...]  # largest first
    parts: tuple[Part, ...]  # by cause, largest first; their bytes add up to live_bytes
    fixes: tuple[Fix, ...]  # largest first
    eliminable_bytes: int  # dead bytes and what the fixes save, nothing twice
    parity: Parity
    remark: str = ""  # why dive and this account disagree, in one line
    base_layers: int | None = None  # that came with FROM; None: not known
    base_dead_bytes: int = 0  # of all dead bytes those that came with FROM

    @property
    def dead_bytes(self) -> int:
        """Bytes that no container can reach."""
        return (
            self.overwritten_bytes
            + self.deleted_bytes
            + self.deleted_with_directory_bytes
            + self.metadata_bytes
        )

    @property
    def own_dead_bytes(self) -> int:
        """Dead bytes that the image's own instructions brought or killed."""
        return self.dead_bytes - self.base_dead_bytes

    def is_of_base(self, dead: Dead) -> bool:
        """Return whether these bytes came with FROM and were dead then."""
        return self.base_layers is not None and dead.killer < self.base_layers

    def bytes_of(self, cause: Cause) -> int:
        """Live bytes of one cause."""
        return sum(part.bytes for part in self.parts if part.cause is cause)


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """One content that the stack holds more than once, each layer counted once."""

    bytes: int  # of one copy
    copies: int
    wasted_bytes: int  # all copies but one
    places: tuple[str, ...]  # "image: /path", at most five


@dataclass(frozen=True, kw_only=True, slots=True)
class LargeFile:
    """A file that an image on another machine may hold once more.

    `content` names what is in it: the engine's CRC-64 of it, or BLAKE2b (16 bytes) where the engine
    told none; in hexadecimal. Files that are equal in this and in length are the same.
    """

    path: str
    bytes: int
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerFiles:
    """Files of one layer, in its order."""

    diff_id: str
    files: tuple[LargeFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LargeFiles:
    """All files of contents that take `at_least_bytes` on one machine, all copies together."""

    at_least_bytes: int
    layers: tuple[LayerFiles, ...]
