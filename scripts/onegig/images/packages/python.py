"""Python's distributions: *.dist-info and *.egg-info (PyPA: "Recording installed projects").

RECORD lists a distribution's files. A file that it doesn't list, as in images that drop it, belongs
to the distribution whose top-level module or folder it lies in.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename, dirname, normpath

from onegig.images.packages.package import Package, text_of
from onegig.package_names import normalize_name

INFO = r"[^/]+\.(?:dist|egg)-info"
IN_PATH = ("-info",)
DATABASE = re.compile(
    rf"(?:.*/)?{INFO}(?:/(?:METADATA|PKG-INFO|RECORD|top_level\.txt|installed-files\.txt"
    r"|direct_url\.json))?"
)
_FOLDER = re.compile(rf"((?:.*/)?{INFO})(?:/.+)?")  # distutils wrote a file of that name
_NAMED = re.compile(r"(?P<name>.+?)(?:-(?P<version>\d[^-]*))?(?:-py[\d.]+)?\.(?:dist|egg)-info")
_NEED = re.compile(r"^Requires-Dist: *([\w.-]+)(.*)$", re.MULTILINE)
_EXTRA = re.compile(r"\bextra *==")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Info:
    """One *.dist-info: its path and texts, and the files that it lists."""

    path: str
    metadata: str
    files: frozenset[str]
    tops: frozenset[str]
    from_sources: bool  # `pip install .`

    @property
    def site(self) -> str:
        """Return the folder it lies in, such as site-packages."""
        return dirname(self.path)


def read(contents: Mapping[str, bytes], paths: Collection[str]) -> Iterator[Package]:
    """Yield the distributions of every site-packages, but for those inside of others."""
    infos = _infos(contents, paths)
    tops = {(info.site, top) for info in infos for top in info.tops}
    infos = [info for info in infos if not _is_vendored(info, tops)]
    listed = frozenset().union(*(info.files for info in infos))
    loose = _loose(paths, listed, {info.site for info in infos})
    asked = {info.path for info in infos if f"{info.path}/REQUESTED" in paths}
    for info in infos:
        rest = (path for top in info.tops for path in loose[info.site, top])
        yield _package(info, info.files.union(rest), asked=info.path in asked or not asked)


def _is_vendored(info: _Info, tops: Collection[tuple[str, str]]) -> bool:
    """Return whether it lies within another distribution, as those in setuptools/_vendor do."""
    return any(
        site != info.site and _top(site, info.path) == top
        for site, top in tops
        if info.path.startswith(site)
    )


def _package(info: _Info, files: frozenset[str], *, asked: bool) -> Package:
    named = _NAMED.fullmatch(basename(info.path))
    name = _field(info.metadata, "Name") or (named["name"] if named else info.path)
    needs: dict[bool, set[str]] = {True: set(), False: set()}
    for needed, conditions in _NEED.findall(info.metadata):
        needs[bool(_EXTRA.search(conditions))].add(normalize_name(needed))
    return Package(
        kind="pip",
        name=name,
        version=_field(info.metadata, "Version") or ((named and named["version"]) or ""),
        files=files,
        needs=frozenset(needs[False]),
        options=frozenset(needs[True]),
        answers_to=frozenset((normalize_name(name),)),
        asked=asked,
        own=info.from_sources,
    )


def _infos(contents: Mapping[str, bytes], paths: Iterable[str]) -> list[_Info]:
    files: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        if "-info" in path and (match := _FOLDER.fullmatch(path)) and not _is_checkout(match[1]):
            files[match[1]].add(path)
    return [_info(path, within, contents) for path, within in sorted(files.items())]


def _is_checkout(folder: str) -> bool:
    """Return whether setuptools left it beside the sources of what it builds."""
    site = basename(dirname(folder))
    return folder.endswith(".egg-info") and site not in ("site-packages", "dist-packages")


def _info(path: str, files: set[str], contents: Mapping[str, bytes]) -> _Info:
    def text(name: str) -> str:
        return text_of(contents, f"{path}/{name}".rstrip("/"))

    site = dirname(path)
    recorded = frozenset(_absolute(site, line) for line in _recorded(text("RECORD")))
    recorded |= {_absolute(path, line) for line in text("installed-files.txt").splitlines()}
    named = _NAMED.fullmatch(basename(path))
    tops = text("top_level.txt").split() or ([named["name"].replace("-", "_")] if named else [])
    metadata = text("METADATA") or text("PKG-INFO") or text("")
    return _Info(
        path=path,
        metadata=metadata.partition("\n\n")[0],  # the description after it may contain anything
        files=recorded | files,
        tops=frozenset(tops).union(_top(site, file) for file in recorded) - {""},
        from_sources='"dir_info"' in text("direct_url.json"),
    )


def _recorded(record: str) -> list[str]:
    try:
        return [row[0] for row in csv.reader(record.splitlines()) if row]
    except csv.Error:  # somebody's own file of that name
        return []


def _absolute(folder: str, path: str) -> str:
    """Resolve a RECORD's path, which is relative to its site-packages or absolute."""
    return normpath(f"/{folder}/{path}" if not path.startswith("/") else path).lstrip("/")


def _loose(
    paths: Iterable[str], listed: frozenset[str], sites: Collection[str]
) -> defaultdict[tuple[str, str], list[str]]:
    """Return the files that no RECORD lists, by site-packages and top-level name."""
    loose: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        for site in () if path in listed else sites:
            if top := _top(site, path):
                loose[site, top].append(path)
    return loose


def _top(site: str, path: str) -> str:
    """Return the module or folder of `site` that a path is or lies in; "" for paths elsewhere.

    six.py, six.cpython-313-x86_64-linux-gnu.so and __pycache__/six.cpython-313.pyc are all "six".
    """
    prefix = f"{site}/" if site else ""
    if not path.startswith(prefix):
        return ""
    first, _, rest = path[len(prefix) :].partition("/")
    return (rest if first == "__pycache__" else first).partition(".")[0]


def _field(metadata: str, key: str) -> str:
    match = re.search(rf"^{key}: *(.+)$", metadata, re.MULTILINE)
    return match[1].strip() if match else ""
