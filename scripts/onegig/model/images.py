"""What `inspect` says of images: bytes by layer and cause, what is shared, others' opinions."""

from dataclasses import dataclass

from onegig.model.accounting import Accounting, Duplicate, LargeFiles
from onegig.model.environment import Environment
from onegig.model.measured import Missing, Skipped
from onegig.model.policy import DockerfilePolicy
from onegig.model.scan import Scan

IMAGES_SCHEMA = "onegig/images/1"
NOT_BUILT = Skipped(reason="not built from nothing here")
NOT_ACCOUNTED = Skipped(reason="not accounted for")
NOT_SCANNED = Skipped(reason="not scanned")
NOT_LISTED = Skipped(reason="only of a part of a stack")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer of an image, lowest first in `Image.layers`.

    `chain_id` names the layer together with everything below it: two images share bytes on the
    engine's disk exactly where their chain ids are equal (OCI image-spec, "Layer ChainID").
    """

    diff_id: str
    chain_id: str
    size_bytes: int  # content of regular files, as the engine counts a layer
    compressed_bytes: int  # what a pull moves: as it came compressed, else through gzip -6
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

    `build_seconds` is the image's part of the time that the build took in which it was made from
    nothing; steps that several images share count for each of them in part. It may be carried over
    from an earlier build of this very image: one that came out of a cache costs nothing.
    """

    reference: str
    image_id: str
    services: tuple[str, ...]
    architecture: str
    size_bytes: int  # sum over layers of size_bytes, as `docker image ls` prints
    compressed_bytes: int
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

    A part lists its `large` files, so that what several machines hold once each is found when their
    reports are merged; `duplicates_remark` then says what could not be found.
    """

    schema: str = IMAGES_SCHEMA
    environment: Environment
    images: tuple[Image, ...]
    total_bytes: int  # sum of size_bytes over services: what 15 unrelated images would take
    disk_bytes: int
    stack: str = ""  # the compose project, "" for a single image
    duplicates: tuple[Duplicate, ...] = ()  # what wastes most first
    duplicates_remark: str = ""
    large: LargeFiles | Missing = NOT_LISTED
    dockerfiles: tuple[DockerfilePolicy, ...] = ()  # those that the stack's images are built from
