"""The images of an engine, as far as others may be built on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import requests
from docker import DockerClient
from docker.errors import DockerException


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An image as the engine lists it."""

    image_id: str
    names: tuple[str, ...]
    in_registry: bool  # pulled from one, or pushed to one
    created_seconds: int  # since the epoch
    size_bytes: int
    labels: frozenset[str]  # their keys


class Bases(Protocol):
    """Images that others may be built on; nothing here fails, what is not known is not there."""

    def diff_ids(self, reference: str) -> tuple[str, ...]:
        """The image's layers, lowest first; () where there is no such image."""

    def history(self, reference: str) -> tuple[str, ...]:
        """What made the image, oldest entry first."""

    def listed(self) -> Sequence[Listed]:
        """All images that have a name."""


class EngineBases:
    """The images of a Docker Engine, each asked for once."""

    def __init__(self, client: DockerClient) -> None:
        self._client = client
        self._known: dict[str, tuple[str, ...]] = {}

    def diff_ids(self, reference: str) -> tuple[str, ...]:
        """The image's layers, lowest first; () where there is no such image."""
        if reference not in self._known:
            self._known[reference] = self._look_up(reference)
        return self._known[reference]

    def history(self, reference: str) -> tuple[str, ...]:
        """What made the image, oldest entry first."""
        try:
            entries = self._client.images.get(reference).history()
        except (DockerException, requests.RequestException):
            return ()
        return tuple(str(entry.get("CreatedBy") or "") for entry in reversed(entries))

    def listed(self) -> Sequence[Listed]:
        """All images that have a name."""
        return self._listed

    @cached_property
    def _listed(self) -> tuple[Listed, ...]:
        try:
            return tuple(_listed(one) for one in self._client.api.images() if one.get("RepoTags"))
        except (DockerException, requests.RequestException):
            return ()

    def _look_up(self, reference: str) -> tuple[str, ...]:
        try:
            attributes = self._client.images.get(reference).attrs
        except (DockerException, requests.RequestException):
            return ()
        return tuple((attributes.get("RootFS") or {}).get("Layers") or ())


def _listed(one: dict[str, Any]) -> Listed:
    """What was built here has no digest, or with containerd's store only that of its id."""
    digests = {name.partition("@")[2] for name in one.get("RepoDigests") or ()}
    return Listed(
        image_id=one["Id"],
        names=tuple(one["RepoTags"]),
        in_registry=bool(digests - {one["Id"]}),
        created_seconds=int(one.get("Created") or 0),
        size_bytes=int(one.get("Size") or 0),
        labels=frozenset(one.get("Labels") or ()),
    )
