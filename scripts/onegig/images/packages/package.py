"""A package as its own database describes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from onegig.package_names import is_development_name, is_system

_RUNTIMES = re.compile(
    r"python3(\.\d+)?(-minimal|-pyc|-pycache-pyc.*)?|pyc|python2.*|libpython[23].*|pypy.*|"
    r"nodejs(-.+)?|libnode\d+|ruby(\d.*|-libs)?|libruby.*|openjdk-?\d+-jre(-.+)?|default-jre.*|"
    r"java-common|php\d*([.-].*)?|lua5.*|dotnet.*-runtime.*|aspnetcore-runtime.*|erlang.*"
)
_BROUGHT_BY_TOOLS = re.compile(r"(openjdk-?\d+|default)-jre(-.+)?|java-common|nodejs|libnode\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """One installed package and the files that are its own.

    `needs`, `options` (what it needs for an extra) and `answers_to` use the names of its database,
    so that they can be compared. `asked` is False for a package that was only installed because
    another one needs it.
    """

    kind: str  # of its database, such as "apk" or "pip"
    name: str
    version: str
    files: frozenset[str]  # paths as in Entry.path
    needs: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    answers_to: frozenset[str] = frozenset()
    asked: bool = True
    development: bool = False  # marked as such by its database
    own: bool = False  # installed from a folder of sources: the application itself

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    @property
    def is_runtime(self) -> bool:
        """Return whether it is a distribution's package of an interpreter or virtual machine."""
        return is_system(self.kind) and bool(_RUNTIMES.fullmatch(self.name))

    @property
    def runs_programs(self) -> bool:
        """Return whether images get it with a tool, such as a JDK, but run their program by it."""
        return is_system(self.kind) and bool(_BROUGHT_BY_TOOLS.fullmatch(self.name))

    @property
    def is_development(self) -> bool:
        """Return whether its database or its name makes it a development tool."""
        return self.development or is_development_name(self.kind, self.name)


def text_of(contents: Mapping[str, bytes], path: str) -> str:
    """Return a file's text; "" for one that is not there."""
    return contents.get(path, b"").decode("utf-8", "surrogateescape")
