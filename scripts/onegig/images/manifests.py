"""Which images an archive holds: docker's manifest.json and the OCI image layout's index.json.

Pure: takes the archive's JSON documents, gives the images. Docker writes both forms; other tools
write one of them. Attestations, which look like images, are left out.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")  # annotations
ATTESTATION = "vnd.docker.reference.type"  # annotation of a manifest that is no image


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
    def history(self) -> tuple[Mapping[str, Any], ...]:
        """The config's history, oldest first, with entries that made no layer."""
        return tuple(json.loads(self.config).get("history") or ())

    @property
    def workdir(self) -> str:
        """The config's working directory, "" when it names none."""
        return str(self._settings.get("WorkingDir") or "")

    @property
    def labels(self) -> dict[str, str]:
        """The config's labels."""
        return dict(self._settings.get("Labels") or {})

    @property
    def architecture(self) -> str:
        """What processors it is for, "" when it does not say."""
        return str(json.loads(self.config).get("architecture") or "")

    @property
    def _settings(self) -> dict[str, Any]:
        return json.loads(self.config).get("config") or {}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sighting:
    """A place where an archive mentions an image, by its config's digest."""

    config: str
    above: frozenset[str] = frozenset()
    name: str = ""


def images_of(
    names: Mapping[str, str], documents: Mapping[str, bytes]
) -> tuple[ArchivedImage, ...]:
    """All images of an archive whose config is in it.

    `names` maps a file's name in the archive to its digest, `documents` a digest to its JSON.
    """
    known: dict[str, list[_Sighting]] = {}
    for sighting in (*_docker(names, documents), *_oci(names, documents)):
        known.setdefault(sighting.config, []).append(sighting)
    return tuple(
        ArchivedImage(
            digests=frozenset((config,)).union(*(one.above for one in sightings)),
            config=documents[config],
            diff_ids=diff_ids,
            names=tuple(dict.fromkeys(one.name for one in sightings if one.name)),
        )
        for config, sightings in known.items()
        if (diff_ids := _diff_ids(_read(documents, config))) is not None
    )


def left_out(names: Mapping[str, str], documents: Mapping[str, bytes]) -> tuple[str, ...]:
    """What an archive lists besides its images, one sentence each."""
    index = _read(documents, names.get("index.json", ""))
    listed = list(_listed(index, documents, frozenset())) if isinstance(index, dict) else []
    proofs = sum(_is_proof(one) for one in listed)
    absent = [one for one in listed if not _is_proof(one) and one["digest"] not in documents]
    said = [f"attestations, which are no images: {proofs}"] if proofs else []
    return (*said, *(f"{_platform(one)}: its manifest is not in the archive" for one in absent))


def _docker(names: Mapping[str, str], documents: Mapping[str, bytes]) -> Iterator[_Sighting]:
    entries = _read(documents, names.get("manifest.json", ""))
    for entry in entries if isinstance(entries, list) else ():
        config = names.get(entry["Config"])
        if config is not None:
            for name in entry.get("RepoTags") or ("",):
                yield _Sighting(config=config, name=name)


def _oci(names: Mapping[str, str], documents: Mapping[str, bytes]) -> Iterator[_Sighting]:
    index = _read(documents, names.get("index.json", ""))
    if isinstance(index, dict):
        yield from _descend(index, frozenset(), "", documents)


def _descend(
    document: dict[str, Any], above: frozenset[str], name: str, documents: Mapping[str, bytes]
) -> Iterator[_Sighting]:
    """Every image below an index or manifest; `above` are the digests of those it is in."""
    for descriptor in document.get("manifests") or ():
        digest = descriptor["digest"]
        child = _read(documents, digest)
        if not _is_proof(descriptor) and digest not in above and isinstance(child, dict):
            yield from _descend(child, above | {digest}, _name(descriptor) or name, documents)
    if "config" in document and isinstance(document.get("layers"), list):
        yield _Sighting(config=document["config"]["digest"], above=above, name=name)


def _listed(
    document: dict[str, Any], documents: Mapping[str, bytes], above: frozenset[str]
) -> Iterator[dict[str, Any]]:
    """Every descriptor of an index and of the indexes in it."""
    for descriptor in document.get("manifests") or ():
        yield descriptor
        digest = descriptor["digest"]
        child = _read(documents, digest)
        if digest not in above and isinstance(child, dict):
            yield from _listed(child, documents, above | {digest})


def _is_proof(descriptor: Mapping[str, Any]) -> bool:
    return ATTESTATION in (descriptor.get("annotations") or {})


def _name(descriptor: Mapping[str, Any]) -> str:
    """What an index calls an image: its whole name, as containerd writes it, or its tag."""
    annotations = descriptor.get("annotations") or {}
    return str(next((annotations[key] for key in NAMES if key in annotations), ""))


def _platform(descriptor: Mapping[str, Any]) -> str:
    platform = descriptor.get("platform") or {}
    words = [platform[key] for key in ("os", "architecture", "variant") if key in platform]
    return "/".join(words) or str(descriptor["digest"])


def _read(documents: Mapping[str, bytes], digest: str) -> Any:
    raw = documents.get(digest)
    return None if raw is None else json.loads(raw)


def _diff_ids(config: Any) -> tuple[str, ...] | None:
    """The config's layers; None for a document that is no image config."""
    rootfs = config.get("rootfs") if isinstance(config, dict) else None
    return tuple(rootfs.get("diff_ids") or ()) if isinstance(rootfs, dict) else None
