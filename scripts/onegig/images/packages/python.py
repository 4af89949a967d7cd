"""Python's distributions: *.dist-info and *.egg-info (PyPA: "Recording installed projects").

RECORD lists a distribution's files. What it doesn't list, and all files of images that drop it,
belongs to whose top-level module or folder it lies in.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename, dirname, normpath

from onegig.images.packages.package import Package

INFO = r"[^/]+\.(?:dist|egg)-info"
DATABASE = re.compile(
    rf"(?:.*/)?{INFO}(?:/(?:METADATA|PKG-INFO|RECORD|top_level\.txt|installed-files\.txt"
    r"|direct_url\.json))?"
)
_FOLDER = re.compile(rf"((?:.*/)?{INFO})(?:/.+)?")  # distutils wrote a file of that name
_NAMED = re.compile(r"(?P<name>.+?)(?:-(?P<version>\d[^-]*))?(?:-py[\d.]+)?\.(?:dist|egg)-info")
_NEED = re.compile(r"^Requires-Dist: *([\w.-]+)(.*)$", re.MULTILINE)
_EXTRA = re.compile(r"\bextra *==")
_FIELD = {key: re.compile(rf"^{key}: *(.+)$", re.MULTILINE) for key in ("Name", "Version")}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folder:
    """One *.dist-info: where, its texts, and the files it says are its own."""

    path: str
    metadata: str
    recorded: frozenset[str]
    tops: frozenset[str]
    from_sources: bool  # `pip install .`

    @property
    def site(self) -> str:
        """The folder it lies in, such as site-packages."""
        return dirname(self.path)


def read(contents: Mapping[str, bytes], paths: Collection[str]) -> Iterator[Package]:
    """The distributions of every site-packages there is, those inside of others left out."""
    folders = _folders(contents, paths)
    tops = {(folder.site, top) for folder in folders for top in folder.tops}
    folders = [folder for folder in folders if not _is_vendored(folder, tops)]
    owned = frozenset().union(*(folder.recorded for folder in folders))
    loose = _loose(paths, owned, {folder.site for folder in folders})
    asked = {folder.path for folder in folders if f"{folder.path}/REQUESTED" in paths}
    for folder in folders:
        rest = (path for top in folder.tops for path in loose[folder.site, top])
        files = folder.recorded.union(rest)
        yield _package(folder, files, asked=folder.path in asked or not asked)


def _is_vendored(folder: _Folder, tops: Collection[tuple[str, str]]) -> bool:
    """Whether it lies within another distribution, as setuptools/_vendor's do."""
    return any(
        site != folder.site and _top(site, folder.path) == top
        for site, top in tops
        if folder.path.startswith(site)
    )


def _package(folder: _Folder, files: frozenset[str], *, asked: bool) -> Package:
    named = _NAMED.fullmatch(basename(folder.path))
    name = _field(folder.metadata, "Name") or (named["name"] if named else folder.path)
    return Package(
        kind="pip",
        name=name,
        version=_field(folder.metadata, "Version") or ((named and named["version"]) or ""),
        files=files,
        needs=_needs(folder.metadata, optional=False),
        options=_needs(folder.metadata, optional=True),
        answers_to=frozenset((normal(name),)),
        asked=asked,
        own=folder.from_sources,
    )


def _needs(metadata: str, *, optional: bool) -> frozenset[str]:
    return frozenset(
        normal(name)
        for name, conditions in _NEED.findall(metadata)
        if bool(_EXTRA.search(conditions)) is optional
    )


def normal(name: str) -> str:
    """A name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _folders(contents: Mapping[str, bytes], paths: Iterable[str]) -> list[_Folder]:
    within: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        if "-info" in path and (match := _FOLDER.fullmatch(path)) and not _is_checkout(match[1]):
            within[match[1]].add(path)
    return [_folder(path, files, contents) for path, files in sorted(within.items())]


def _is_checkout(folder: str) -> bool:
    """Whether it is what setuptools leaves beside the sources of what it builds."""
    site = basename(dirname(folder))
    return folder.endswith(".egg-info") and site not in ("site-packages", "dist-packages")


def _folder(path: str, files: set[str], contents: Mapping[str, bytes]) -> _Folder:
    def text(name: str) -> str:
        return contents.get(f"{path}/{name}".rstrip("/"), b"").decode("utf-8", "surrogateescape")

    site = dirname(path)
    recorded = frozenset(_normalised(site, line) for line in _recorded(text("RECORD")))
    recorded |= {_normalised(path, line) for line in text("installed-files.txt").splitlines()}
    named = _NAMED.fullmatch(basename(path))
    tops = text("top_level.txt").split() or ([named["name"].replace("-", "_")] if named else [])
    return _Folder(
        path=path,
        metadata=_header(text("METADATA") or text("PKG-INFO") or text("")),
        recorded=recorded | files,
        tops=frozenset(tops).union(_top(site, one) for one in recorded) - {""},
        from_sources='"dir_info"' in text("direct_url.json"),
    )


def _recorded(record: str) -> list[str]:
    try:
        return [row[0] for row in csv.reader(record.splitlines()) if row]
    except csv.Error:  # somebody's own file of that name
        return []


def _header(metadata: str) -> str:
    """Without the description, which may say anything."""
    return metadata.partition("\n\n")[0]


def _normalised(folder: str, path: str) -> str:
    """A RECORD's path is relative to its site-packages, or absolute."""
    return normpath(f"/{folder}/{path}" if not path.startswith("/") else path).lstrip("/")


def _loose(
    paths: Iterable[str], owned: frozenset[str], sites: Collection[str]
) -> defaultdict[tuple[str, str], list[str]]:
    """Files that no RECORD lists, by site-packages and top-level name."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        if path in owned:
            continue
        for site in sites:
            if top := _top(site, path):
                found[site, top].append(path)
    return found


def _top(site: str, path: str) -> str:
    """The module or folder directly in `site` that a path is or lies in; "" for paths elsewhere.

    six.py, six.cpython-313-x86_64-linux-gnu.so and __pycache__/six.cpython-313.pyc are all "six".
    """
    prefix = f"{site}/" if site else ""
    if not path.startswith(prefix):
        return ""
    first, _, rest = path[len(prefix) :].partition("/")
    return (rest if first == "__pycache__" else first).partition(".")[0]


def _field(metadata: str, key: str) -> str:
    match = _FIELD[key].search(metadata)
    return match[1].strip() if match else ""
