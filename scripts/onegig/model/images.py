"""A report on images: bytes by layer and cause, what is dead or shared, and what to change."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Environment, Missing, Skipped
from onegig.model.scan import Scan


class Cause(StrEnum):
    """The cause of a live byte; each byte has exactly one."""

    BASE = "base OS"
    RUNTIME = "language runtime"
    DEPENDENCY = "runtime dependency"
    DEVELOPMENT = "development dependency"
    CACHE = "cache"
    DOCUMENTATION = "documentation and locales"
    APPLICATION = "application"
    UNEXPLAINED = "unexplained"


class Fate(StrEnum):
    """The fate of a byte that a layer added."""

    LIVE = "live"
    OVERWRITTEN = "overwritten"
    DELETED = "deleted"  # by a whiteout of the file itself
    DELETED_WITH_DIRECTORY = "deleted with a directory"  # whiteout above it, or opaque directory
    METADATA = "copied for its metadata"  # chmod, chown or touch: the same content again


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
    kind: str  # by whose database: "apk", "pip", "npm", "dpkg"; or "path"
    bytes: int
    files: int
    layers: tuple[int, ...]  # places in Image.layers


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix:
    """One change to a Dockerfile, in a sentence, and what it saves."""

    bytes: int
    text: str
    layer: int | None  # whose instruction to change
    place: str = ""  # "services/Dockerfile:12" if it is known


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounting:
    """One image. live + dead by fate = the sum of its layers' bytes, exactly.

    Bytes that are dead within the lowest `base_layers` alone are the base's; all others are the
    image's own, and so is everything if it is not known how many layers came with FROM.
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
    remark: str = ""  # why dive and this account disagree, in one line
    base_layers: int | None = None  # that came with FROM; None: not known
    base_dead_bytes: int = 0  # dead bytes that came with FROM

    @property
    def dead_bytes(self) -> int:
        """Return the bytes that no container can reach."""
        deleted = self.deleted_bytes + self.deleted_with_directory_bytes
        return self.overwritten_bytes + deleted + self.metadata_bytes

    @property
    def own_dead_bytes(self) -> int:
        """Return the dead bytes that the image's own instructions brought or killed."""
        return self.dead_bytes - self.base_dead_bytes

    def is_of_base(self, dead: Dead) -> bool:
        """Return whether these bytes came with FROM and were dead then."""
        return self.base_layers is not None and dead.killer < self.base_layers

    def bytes_of(self, cause: Cause) -> int:
        """Return the live bytes of one cause."""
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
    """A file that an image on another machine may duplicate."""

    path: str
    bytes: int
    content: str  # BLAKE2b (16 bytes), in hexadecimal


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


SUMMARY_LENGTH = 200
IGNORED = "ignored by a comment: "  # begins the text of a remark that the Dockerfile ignores
WITH = " with "  # between hadolint's version and the configuration that it followed


class Level(StrEnum):
    """The severity of a remark, by hadolint's names; the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    STYLE = "style"

    @property
    def counts(self) -> bool:
        """Return whether such a remark counts against a limit; the rest are hints."""
        return self in (Level.ERROR, Level.WARNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """One issue in a Dockerfile, and its line."""

    rule: str  # "non-root", "DL3008"
    level: Level
    text: str
    path: str  # relative to where onegig ran
    line: int  # from 1

    @property
    def summary(self) -> str:
        """Return rule and text, which stay when other lines change, cut to 200 characters."""
        return " ".join(f"{self.rule}: {self.text}".split())[:SUMMARY_LENGTH]


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerfilePolicy:
    """One Dockerfile, for the services that are built from it.

    `hadolint` is its version and the configuration that it followed, such as "2.15.1 with
    .hadolint.yaml"; where it is missing, only our own rules checked the file.
    """

    path: str
    services: tuple[str, ...]
    remarks: tuple[Remark, ...]  # the worst first, then by line
    hadolint: str | Missing

    @property
    def settings(self) -> str:
        """Return the configuration that hadolint followed; "" without one."""
        return "" if isinstance(self.hadolint, Missing) else self.hadolint.partition(WITH)[2]

    @property
    def ignored(self) -> tuple[Remark, ...]:
        """Return the remarks that comments in the Dockerfile ignore."""
        return tuple(remark for remark in self.remarks if remark.text.startswith(IGNORED))

    @property
    def counted(self) -> tuple[Remark, ...]:
        """Return the remarks that are more than hints."""
        return tuple(remark for remark in self.remarks if remark.level.counts)


IMAGES_SCHEMA = "onegig/images/1"
NOT_BUILT = Skipped(reason="not built from nothing here")
NOT_ACCOUNTED = Skipped(reason="not accounted for")
NOT_SCANNED = Skipped(reason="not scanned")
NOT_WEIGHED = Skipped(reason="only known after compressing it (`--weigh`)")
NOT_LISTED = Skipped(reason="listed only for a part of a stack")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer of an image, lowest first in `Image.layers`.

    `chain_id` names the layer together with everything below it: two images share bytes on the
    engine's disk exactly where their chain ids are equal (OCI image-spec, "Layer ChainID").
    """

    diff_id: str
    chain_id: str
    size_bytes: int  # content of regular files, as the engine counts a layer
    compressed_bytes: int | Missing  # what a pull moves; when weighed: through gzip -6
    instruction: str  # from the image's history


@dataclass(frozen=True, kw_only=True, slots=True)
class WastedFile:
    """A path that dive found in two or more layers."""

    path: str
    copies: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Dive:
    """dive's own numbers for an image, as printed by `dive --json`."""

    version: str
    efficiency: float  # 0..1, sum(min size per path) / sum(all sizes per path)
    wasted_bytes: int
    user_wasted_share: float  # 0..1, wasted bytes over the bytes above the base layer
    worst: tuple[WastedFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One image; `services` are those of the stack that run it.

    `build_seconds` is the image's part of a build from scratch; steps that several images share
    count for each of them in part. It may be carried over from an earlier build of this very image:
    one that came out of a cache costs nothing.
    """

    reference: str
    image_id: str
    services: tuple[str, ...]
    architecture: str
    size_bytes: int  # sum over layers of size_bytes, as `docker image ls` prints
    compressed_bytes: int | Missing  # what a pull moves; known if it is of every layer
    own_bytes: int  # layers no other image of the stack has
    shared_bytes: int  # size_bytes - own_bytes
    base: str  # "official" or what the image's `onegig.base` label says
    layers: tuple[Layer, ...]
    dive: Dive | Missing
    build_seconds: float | Missing = NOT_BUILT
    accounting: Accounting | Missing = NOT_ACCOUNTED
    scan: Scan | Missing = NOT_SCANNED


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagesReport:
    """All images of a stack, or a part of them. `disk_bytes` counts every shared layer once.

    A part lists its `large` files, so that merging the reports of several machines finds what each
    holds once; `duplicates_remark` then names what could not be found.
    """

    schema: str = IMAGES_SCHEMA
    environment: Environment
    images: tuple[Image, ...]
    total_bytes: int  # sum of size_bytes over services: as if their images shared nothing
    disk_bytes: int
    stack: str = ""  # the compose project, "" for a single image
    duplicates: tuple[Duplicate, ...] = ()  # what wastes most first
    duplicates_remark: str = ""
    large: LargeFiles | Missing = NOT_LISTED
    dockerfiles: tuple[DockerfilePolicy, ...] = ()  # those that the stack's images are built from


@dataclass(frozen=True, kw_only=True, slots=True)
class Boot:
    """The start of a container of the image; `problem` is "" for one that became healthy."""

    checked: bool  # by a health check; otherwise it only ran
    seconds: float  # until it was healthy, or given up
    problem: str
    rss_bytes: int | Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A service's image with one of two Dockerfiles, built and booted."""

    base: str
    image: Image
    boot: Boot


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A service's image before and after another Dockerfile."""

    service: str
    before: Side
    after: Side
