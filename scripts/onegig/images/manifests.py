"""Which images an archive holds: docker's manifest.json and the OCI image layout's index.json.

Pure: takes the archive's JSON documents, gives the images. Docker writes both forms; other tools
write one of them. Attestations, which look like images, are left out.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ATTESTATION = "vnd.docker.reference.type"  # annotation of a manifest that is no image


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedImage:
    """One image of an archive.

    `digests` are all names it goes by: its config's digest, its manifest's, those of the indexes
    around it. `config` is the config's exact bytes; `diff_ids` its layers, lowest first.
    """

    digests: frozenset[str]
    config: bytes
    diff_ids: tuple[str, ...]

    @property
    def history(self) -> tuple[Mapping[str, Any], ...]:
        """The config's history, oldest first, with entries that made no layer."""
        return tuple(json.loads(self.config).get("history") or ())

    @property
    def workdir(self) -> str:
        """The config's working directory, "" when it names none."""
        return str((json.loads(self.config).get("config") or {}).get("WorkingDir") or "")


def images_of(
    names: Mapping[str, str], documents: Mapping[str, bytes]
) -> tuple[ArchivedImage, ...]:
    """All images of an archive whose config is in it.

    `names` maps a file's name in the archive to its digest, `documents` a digest to its JSON.
    """
    known: dict[str, set[str]] = {}
    for config, digests in (*_docker(names, documents), *_oci(names, documents)):
        known.setdefault(config, {config}).update(digests)
    return tuple(
        ArchivedImage(digests=frozenset(digests), config=documents[config], diff_ids=diff_ids)
        for config, digests in known.items()
        if (diff_ids := _diff_ids(_read(documents, config))) is not None
    )


def _docker(
    names: Mapping[str, str], documents: Mapping[str, bytes]
) -> Iterator[tuple[str, set[str]]]:
    entries = _read(documents, names.get("manifest.json", ""))
    for entry in entries if isinstance(entries, list) else ():
        config = names.get(entry["Config"])
        if config is not None:
            yield config, set()


def _oci(
    names: Mapping[str, str], documents: Mapping[str, bytes]
) -> Iterator[tuple[str, set[str]]]:
    index = _read(documents, names.get("index.json", ""))
    if isinstance(index, dict):
        yield from _descend(index, frozenset(), documents)


def _descend(
    document: dict[str, Any], above: frozenset[str], documents: Mapping[str, bytes]
) -> Iterator[tuple[str, set[str]]]:
    """(config, digests of manifest and indexes) of every image below an index or manifest."""
    for descriptor in document.get("manifests") or ():
        digest = descriptor["digest"]
        if ATTESTATION in (descriptor.get("annotations") or {}) or digest in above:
            continue
        child = _read(documents, digest)
        if isinstance(child, dict):
            yield from _descend(child, above | {digest}, documents)
    if "config" in document and isinstance(document.get("layers"), list):
        yield document["config"]["digest"], set(above)


def _read(documents: Mapping[str, bytes], digest: str) -> Any:
    raw = documents.get(digest)
    return None if raw is None else json.loads(raw)


def _diff_ids(config: Any) -> tuple[str, ...] | None:
    """The config's layers; None for a document that is no image config."""
    rootfs = config.get("rootfs") if isinstance(config, dict) else None
    return tuple(rootfs.get("diff_ids") or ()) if isinstance(rootfs, dict) else None
