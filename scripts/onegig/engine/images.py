"""The images of an engine: looked up, pulled, saved and copied; manifests of the registry."""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from subprocess import Popen, TimeoutExpired
from typing import IO, Any, cast

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound

from onegig.errors import EngineError, InspectError
from onegig.model.images import NOT_WEIGHED
from onegig.model.measured import Missing, Unknown
from onegig.process import NOWHERE, CommandError, close, run, spawn, tail

SAVE_SECONDS = 600  # of silence: an engine prepares large images before the first byte
LOAD_SECONDS = 1800
END_SECONDS = 1.0  # for a child that has failed
BASE_LABEL = "onegig.base"
FROM_REGISTRY = "official"
ENGINE_FAULTS = (DockerException, requests.RequestException)  # docker-py lets time-outs through


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineImage:
    """An image as the engine describes it, without its bytes.

    `image_id` is the config's digest on the classic image store, the manifest's or index's digest
    on the containerd store. `diff_ids` are those of the config, lowest layer first. `digests` name
    it in registries ("redis@sha256:…").
    """

    reference: str
    image_id: str
    diff_ids: tuple[str, ...]
    architecture: str
    labels: tuple[tuple[str, str], ...]
    size_bytes: int  # as the engine prints it
    digests: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()  # of its environment: "PYTHONPATH=/app"


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedImage:
    """An image as the engine lists it."""

    image_id: str
    names: tuple[str, ...]
    in_registry: bool  # pulled from one, or pushed to one
    created_seconds: int  # since the epoch
    size_bytes: int
    labels: frozenset[str]  # their keys


class Images:
    """The images of an engine; `environment` makes the docker command speak to it."""

    def __init__(self, client: DockerClient, environment: Mapping[str, str] | None = None) -> None:
        self.client = client
        self.environment = dict(environment or {})
        self._diff_ids: dict[str, tuple[str, ...]] = {}

    def image(self, reference: str) -> EngineImage:
        """Return the image of that name; InspectError when the engine has none."""
        command = f"docker image inspect {reference}"
        with typed_errors(command):
            try:
                attributes = self.client.images.get(reference).attrs
            except ImageNotFound as error:
                raise InspectError(
                    f"the engine has no image {reference}",
                    command=command,
                    advice="build it with `onegig build`, or fetch it with "
                    f"`docker pull {reference}`",
                ) from error
        config = attributes.get("Config") or {}
        labels = config.get("Labels") or {}
        return EngineImage(
            reference=reference,
            image_id=attributes["Id"],
            diff_ids=tuple((attributes.get("RootFS") or {}).get("Layers") or ()),
            architecture=attributes.get("Architecture", ""),
            labels=tuple(sorted(labels.items())),
            size_bytes=attributes.get("Size", 0),
            digests=tuple(self._digests(attributes)),
            variables=tuple(config.get("Env") or ()),
        )

    def _digests(self, attributes: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names by which a registry may know the image.

        With containerd's store even an image that was built here has one. It is believed where
        the name has a namespace, as those that people push do.
        """
        image_id = attributes["Id"]
        for name in attributes.get("RepoDigests") or ():
            repository, _, digest = name.partition("@")
            if digest != image_id or "/" in repository or image_id in self._registered:
                yield name

    @cached_property
    def _registered(self) -> frozenset[str]:
        return frozenset(listed.image_id for listed in self.listed if listed.in_registry)

    def diff_ids(self, reference: str) -> tuple[str, ...]:
        """Return the image's layers, lowest first, or () if there is no such image."""
        if reference not in self._diff_ids:
            self._diff_ids[reference] = ()
            with suppress(InspectError, EngineError):
                self._diff_ids[reference] = self.image(reference).diff_ids
        return self._diff_ids[reference]

    def history(self, reference: str) -> tuple[str, ...]:
        """Return the image's history, oldest entry first, or () if there is no such image."""
        try:
            entries = self.client.images.get(reference).history()
        except ENGINE_FAULTS:
            return ()
        return tuple(str(entry.get("CreatedBy") or "") for entry in reversed(entries))

    @cached_property
    def listed(self) -> tuple[ListedImage, ...]:
        """Return all images that have a name; () when the engine does not answer."""
        try:
            response = self._get("/images/json", {"manifests": "1"})  # older engines ignore it
            response.raise_for_status()
            return tuple(_listed(image) for image in response.json() if image.get("RepoTags"))
        except ENGINE_FAULTS:
            return ()

    def _get(self, path: str, params: Mapping[str, Any], **options: Any) -> requests.Response:
        """Return the answer to what docker-py has no call for."""
        api = self.client.api
        return api.get(f"{api.base_url}/v{api.api_version}{path}", params=params, **options)

    def bases(self, references: Iterable[str]) -> str:
        """Return where the bases of the images come from, for the environment of a run."""
        names = {n if ":" in n.rpartition("/")[2] else f"{n}:latest" for n in references}
        with typed_errors("docker image ls"):
            sources = {
                (image.get("Labels") or {}).get(BASE_LABEL, FROM_REGISTRY)
                for image in self.client.api.images()
                if names.intersection(image.get("RepoTags") or ())
            }
        return ", ".join(sorted(sources)) or FROM_REGISTRY

    @contextmanager
    def save(self, image_ids: Sequence[str]) -> Iterator[IO[bytes]]:
        """Yield `docker save` of all the images as one stream: read it as it comes.

        Raises InspectError when the engine refuses, EngineError when it does not answer.
        """
        command = f"docker save {' '.join(image_ids)}"
        with typed_errors(command):
            names = {"names": list(image_ids)}
            response = self._get("/images/get", names, stream=True, timeout=SAVE_SECONDS)
        with response:
            if response.status_code != requests.codes.ok:
                raise InspectError(
                    f"the engine could not save the image: {_message(response)}",
                    command=command,
                    advice="build or pull the image again",
                )
            yield cast(IO[bytes], response.raw)

    def copy(self, images: Sequence[str], target: "Images") -> str:
        """Copy images into another engine, shared layers once; return what its `load` printed.

        Raises EngineError when one of the two engines fails.
        """
        saver = spawn(["docker", "save", *images], env=self.environment)
        try:
            loaded = run(
                ["docker", "load", "--quiet"],
                env=target.environment,
                stdin=cast(IO[bytes], saver.stdout),
                timeout_seconds=LOAD_SECONDS,
            )
            error = saver.stderr.read().decode(errors="replace") if saver.stderr else ""
            if saver.wait() != 0:
                raise _not_copied(images, tail(error))
            return loaded.stdout
        except CommandError as error:  # if nothing came, the fault is not `load`'s
            detail = _read_failure(saver) or error.detail or error.message
            raise _not_copied(images, detail) from error
        finally:
            close(saver)

    def copy_as(self, image: str, name: str, target: "Images") -> None:
        """Copy an image given by digest or id under another name.

        `docker save` leaves out any name of theirs, and engines with another kind of image store
        give them another id.
        """
        try:
            image_id = str(self.client.images.get(image).id)
            loaded = self.copy([image_id], target).rpartition("Loaded image")[2]
            target.client.images.get(loaded.partition(": ")[2].strip()).tag(name)
        except ENGINE_FAULTS as error:
            raise _not_copied([image], str(error)) from error

    def pull_missing(self, reference: str) -> None:
        """Pull an image unless it is there."""
        with typed_errors(f"docker pull {reference}"):
            try:
                self.client.images.get(reference)
            except DockerException:
                self.client.images.pull(reference)

    def import_empty(self, name: str, labels: Mapping[str, str]) -> None:
        """Make an image of no bytes, for containers whose programs all come from the host."""
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w").close()
        repository, _, tag = name.partition(":")
        with typed_errors("docker import"):
            self.client.api.import_image_from_data(
                empty.getvalue(),
                repository=repository,
                tag=tag,
                changes=[f"LABEL {key}={value}" for key, value in labels.items()],
            )

    def remove(self, reference: str) -> None:
        """Remove an image; ignore one that is gone."""
        with suppress(*ENGINE_FAULTS):
            self.client.images.remove(reference, force=True)


@contextmanager
def typed_errors(command: str) -> Iterator[None]:
    """Raise EngineError, naming the command that does the same, for whatever docker-py raises."""
    try:
        yield
    except APIError as error:
        raise EngineError(
            f"the Docker Engine answered with an error: {error.explanation or error}",
            command=command,
            advice="run the command by hand and read the engine's log",
        ) from error
    except ENGINE_FAULTS as error:
        raise EngineError(
            "the Docker Engine stopped answering",
            command=command,
            advice="read the engine's log, restart the engine and run the command again",
            detail=str(error),
        ) from error


def _listed(attributes: dict[str, Any]) -> ListedImage:
    """Read a list's entry.

    What was built here has no digest, or (containerd) only its id's, and all of its manifests; of
    what was pulled those for other platforms are missing.
    """
    digests = {name.partition("@")[2] for name in attributes.get("RepoDigests") or ()}
    manifests = attributes.get("Manifests") or ()
    incomplete = not all(manifest.get("Available", True) for manifest in manifests)
    return ListedImage(
        image_id=attributes["Id"],
        names=tuple(attributes["RepoTags"]),
        in_registry=bool(digests - {attributes["Id"]}) or incomplete,
        created_seconds=int(attributes.get("Created") or 0),
        size_bytes=int(attributes.get("Size") or 0),
        labels=frozenset(attributes.get("Labels") or ()),
    )


def _message(response: requests.Response) -> str:
    try:
        return str(json.loads(response.content)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"


def _read_failure(child: Popen[bytes]) -> str:
    """Return what a child printed when it failed; "" if it did not, or waits for its reader."""
    try:
        failed = child.wait(timeout=END_SECONDS)
    except TimeoutExpired:
        return ""
    return tail(child.stderr.read().decode(errors="replace")) if failed and child.stderr else ""


def _not_copied(images: Sequence[str], detail: str) -> EngineError:
    return EngineError(
        "the stack's images could not be copied into the box",
        command=f"docker save {' '.join(images)}",
        advice="build them with `onegig build`, and see whether the disk is full",
        detail=detail,
    )


REGISTRY_TIMEOUT_SECONDS = 15
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


def read_pulled_bytes(image: EngineImage) -> tuple[int, ...] | Missing:
    """Return the layers' sizes in the manifest of a registry, lowest first.

    Skipped for an image that comes from no registry; Unknown when none answers.
    """
    reason = ""
    for name in image.digests:
        try:
            manifest = _manifest(name, image)
            sizes = tuple(int(layer["size"]) for layer in manifest["layers"])
            if len(sizes) == len(image.diff_ids):
                return sizes
            reason = f"the manifest of {name} has other layers"
        except CommandError as error:
            reason = f"the registry of {name} returned no manifest: {error.message}"
        except _MALFORMED as error:
            reason = f"the manifest of {name} is not valid: {error!r}"
    return Unknown(reason=f"{reason} (`--weigh` measures it)") if reason else NOT_WEIGHED


def _manifest(name: str, image: EngineImage) -> Mapping[str, Any]:
    """Return the image's manifest in a registry, which `name` or an index of that name is."""
    document = _read_registry(name)
    if "manifests" not in document:
        return document
    repository, _, index = name.partition("@")
    for descriptor in document["manifests"]:
        if (descriptor.get("platform") or {}).get("architecture") == image.architecture:
            manifest = _read_registry(f"{repository}@{descriptor['digest']}")
            if image.image_id in (index, descriptor["digest"], manifest["config"]["digest"]):
                return manifest
    raise ValueError("it does not list this image")


def _read_registry(name: str) -> Mapping[str, Any]:
    argv = ["docker", "buildx", "imagetools", "inspect", "--raw", name]
    printed = run(argv, cwd=NOWHERE, timeout_seconds=REGISTRY_TIMEOUT_SECONDS).stdout
    return cast(Mapping[str, Any], json.loads(printed))
