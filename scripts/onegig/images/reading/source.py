"""Images as the Docker Engine knows them: looked up by reference, saved as one stream."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol

from onegig.engine.images import EngineImage, Images, typed_errors
from onegig.images.reading.overlay import DRIVER, UnpackedImage, find_unpacked


class ImageSource(Protocol):
    """Where images come from; `Engine` is the one that asks Docker."""

    def image(self, reference: str) -> EngineImage:
        """The image of that name; InspectError when there is none."""

    def save(self, image_ids: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
        """The images as one tar stream in which shared layers come once."""

    def unpacked(self, image: EngineImage) -> UnpackedImage | None:
        """The image in folders that can be read here, which is faster; None where it is not."""


class Engine(Images):
    """A Docker Engine as a source of images."""

    def unpacked(self, image: EngineImage) -> UnpackedImage | None:
        """The image in the engine's own folders, where it keeps it in such and we may read them."""
        if self._root is None:
            return None
        return find_unpacked(self._root, image.image_id, image.diff_ids)

    @cached_property
    def _root(self) -> Path | None:
        with typed_errors("docker info"):
            info = self.client.info()
        return Path(info["DockerRootDir"]) if info.get("Driver") == DRIVER else None
