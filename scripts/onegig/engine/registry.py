"""Manifests of images, read from the registry that an engine had them from."""

import json
from collections.abc import Mapping
from typing import Any

from onegig.engine.images import EngineImage
from onegig.model.images import NOT_WEIGHED
from onegig.model.measured import Missing, Unknown
from onegig.process import NOWHERE, CommandError, run

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
            reason = f"the registry of {name} gives no manifest: {error.message}"
        except _MALFORMED as error:
            reason = f"the manifest of {name} is not valid: {error!r}"
    return Unknown(reason=f"{reason} (`--weigh` measures it)") if reason else NOT_WEIGHED


def _manifest(name: str, image: EngineImage) -> Mapping[str, Any]:
    """Return the image's manifest in a registry, which `name` or an index of that name is."""
    document = _read_registry(name)
    if "manifests" not in document:
        return document
    repository = name.partition("@")[0]
    for descriptor in document["manifests"]:
        if (descriptor.get("platform") or {}).get("architecture") == image.architecture:
            manifest = _read_registry(f"{repository}@{descriptor['digest']}")
            if image.image_id in (descriptor["digest"], manifest["config"]["digest"]):
                return manifest
    raise ValueError("it does not list this image")


def _read_registry(name: str) -> Mapping[str, Any]:
    argv = ["docker", "buildx", "imagetools", "inspect", "--raw", name]
    printed = run(argv, cwd=NOWHERE, timeout_seconds=REGISTRY_TIMEOUT_SECONDS).stdout
    document: Mapping[str, Any] = json.loads(printed)
    return document
