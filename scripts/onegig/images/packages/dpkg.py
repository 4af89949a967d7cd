"""Debian's packages: dpkg's status and lists of files, or the status.d of distroless images.

A list may name /bin/sh where the file is /usr/bin/sh: since the two were merged, /bin is a link.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from onegig.images.packages.package import Package, text_of

IN_PATH = ("/dpkg/", "/apt/")
DATABASE = re.compile(
    r"var/lib/dpkg/(status|info/[^/]+\.list|status\.d/.+)|var/lib/apt/extended_states"
)
_STATUS = "var/lib/dpkg/status"
_STATUS_FOLDER = "var/lib/dpkg/status.d/"
_EXTENDED_STATES = "var/lib/apt/extended_states"
_FIELD = re.compile(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def read(contents: Mapping[str, bytes], paths: Collection[str] = ()) -> Iterator[Package]:
    """Yield the packages of both forms that a database can have."""
    automatic = {
        stanza.get("Package", "")
        for stanza in _stanzas(contents, _EXTENDED_STATES)
        if stanza.get("Auto-Installed") == "1"
    }
    for stanza in _stanzas(contents, _STATUS):
        if stanza.get("Status", "").endswith(" installed"):
            yield _package(stanza, _listed(contents, stanza), automatic, paths)
    for path in contents:
        if path.startswith(_STATUS_FOLDER) and not path.endswith(".md5sums"):
            sums = f"{path}.md5sums"
            lines = [line.split(None, 1) for line in text_of(contents, sums).splitlines()]
            files = [line[1].removeprefix("./").lstrip("/") for line in lines if len(line) == 2]
            for stanza in _stanzas(contents, path):
                yield _package(stanza, [*files, path, sums], automatic, paths)


def _package(
    stanza: Mapping[str, str], files: list[str], automatic: set[str], paths: Collection[str]
) -> Package:
    name = stanza.get("Package", "")
    provided = _NAME.findall(re.sub(r"\(.*?\)", "", stanza.get("Provides", "")))
    return Package(
        kind="dpkg",
        name=name,
        version=stanza.get("Version", ""),
        files=frozenset(_actual_path(path, paths) for path in files),
        needs=_needs(stanza),
        answers_to=frozenset((name, *provided)),
        asked=name not in automatic,
    )


def _needs(stanza: Mapping[str, str]) -> frozenset[str]:
    """Return every name that Depends, Pre-Depends and Recommends mention, all alternatives."""
    text = ",".join(stanza.get(key, "") for key in ("Depends", "Pre-Depends", "Recommends"))
    names = re.split(r"[,|]", re.sub(r"\(.*?\)|\[.*?\]|:\w+", "", text))
    return frozenset(name.strip() for name in names if name.strip())


def _listed(contents: Mapping[str, bytes], stanza: Mapping[str, str]) -> list[str]:
    name, architecture = stanza.get("Package", ""), stanza.get("Architecture", "")
    paths = (f"var/lib/dpkg/info/{stem}.list" for stem in (name, f"{name}:{architecture}"))
    text = next(filter(None, (text_of(contents, path) for path in paths)), "")
    return [line.lstrip("/") for line in text.splitlines()]


def _actual_path(path: str, paths: Collection[str]) -> str:
    merged = f"usr/{path}"
    return merged if path not in paths and merged in paths else path


def _stanzas(contents: Mapping[str, bytes], path: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n{2,}", text_of(contents, path)):
        if fields := dict(_FIELD.findall(block)):
            yield fields
