"""Debian's packages: dpkg's status and lists of files, or the status.d of distroless images.

A list may say /bin/sh where the file is /usr/bin/sh: since the merge of both, /bin is a link.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from onegig.images.packages.package import Package

DATABASE = re.compile(
    r"var/lib/dpkg/(status|info/[^/]+\.list|status\.d/.+)|var/lib/apt/extended_states"
)
STATUS = "var/lib/dpkg/status"
STATUS_FOLDER = "var/lib/dpkg/status.d/"
EXTENDED_STATES = "var/lib/apt/extended_states"
_FIELD = re.compile(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def read(contents: Mapping[str, bytes], paths: Collection[str]) -> Iterator[Package]:
    """The packages of both forms that a database can have."""
    automatic = {
        stanza.get("Package", "")
        for stanza in _stanzas(contents, EXTENDED_STATES)
        if stanza.get("Auto-Installed") == "1"
    }
    for stanza in _stanzas(contents, STATUS):
        if stanza.get("Status", "").endswith(" installed"):
            name, architecture = stanza.get("Package", ""), stanza.get("Architecture", "")
            yield _package(stanza, _listed(contents, name, architecture), automatic, paths)
    for path in contents:
        if path.startswith(STATUS_FOLDER) and not path.endswith(".md5sums"):
            listed = _summed(contents, f"{path}.md5sums")
            for stanza in _stanzas(contents, path):
                yield _package(stanza, [*listed, path, f"{path}.md5sums"], automatic, paths)


def _package(
    stanza: Mapping[str, str], listed: list[str], automatic: set[str], paths: Collection[str]
) -> Package:
    name = stanza.get("Package", "")
    provided = _NAME.findall(re.sub(r"\(.*?\)", "", stanza.get("Provides", "")))
    return Package(
        kind="dpkg",
        name=name,
        version=stanza.get("Version", ""),
        files=frozenset(_where_it_is(path, paths) for path in listed),
        needs=_needs(stanza),
        answers_to=frozenset((name, *provided)),
        asked=name not in automatic,
    )


def _needs(stanza: Mapping[str, str]) -> frozenset[str]:
    """Every name that Depends, Pre-Depends and Recommends mention; alternatives all count."""
    text = ",".join(stanza.get(key, "") for key in ("Depends", "Pre-Depends", "Recommends"))
    words = re.split(r"[,|]", re.sub(r"\(.*?\)|\[.*?\]|:\w+", "", text))
    return frozenset(word.strip() for word in words if word.strip())


def _listed(contents: Mapping[str, bytes], name: str, architecture: str) -> list[str]:
    for path in (f"{name}.list", f"{name}:{architecture}.list"):
        text = _text(contents, f"var/lib/dpkg/info/{path}")
        if text:
            return [line.lstrip("/") for line in text.splitlines()]
    return []


def _summed(contents: Mapping[str, bytes], path: str) -> list[str]:
    lines = (line.split(None, 1) for line in _text(contents, path).splitlines())
    return [words[1].removeprefix("./").lstrip("/") for words in lines if len(words) == 2]


def _where_it_is(path: str, paths: Collection[str]) -> str:
    merged = f"usr/{path}"
    return merged if path not in paths and merged in paths else path


def _stanzas(contents: Mapping[str, bytes], path: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n{2,}", _text(contents, path)):
        if fields := dict(_FIELD.findall(block)):
            yield fields


def _text(contents: Mapping[str, bytes], path: str) -> str:
    return contents.get(path, b"").decode("utf-8", "surrogateescape")
