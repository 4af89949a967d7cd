"""The images of an archive: docker's manifest.json and the OCI image layout's index.json.

Pure: takes the archive's JSON documents, gives the images. Docker writes both forms; other tools
write one of them. Attestations, which look like images, are left out.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")  # annotations
ATTESTATION = "vnd.docker.reference.type"  # annotation of a manifest that is not an image's
_SHELL = re.compile(r"^(?:\|\d+ .*?)?/bin/sh -c +")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedImage:
    """One image of an archive.

    `digests` are all digests it goes by: its config's, its manifest's, those of the indexes around
    it. `names` are what its archive calls it. `config` is the config's exact bytes; `diff_ids` its
    layers, lowest first.
    """

    digests: frozenset[str]
    config: bytes
    diff_ids: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def config_digest(self) -> str:
        """Return the digest of the config."""
        return f"sha256:{hashlib.sha256(self.config).hexdigest()}"

    @property
    def history(self) -> tuple[Mapping[str, Any], ...]:
        """Return the config's history, oldest first, with entries that made no layer."""
        return tuple(json.loads(self.config).get("history") or ())

    @property
    def scanned_base(self) -> tuple[str, ...]:
        """Return the layers in which trivy looks for no secrets, as they come with the base image.

        Those are the ones up to the last CMD but its own (GuessBaseImageIndex in its
        pkg/fanal/image).
        """
        history = list(self.history)
        while history and history[-1].get("empty_layer"):
            history.pop()
        while history and not (
            history[-1].get("empty_layer")
            and str(history[-1].get("created_by")).startswith(("CMD", "/bin/sh -c #(nop)  CMD"))
        ):
            history.pop()
        return self.diff_ids[: sum(not entry.get("empty_layer") for entry in history)]

    @property
    def workdir(self) -> str:
        """Return the config's working directory, "" when it names none."""
        return str(self._settings.get("WorkingDir") or "")

    @property
    def labels(self) -> dict[str, str]:
        """Return the config's labels."""
        return dict(self._settings.get("Labels") or {})

    @property
    def architecture(self) -> str:
        """Return its CPU architecture, or "" if it has none."""
        return str(json.loads(self.config).get("architecture") or "")

    @property
    def _settings(self) -> dict[str, Any]:
        return json.loads(self.config).get("config") or {}


class _Sighting(NamedTuple):
    """A place where an archive mentions an image, by its config's digest."""

    config: str
    above: frozenset[str] = frozenset()
    name: str = ""


def images_of(
    names: Mapping[str, str], documents: Mapping[str, bytes]
) -> tuple[ArchivedImage, ...]:
    """Return all images of an archive whose config is in it.

    `names` maps a file's name in the archive to its digest, `documents` a digest to its JSON.
    """
    known: dict[str, list[_Sighting]] = {}
    for sighting in (*_docker(names, documents), *_oci(names, documents)):
        known.setdefault(sighting.config, []).append(sighting)
    return tuple(
        ArchivedImage(
            digests=frozenset((config,)).union(*(sighting.above for sighting in sightings)),
            config=documents[config],
            diff_ids=diff_ids,
            names=tuple(dict.fromkeys(sighting.name for sighting in sightings if sighting.name)),
        )
        for config, sightings in known.items()
        if (diff_ids := _diff_ids(_read(documents, config))) is not None
    )


def left_out(names: Mapping[str, str], documents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Describe what an archive lists besides its images, one sentence each."""
    listed = [descriptor for descriptor, *_ in _walk(names.get("index.json", ""), documents)]
    images = [image for image in listed if ATTESTATION not in _annotations(image)]
    absent = [_platform(image) for image in images if image["digest"] not in documents]
    proofs = len(listed) - len(images)
    sentences = [f"{platform}: its manifest is not in the archive" for platform in absent]
    return (f"attestations, which are not images: {proofs}", *sentences)[not proofs :]


def _docker(names: Mapping[str, str], documents: Mapping[str, bytes]) -> Iterator[_Sighting]:
    entries = _read(documents, names.get("manifest.json", ""))
    for entry in entries if isinstance(entries, list) else ():
        config = names.get(entry["Config"])
        if config is not None:
            for name in entry.get("RepoTags") or ("",):
                yield _Sighting(config, name=name)


def _oci(names: Mapping[str, str], documents: Mapping[str, bytes]) -> Iterator[_Sighting]:
    for descriptor, digests, name in _walk(names.get("index.json", ""), documents):
        manifest = _read(documents, descriptor["digest"])
        is_manifest = isinstance(manifest, dict) and isinstance(manifest.get("layers"), list)
        is_proof = ATTESTATION in _annotations(descriptor)
        if is_manifest and "config" in manifest and not is_proof:
            yield _Sighting(manifest["config"]["digest"], digests, name)


def _walk(
    digest: str, documents: Mapping[str, bytes], above: frozenset[str] = frozenset(), name: str = ""
) -> Iterator[tuple[Mapping[str, Any], frozenset[str], str]]:
    """Yield all that an index lists, and what the indexes in it list.

    Each is a descriptor, the digests of it and of the indexes around it, and its name.
    """
    index = _read(documents, digest)
    for descriptor in (index.get("manifests") or ()) if isinstance(index, dict) else ():
        child = descriptor["digest"]
        digests, own_name = above | {child}, _name(descriptor) or name
        yield descriptor, digests, own_name
        if child not in above:
            yield from _walk(child, documents, digests, own_name)


def _annotations(descriptor: Mapping[str, Any]) -> Mapping[str, Any]:
    return descriptor.get("annotations") or {}


def _name(descriptor: Mapping[str, Any]) -> str:
    """Return an index's name of an image: the whole one, as containerd writes it, or its tag."""
    annotations = _annotations(descriptor)
    return str(next((annotations[key] for key in NAMES if key in annotations), ""))


def _platform(descriptor: Mapping[str, Any]) -> str:
    platform = descriptor.get("platform") or {}
    parts = [platform[key] for key in ("os", "architecture", "variant") if key in platform]
    return "/".join(parts) or str(descriptor["digest"])


def _read(documents: Mapping[str, bytes], digest: str) -> Any:
    raw = documents.get(digest)
    return None if raw is None else json.loads(raw)


def _diff_ids(config: Any) -> tuple[str, ...] | None:
    """Return the config's layers; None for a document that is not an image config."""
    rootfs = config.get("rootfs") if isinstance(config, dict) else None
    return tuple(rootfs.get("diff_ids") or ()) if isinstance(rootfs, dict) else None


def chain_ids(diff_ids: Sequence[str]) -> Iterator[str]:
    """Yield each layer's chain id: SHA-256 over the chain below and the layer (OCI image-spec)."""
    chain = ""
    for diff_id in diff_ids:
        pair = f"{chain} {diff_id}".encode()
        chain = f"sha256:{hashlib.sha256(pair).hexdigest()}" if chain else diff_id
        yield chain


def instructions(history: Sequence[Mapping[str, Any]], layers: int) -> tuple[str, ...]:
    """Return each layer's instruction; empty strings when the history does not fit the layers.

    History is optional, and squashed or hand-made images have one of another length.
    """
    entries = [entry for entry in history if not entry.get("empty_layer")]
    if len(entries) != layers:
        return ("",) * layers
    return tuple(instruction(entry) for entry in entries)


def instruction(entry: Mapping[str, Any]) -> str:
    """Return a history entry as the Dockerfile had it, without what the builder put around it."""
    text = str(entry.get("created_by") or entry.get("comment") or "")
    text = text.removesuffix(" # buildkit").removeprefix("RUN ").strip()
    shell = _SHELL.match(text)
    if shell is None:
        return text
    command = text[shell.end() :]
    if command.startswith("#(nop)"):
        return command.removeprefix("#(nop)").strip()
    return f"RUN {command}"
