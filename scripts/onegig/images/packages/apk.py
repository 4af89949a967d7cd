"""Alpine's packages: apk's database `installed` (its format: apk-tools, src/database.c)."""

import re
from collections.abc import Collection, Iterator, Mapping

from onegig.images.packages.package import Package, text_of

IN_PATH = ("/apk/",)  # faster than DATABASE: most files have none of these
DATABASE = re.compile(r"(usr/)?lib/apk/db/installed|etc/apk/world")
_INSTALLED = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_WORLD = "etc/apk/world"  # what somebody asked for by name
_VERSION = re.compile(r"[<>=~@].*")


def read(
    contents: Mapping[str, bytes],
    paths: Collection[str] = (),  # noqa: ARG001 - all readers have the same signature
) -> Iterator[Package]:
    """Yield the packages of both paths that a database can be at."""
    world = _names(text_of(contents, _WORLD)) if _WORLD in contents else None
    for path in _INSTALLED:
        for block in text_of(contents, path).split("\n\n"):
            if "P:" in block:
                yield _package(block, world)


def _package(block: str, world: frozenset[str] | None) -> Package:
    fields: dict[str, str] = {}
    files: list[str] = []
    folder = ""
    for line in block.splitlines():
        key, _, value = line.partition(":")
        if key == "F":
            folder = value
        elif key == "R":
            files.append(f"{folder}/{value}".lstrip("/"))
        else:
            fields.setdefault(key, value)
    name = fields.get("P", "")
    return Package(
        kind="apk",
        name=name,
        version=fields.get("V", ""),
        files=frozenset(files),
        needs=_names(fields.get("D", "")),
        answers_to=_names(fields.get("p", "")) | {name},
        asked=world is None or name in world,
    )


def _names(text: str) -> frozenset[str]:
    """Return names without versions and repositories; "!name" is a conflict, not a need."""
    return frozenset(_VERSION.sub("", word) for word in text.split() if word[0] != "!")
