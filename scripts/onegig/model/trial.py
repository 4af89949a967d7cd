"""A service's image before and after another Dockerfile, both built and booted."""

from dataclasses import dataclass

from onegig.model.images import Image
from onegig.model.measured import Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Boot:
    """How a container of the image fared. `problem` is "" for one that turned healthy."""

    checked: bool  # a health check looked at it; otherwise it only ran
    seconds: float  # until it was healthy, or given up
    problem: str
    rss_bytes: int | Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two images."""

    base: str
    image: Image
    boot: Boot


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Both."""

    service: str
    before: Side
    after: Side
