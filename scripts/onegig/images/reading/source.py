"""Images as the Docker Engine knows them: looked up by reference, saved as one stream."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol, cast

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound

from onegig.errors import EngineError, InspectError
from onegig.images.reading.overlay import DRIVER, UnpackedImage, find_unpacked

SAVE_TIMEOUT_SECONDS = 600  # of silence: an engine prepares large images before the first byte


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineImage:
    """What the engine says of an image without handing over its bytes.

    `image_id` is the config's digest on the classic image store, the manifest's or index's digest
    on the containerd store. `diff_ids` are those of the config, lowest layer first.
    """

    reference: str
    image_id: str
    diff_ids: tuple[str, ...]
    architecture: str
    labels: tuple[tuple[str, str], ...]
    size_bytes: int  # as the engine prints it


class ImageSource(Protocol):
    """Where images come from; `Engine` is the one that asks Docker."""

    def image(self, reference: str) -> EngineImage:
        """The image of that name; InspectError when there is none."""

    def save(self, image_ids: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
        """The images as one tar stream in which shared layers come once."""

    def unpacked(self, image: EngineImage) -> UnpackedImage | None:
        """The image in folders that can be read here, which is faster; None where it is not."""


class Engine:
    """A Docker Engine as a source of images."""

    def __init__(self, client: DockerClient) -> None:
        self._client = client

    def image(self, reference: str) -> EngineImage:
        """The image of that name. Raises InspectError when the engine has none such."""
        try:
            attributes = self._client.images.get(reference).attrs
        except ImageNotFound as error:
            raise InspectError(
                f"the engine has no image {reference}",
                command=f"docker image inspect {reference}",
                advice=f"build it with `onegig build`, or fetch it with `docker pull {reference}`",
            ) from error
        except (DockerException, requests.RequestException) as error:
            raise _lost(error, f"docker image inspect {reference}") from error
        return _engine_image(reference, attributes)

    @contextmanager
    def save(self, image_ids: Sequence[str]) -> Iterator[IO[bytes]]:
        """`docker save` of all the images at once, unbuffered: read it as it comes.

        Raises InspectError when the engine refuses, EngineError when it does not answer.
        """
        command = f"docker save {' '.join(image_ids)}"
        api = self._client.api
        try:
            response = api.get(
                f"{api.base_url}/v{api.api_version}/images/get",
                params={"names": list(image_ids)},
                stream=True,
                timeout=SAVE_TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise _lost(error, command) from error
        with response:
            if response.status_code != requests.codes.ok:
                raise InspectError(
                    f"the engine could not save the image: {_message(response)}",
                    command=command,
                    advice="build or pull the image again",
                )
            yield cast(IO[bytes], response.raw)

    def unpacked(self, image: EngineImage) -> UnpackedImage | None:
        """The image in the engine's own folders, where it keeps it in such and we may read them."""
        if self._root is None:
            return None
        return find_unpacked(self._root, image.image_id, image.diff_ids)

    @cached_property
    def _root(self) -> Path | None:
        try:
            info = self._client.info()
        except (DockerException, requests.RequestException) as error:
            raise _lost(error, "docker info") from error
        return Path(info["DockerRootDir"]) if info.get("Driver") == DRIVER else None


def _engine_image(reference: str, attributes: dict[str, Any]) -> EngineImage:
    labels = (attributes.get("Config") or {}).get("Labels") or {}
    return EngineImage(
        reference=reference,
        image_id=attributes["Id"],
        diff_ids=tuple((attributes.get("RootFS") or {}).get("Layers") or ()),
        architecture=attributes.get("Architecture", ""),
        labels=tuple(sorted(labels.items())),
        size_bytes=attributes.get("Size", 0),
    )


def _message(response: requests.Response) -> str:
    try:
        return str(json.loads(response.content)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"


def _lost(error: Exception, command: str) -> EngineError:
    if isinstance(error, APIError):
        return EngineError(
            f"the Docker Engine answered with an error: {error.explanation or error}",
            command=command,
            advice="run the command yourself and read the engine's log",
        )
    return EngineError(
        "the Docker Engine stopped answering",
        command=command,
        advice="see the engine's log, start it again, then repeat the command",
        detail=str(error),
    )
