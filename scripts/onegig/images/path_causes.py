"""What a path alone says a file is there for, whoever put it there.

These rules go before the word of a package database, as they say more: gcc's manual is
documentation, and the tests in a library's package are nothing it needs. Decided here:

- Bytecode is a cache where its source is there as well, that is in __pycache__. A .pyc in place of
  its source is the program itself.
- A copyright file in usr/share/doc is no documentation: licences ask for it, and the slim images
  of Debian keep it. So are licences in *.dist-info. C.UTF-8 in usr/lib/locale is no locale that
  could be missed: programs run in it. Time zones are data that programs read.
- The log files and temporary files of a build count with the caches: left behind alike.
- Headers, static libraries and debug symbols are for who compiles. `tests` in a package are for its
  authors; numpy/testing, being imported, is not.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from onegig.model.images import Cause

PATH = "path"  # Part.kind of what no package database names
BYTECODE = "bytecode"
REMEMBERED = 2**15  # paths: the images of a stack have most of theirs in common
DEPTH = 4  # of folders that name files without an owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What files at such a path are.

    `name` is the folder they are found in, "/root/.cache/pip", or what they are: "headers", where
    more must be said: whose or in which folder.
    """

    cause: Cause
    name: str
    is_folder: bool = False


_HOME = r"(?:root|home/[^/]+)"
_FOLDERS = (  # cause, pattern of the folder that gives the name
    (Cause.CACHE, rf"{_HOME}/\.cache(?:/[^/]+(?=/))?"),
    (Cause.CACHE, rf"{_HOME}/\.(?:npm|yarn|pnpm-store|m2|gradle|bundle|gem|nuget|composer|cpanm)"),
    (Cause.CACHE, rf"(?:{_HOME}/\.cargo|usr/local/cargo)/(?:registry|git)"),
    (Cause.CACHE, rf"(?:{_HOME}/|)go/pkg"),
    (Cause.CACHE, r"usr/local/share/\.cache(?:/[^/]+(?=/))?"),
    (Cause.CACHE, r"var/cache(?:/[^/]+(?=/))?"),
    (Cause.CACHE, r"etc/apk/cache|lib/apk/cache"),
    (Cause.CACHE, r"var/lib/apt/lists"),
    (Cause.CACHE, r"var/log"),
    (Cause.CACHE, r"(?:var/)?tmp"),
    (Cause.DOCUMENTATION, r"usr/(?:local/)?share/doc(?!/[^/]+/copyright)"),
    (Cause.DOCUMENTATION, r"usr/(?:local/)?(?:share/)?(?:man|info|gtk-doc|help|doc-base)"),
    (Cause.DOCUMENTATION, r"usr/(?:local/)?share/(?:locale|i18n)"),
    (Cause.DOCUMENTATION, r"usr/lib/locale(?!/C\.utf8/)"),
    (Cause.DOCUMENTATION, r"usr/(?:local/)?lib/python3[\d.]*/pydoc_data"),
    (Cause.DEVELOPMENT, r"usr/lib/debug"),
    (Cause.DEVELOPMENT, r"usr/local/(?:go|rustup|cargo)"),
    (Cause.DEVELOPMENT, rf"{_HOME}/\.(?:rustup|cargo)"),
    (Cause.DEVELOPMENT, r"usr/(?:local/)?lib/python3[\d.]*/(?:test|idlelib|turtledemo|lib2to3)"),
    (Cause.DEVELOPMENT, r"usr/(?:local/)?lib/python3[\d.]*/(?:ensurepip|config-3[^/]*)"),
    (
        Cause.DEVELOPMENT,
        r"usr/(?:local/)?lib/(?:cmake|pkgconfig)|usr/(?:local/)?share/(?:aclocal|pkgconfig)",
    ),
)
_FOLDER = re.compile("|".join(f"({pattern})/.+" for _, pattern in _FOLDERS), re.DOTALL)
_TRANSLATION = re.compile(r".*/LC_MESSAGES/[^/]+\.[mp]o", re.DOTALL)
_HEADER = re.compile(
    r"usr/(?:local/)?include/.*|(?:.*/)?include/.*\.(?:h|hh|hpp|hxx|inl|ipp|tcc|pxd)", re.DOTALL
)
_STATIC = re.compile(r"(?:.*/)?lib[^/]*/(?:.*/)?[^/]+\.l?a", re.DOTALL)
_TESTS = re.compile(r".*/(?:site-packages|dist-packages|node_modules)/(?:.*/)?tests/.*", re.DOTALL)
_PYTHON_TESTS = re.compile(r".*/lib-dynload/(?:_test|_ctypes_test|_xxtest|xx)[^/]*", re.DOTALL)
_BYTECODE = re.compile(r"((?:.*/)?)__pycache__/([^/.]+)\.[^/]*\.pyc", re.DOTALL)


@lru_cache(maxsize=REMEMBERED)
def place_of(path: str) -> Place | None:
    """What the path says; None where it says nothing. Bytecode is not looked at.

    What a pattern can't do without is looked for first: nearly all files are none of these.
    """
    if match := _FOLDER.fullmatch(path):
        number = match.lastindex or 1
        return Place(cause=_FOLDERS[number - 1][0], name=f"/{match[number]}", is_folder=True)
    if "/LC_MESSAGES/" in path and _TRANSLATION.fullmatch(path):
        return Place(cause=Cause.DOCUMENTATION, name="translations")
    if "include/" in path and _HEADER.fullmatch(path):
        return Place(cause=Cause.DEVELOPMENT, name="headers")
    if path.endswith("a") and _STATIC.fullmatch(path):
        return Place(cause=Cause.DEVELOPMENT, name="static libraries")
    if "/tests/" in path and _TESTS.fullmatch(path):
        return Place(cause=Cause.DEVELOPMENT, name="tests")
    if "/lib-dynload/" in path and _PYTHON_TESTS.fullmatch(path):
        return Place(cause=Cause.DEVELOPMENT, name="tests")
    return None


def source_of(path: str) -> str:
    """The module that bytecode in __pycache__ was compiled from; "" for any other file."""
    match = _BYTECODE.fullmatch(path) if "__pycache__/" in path else None
    return f"{match[1]}{match[2]}.py" if match else ""


def folder_of(path: str, depth: int = DEPTH) -> str:
    """The folder of a path, its first names only: "/usr/local/bin"; "/" for the root's files."""
    return "/" + "/".join(path.split("/")[:-1][:depth])
