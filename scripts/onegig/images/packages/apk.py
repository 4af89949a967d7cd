"""Alpine's packages: apk's database `installed` (its format: apk-tools, src/database.c)."""

import re
from collections.abc import Collection, Iterator, Mapping

from onegig.images.packages.package import Package

DATABASE = re.compile(r"(usr/)?lib/apk/db/installed|etc/apk/world")
INSTALLED = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
WORLD = "etc/apk/world"  # what somebody asked for by name
_VERSION = re.compile(r"[<>=~@].*")


def read(
    contents: Mapping[str, bytes],
    paths: Collection[str],  # noqa: ARG001 - all readers are asked alike
) -> Iterator[Package]:
    """The packages of both places that a database can be in."""
    world = _names(_text(contents, WORLD)) if WORLD in contents else None
    for path in INSTALLED:
        for block in _text(contents, path).split("\n\n"):
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
    """Names without versions and repositories; "!name" is a conflict, not a need."""
    return frozenset(_VERSION.sub("", word) for word in text.split() if word[0] != "!")


def _text(contents: Mapping[str, bytes], path: str) -> str:
    return contents.get(path, b"").decode("utf-8", "surrogateescape")
