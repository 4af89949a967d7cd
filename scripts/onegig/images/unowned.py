"""What files are there for that neither a package database nor their path alone explains. Pure.

Decided here, in this order:

- language runtime: interpreters that were not installed as packages (python, node, ruby, Java under
  /usr/local or /opt), and the files of a virtual environment itself;
- base OS: what package managers keep about themselves; of the base image's layers, what lies
  where a distribution puts things; what RUN changes in /etc and /var/lib by installing packages;
- runtime dependency: what the base image has elsewhere (/usr/local/bin/redis-server), modules of
  Python without a record, gems, copied shared libraries, what RUN puts in /usr/local and /opt;
- application: what COPY, ADD and WORKDIR put anywhere else, and all that lies in the same folders;
- unexplained: the rest.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from onegig.dockerfiles.instructions import destination, is_copied
from onegig.images.path_causes import folder_of
from onegig.model.images import Cause

_RUNTIMES = (  # name, pattern; a group gives the version
    (
        "Python",
        r"(?:usr/(?:local/)?|opt/[^/]+/)lib/python(3[\d.]*)/(?!(?:site|dist)-packages/(?!README)).*",
    ),
    (
        "Python",
        r"(?:usr/(?:local/)?|opt/[^/]+/)(?:bin/(?:python|pydoc|idle|2to3|pip)|lib/libpython)(?:(3\.\d+)|[^/]*)?[^/]*",
    ),
    (
        "Node.js",
        r"(?:usr/local|opt/node[^/]*)/bin/node()|usr/local/(?:LICENSE|README\.md|CHANGELOG\.md)",
    ),
    (
        "Ruby",
        r"usr/local/(?:lib/ruby/(?!gems/).*|lib/libruby[^/]*|bin/(?:ruby|gem|irb|erb|rake|bundle|bundler|rdoc|ri)|lib/ruby/gems/([\d.]+)/(?!gems/).*)",
    ),
    ("Java", r"(?:usr/lib/jvm|opt/java|usr/local/openjdk-?(\d*)|opt/jdk[^/]*|opt/jre[^/]*)/.*"),
    ("PHP", r"usr/local/(?:bin|lib|sbin|etc)/(?:php|pear|phar)()[^/]*(?:/.*)?"),
)
_RUNTIME = [(name, re.compile(pattern, re.DOTALL)) for name, pattern in _RUNTIMES]
_ANY_RUNTIME = re.compile("|".join(pattern for _, pattern in _RUNTIMES), re.DOTALL)
_ENVIRONMENT = "/pyvenv.cfg"
_PYTHON = re.compile(r"usr/local/lib/python(3\.\d+)/")
_DATABASES = re.compile(
    r"((?:usr/)?lib/apk|etc/apk|var/lib/dpkg|var/lib/apt|usr/lib/sysimage/[^/]+)/.*", re.DOTALL
)
_MODULE = re.compile(r"(.*/(?:site|dist)-packages/[^/]+)(?:/.*)?", re.DOTALL)
_GEM = re.compile(r".*/gems/(?P<name>[^/]+)-(?P<version>\d[^/-]*)/.*", re.DOTALL)
_LIBRARY = re.compile(r"(?:usr/|usr/local/|opt/[^/]+/)?lib(?:64)?/.*\.so(?:\.[\d.]+)?", re.DOTALL)
_SYSTEM = re.compile(
    r"(?!usr/local/|usr/src/)(?:bin|boot|dev|etc|lib|lib64|sbin|usr|var|run|root)/.*", re.DOTALL
)
_ADAPTED = re.compile(
    r"etc/.*|var/lib/.*|usr/share/(?:mime|icons|applications|fonts|glib-2\.0/schemas|X11)/.*"
    r"|usr/lib/.*\.cache|usr/share/.*\.cache|usr/share/info/dir|(?:usr/)?lib/systemd/.*"
    r"|\.dockerenv|(?:root|home/[^/]+)/\.(?:bashrc|profile|bash_logout|wget-hsts)",
    re.DOTALL,
)
_INSTALLED = re.compile(r"(usr/local/[^/]+/[^/]+|opt/[^/]+)(?:/.*)?", re.DOTALL)
_TOO_HIGH = {"", "usr", "usr/local", "usr/local/bin", "usr/local/lib", "usr/bin", "usr/lib", "bin"}
_TOO_HIGH |= {"lib", "etc", "opt", "var", "home", "root", "tmp", "srv", "usr/local/sbin", "sbin"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """What a file is there for, and what to call it."""

    cause: Cause
    name: str


class Unowned:
    """Tells it for the files of one image."""

    def __init__(
        self,
        instructions: Sequence[str],
        *,
        base_layers: int,
        workdir: str,
        paths: Collection[str],
    ) -> None:
        self._instructions = instructions
        self._base_layers = base_layers
        self._copies = [at >= base_layers and is_copied(one) for at, one in enumerate(instructions)]
        self._environments = [
            path.removesuffix(_ENVIRONMENT) for path in paths if path.endswith(_ENVIRONMENT)
        ]
        self._python = next((found[1] for path in paths if (found := _PYTHON.match(path))), "")
        self._own = self._folders(workdir.strip("/"))

    def reason(self, path: str, layer: int) -> Reason:
        """Why a file of that layer is there."""
        return (
            self._runtime(path)
            or _database(path)
            or self._dependency(path, layer)
            or self._own_file(path, layer)
            or self._rest(path, layer)
        )

    def _folders(self, workdir: str) -> tuple[str, ...]:
        """Where the application lies: the working directory, and where COPY puts folders."""
        own = self._instructions[self._base_layers :]
        folders = {destination(one, workdir) for one in own if one.upper().startswith("COPY ")}
        return tuple(sorted(({workdir} | folders) - _TOO_HIGH, key=len))

    def _runtime(self, path: str) -> Reason | None:
        for folder in self._environments:
            if path.startswith(f"{folder}/") and not _MODULE.fullmatch(path):
                return Reason(cause=Cause.RUNTIME, name=f"virtual environment /{folder}")
        if not _ANY_RUNTIME.fullmatch(path):
            return None
        for name, pattern in _RUNTIME:
            if match := pattern.fullmatch(path):
                version = next(filter(None, match.groups()), "")
                version = version or (self._python if name == "Python" else "")
                return Reason(cause=Cause.RUNTIME, name=f"{name} {version}".strip())
        return None

    def _dependency(self, path: str, layer: int) -> Reason | None:
        if "gems/" in path and (match := _GEM.fullmatch(path)):
            return Reason(cause=Cause.DEPENDENCY, name=f"{match['name']} {match['version']}")
        if "-packages/" in path and (match := _MODULE.fullmatch(path)):
            copied = self._is_copied(path, layer)
            cause = Cause.APPLICATION if copied else Cause.DEPENDENCY
            return Reason(cause=cause, name=f"/{match[1]}")
        if ".so" in path and self._is_copied(path, layer) and _LIBRARY.fullmatch(path):
            return Reason(cause=Cause.DEPENDENCY, name=f"/{path}")
        return None

    def _own_file(self, path: str, layer: int) -> Reason | None:
        for folder in self._own:
            if path.startswith(f"{folder}/"):
                return Reason(cause=Cause.APPLICATION, name=f"/{folder}")
        if self._is_copied(path, layer):
            return Reason(cause=Cause.APPLICATION, name=folder_of(path, 3))
        return None

    def _is_copied(self, path: str, layer: int) -> bool:
        """Where the history says nothing, what lies outside of the system's folders is."""
        if not self._copies[layer]:
            return False
        return bool(self._instructions[layer]) or not _SYSTEM.fullmatch(path)

    def _rest(self, path: str, layer: int) -> Reason:
        is_base = layer < self._base_layers
        if (is_base and _SYSTEM.fullmatch(path)) or _ADAPTED.fullmatch(path):
            return Reason(
                cause=Cause.BASE, name=folder_of(path, 1 if path.startswith("etc/") else 3)
            )
        if match := _INSTALLED.fullmatch(path):
            return Reason(cause=Cause.DEPENDENCY, name=f"/{match[1]}")
        if is_base:
            return Reason(cause=Cause.DEPENDENCY, name=folder_of(path, 2))
        return Reason(cause=Cause.UNEXPLAINED, name=folder_of(path))


def _database(path: str) -> Reason | None:
    match = _DATABASES.fullmatch(path)
    return Reason(cause=Cause.BASE, name=f"/{match[1]}") if match else None
