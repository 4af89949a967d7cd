"""The cause of a file by its path, and by the instruction that put it there. Pure.

`cause_of_path` goes before the package databases, as it says more: gcc's manual is documentation,
and the tests in a library's package are nothing it needs. Decided here:

- Bytecode is a cache if its source is there as well, that is in __pycache__. A .pyc in place of
  its source is the program itself.
- A copyright file in usr/share/doc is not documentation: licences ask for it, and the slim images
  of Debian keep it, as they do C.UTF-8 in usr/lib/locale, which programs run in. So are licences in
  *.dist-info. Time zones are data that programs read.
- The log files and temporary files of a build count as caches: left behind alike.
- Headers, static libraries and debug symbols are for compiling. `tests` in a package are for its
  authors; numpy/testing, being imported, is not.

`Strays` finds what `COPY . /app` brought along by accident. `Unowned` explains the files that
neither their path alone nor a package database does, in this order:

- language runtime: interpreters that were not installed as packages (python, node, ruby, Java under
  /usr/local or /opt), and the files of a virtual environment itself;
- base OS: the package managers' own databases; files of the base image's layers where a
  distribution puts things; what RUN changes in /etc and /var/lib by installing packages;
- runtime dependency: what the base image has elsewhere (/usr/local/bin/redis-server), modules of
  Python without a record, gems, copied shared libraries, what RUN puts in /usr/local and /opt;
- application: what COPY, ADD and WORKDIR put anywhere else, and all that lies in the same folders;
- unexplained: the rest.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from onegig.dockerfiles.parse import copies_everything, destination, is_copied
from onegig.images.layer import LayerIndex
from onegig.model.images import Cause

PATH = "path"  # Part.kind of files that no package database names
DEPTH = 4  # of folders that name files without an owner
REMEMBERED = 2**15  # paths: the images of a stack have most of theirs in common


@dataclass(frozen=True, slots=True)
class Reason:
    """The cause of a file.

    `name` is a package with its version, a folder ("/root/.cache/pip"), or a kind of file such as
    "headers", which needs the package or folder added.
    """

    cause: Cause
    name: str
    kind: str = PATH

    @property
    def is_folder(self) -> bool:
        """Return whether the name is that of a folder."""
        return self.name.startswith("/")


_HOME = r"(?:root|home/[^/]+)"
_FOLDERS = (  # cause, pattern of the folder that gives the name
    (Cause.CACHE, rf"{_HOME}/\.cache(?:/[^/]+(?=/))?"),
    (Cause.CACHE, rf"{_HOME}/\.(?:npm|yarn|pnpm-store|m2|gradle|bundle|gem|nuget|composer|cpanm)"),
    (Cause.CACHE, rf"{_HOME}/\.local/share/pnpm/store"),
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
_KINDS = tuple(  # cause, name, a part that every such path has, pattern
    (cause, name, part, re.compile(pattern, re.DOTALL))
    for cause, name, part, pattern in (
        (Cause.DOCUMENTATION, "translations", "/LC_MESSAGES/", r".*/LC_MESSAGES/[^/]+\.[mp]o"),
        (
            Cause.DEVELOPMENT,
            "headers",
            "include/",
            r"usr/(?:local/)?include/.*|(?:.*/)?include/.*\.(?:h|hh|hpp|hxx|inl|ipp|tcc|pxd)",
        ),
        (
            Cause.DEVELOPMENT,
            "tests",
            "/tests/",
            r".*/(?:site-packages|dist-packages|node_modules)/(?:.*/)?tests/.*",
        ),
        (
            Cause.DEVELOPMENT,
            "tests",
            "/lib-dynload/",
            r".*/lib-dynload/(?:_test|_ctypes_test|_xxtest|xx)[^/]*",
        ),
    )
)
_STATIC = re.compile(r"(?:.*/)?lib[^/]*/(?:.*/)?[^/]+\.l?a", re.DOTALL)
_BYTECODE = re.compile(r"((?:.*/)?)__pycache__/([^/.]+)\.[^/]*\.pyc", re.DOTALL)


@lru_cache(maxsize=REMEMBERED)
def cause_of_path(path: str) -> Reason | None:
    """Return the cause that a path alone shows, or None if it shows none. Bytecode is left out.

    Cheap tests go before the patterns: nearly all files match none of them.
    """
    if match := _FOLDER.fullmatch(path):
        number = match.lastindex or 1
        return Reason(_FOLDERS[number - 1][0], f"/{match[number]}")
    for cause, name, part, pattern in _KINDS:
        if part in path and pattern.fullmatch(path):
            return Reason(cause, name)
    if path.endswith("a") and _STATIC.fullmatch(path):
        return Reason(Cause.DEVELOPMENT, "static libraries")
    return None


def is_cache(path: str) -> bool:
    """Return whether a path alone shows that a file lies in a cache."""
    reason = cause_of_path(path)
    return reason is not None and reason.cause is Cause.CACHE


def source_of(path: str) -> str:
    """Return the module that bytecode in __pycache__ was compiled from; "" for other files."""
    match = _BYTECODE.fullmatch(path) if "__pycache__/" in path else None
    return f"{match[1]}{match[2]}.py" if match else ""


def folder_of(path: str, depth: int = DEPTH) -> str:
    """Return the first names of a path's folder: "/usr/local/bin"; "/" for files of the root."""
    return "/" + "/".join(path.split("/")[:-1][:depth])


_REPOSITORY = re.compile(r"(?P<folder>(?:.*/)?\.(?:git|hg|svn))/.*", re.DOTALL)
_ANYWHERE = re.compile(
    r"(?P<folder>(?:.*/)?(?:\.(?:github|gitlab|circleci|idea|vscode|devcontainer|tox|nox|venv|eggs"
    r"|mypy_cache|pytest_cache|ruff_cache|hypothesis|ipynb_checkpoints|terraform)|htmlcov|venv"
    r"|(?:.*/)?[^/]+\.egg-info))/.*",
    re.DOTALL,
)
_BELOW = re.compile(r"(?P<folder>tests?|__tests__)/.*", re.DOTALL)
_MODULES = re.compile(r"(?P<folder>(?:.*?/)?node_modules)/.*", re.DOTALL)
_NODE = re.compile(r"(?:.*/)?bin/(?:node|nodejs|bun|deno)")


class Strays:
    """Finds the stray folders of one image."""

    def __init__(
        self,
        layers: Sequence[LayerIndex],
        instructions: Sequence[str],
        paths: Collection[str],
        *,
        base_layers: int,
        workdir: str,
    ) -> None:
        self._base_layers = base_layers
        self._copies: list[tuple[str, frozenset[str]]] = []  # "app/", and the paths below it
        for layer, instruction in list(zip(layers, instructions, strict=True))[base_layers:]:
            if copies_everything(instruction):
                folder = destination(instruction, workdir)
                prefix = f"{folder}/" if folder else ""
                paths_below = (entry.path for entry in layer.entries)
                below = frozenset(path for path in paths_below if path.startswith(prefix))
                self._copies.append((prefix, below))
        has_node = any("bin/" in path and _NODE.fullmatch(path) for path in paths)
        self._patterns = (_ANYWHERE, _BELOW) if has_node else (_ANYWHERE, _BELOW, _MODULES)

    def folder(self, path: str, layer: int) -> str:
        """Return the stray folder that a path lies in, such as "/app/.git"; "" for other paths.

        A repository is one however it was copied. node_modules are only if no Node is: else they
        may be what the application runs with. `RUN chown` of a stray makes another stray.
        """
        if layer < self._base_layers:
            return ""
        if "/" in path and (match := _REPOSITORY.fullmatch(path)):
            return f"/{match['folder']}"
        for prefix, paths in self._copies:
            below = path.removeprefix(prefix)
            for pattern in self._patterns if path in paths else ():
                if match := pattern.fullmatch(below):
                    return f"/{prefix}{match['folder']}"
        return ""


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


class Unowned:
    """Explains the files of one image that no package owns."""

    def __init__(
        self, instructions: Sequence[str], *, base_layers: int, workdir: str, paths: Collection[str]
    ) -> None:
        self._instructions = instructions
        self._base_layers = base_layers
        self._copies = [
            at >= base_layers and is_copied(text) for at, text in enumerate(instructions)
        ]
        self._environments = [
            path.removesuffix(_ENVIRONMENT) for path in paths if path.endswith(_ENVIRONMENT)
        ]
        self._python = next((match[1] for path in paths if (match := _PYTHON.match(path))), "")
        workdir = workdir.strip("/")
        copies = (text for text in instructions[base_layers:] if text.upper().startswith("COPY "))
        folders = {workdir, *(destination(text, workdir) for text in copies)}
        self._application = sorted(folders - _TOO_HIGH, key=len)

    def reason(self, path: str, layer: int) -> Reason:
        """Return the cause of a file of that layer."""
        return (
            self._runtime_or_database(path)
            or self._dependency(path, layer)
            or self._application_file(path, layer)
            or self._rest(path, layer)
        )

    def _runtime_or_database(self, path: str) -> Reason | None:
        for folder in self._environments:
            if path.startswith(f"{folder}/") and not _MODULE.fullmatch(path):
                return Reason(Cause.RUNTIME, f"virtual environment /{folder}")
        for name, pattern in _RUNTIME if _ANY_RUNTIME.fullmatch(path) else ():
            if match := pattern.fullmatch(path):
                version = next(filter(None, match.groups()), "")
                version = version or (self._python if name == "Python" else "")
                return Reason(Cause.RUNTIME, f"{name} {version}".strip())
        database = _DATABASES.fullmatch(path)
        return Reason(Cause.BASE, f"/{database[1]}") if database else None

    def _dependency(self, path: str, layer: int) -> Reason | None:
        if "gems/" in path and (match := _GEM.fullmatch(path)):
            return Reason(Cause.DEPENDENCY, f"{match['name']} {match['version']}")
        if "-packages/" in path and (match := _MODULE.fullmatch(path)):
            is_own = self._is_copied(path, layer)
            return Reason(Cause.APPLICATION if is_own else Cause.DEPENDENCY, f"/{match[1]}")
        if ".so" in path and self._is_copied(path, layer) and _LIBRARY.fullmatch(path):
            return Reason(Cause.DEPENDENCY, f"/{path}")
        return None

    def _application_file(self, path: str, layer: int) -> Reason | None:
        for folder in self._application:
            if path.startswith(f"{folder}/"):
                return Reason(Cause.APPLICATION, f"/{folder}")
        if self._is_copied(path, layer):
            return Reason(Cause.APPLICATION, folder_of(path, 3))
        return None

    def _is_copied(self, path: str, layer: int) -> bool:
        """Count files outside of the system's folders as copied if there is no history."""
        if not self._copies[layer]:
            return False
        return bool(self._instructions[layer]) or not _SYSTEM.fullmatch(path)

    def _rest(self, path: str, layer: int) -> Reason:
        is_base = layer < self._base_layers
        if (is_base and _SYSTEM.fullmatch(path)) or _ADAPTED.fullmatch(path):
            return Reason(Cause.BASE, folder_of(path, 1 if path.startswith("etc/") else 3))
        if match := _INSTALLED.fullmatch(path):
            return Reason(Cause.DEPENDENCY, f"/{match[1]}")
        if is_base:
            return Reason(Cause.DEPENDENCY, folder_of(path, 2))
        return Reason(Cause.UNEXPLAINED, folder_of(path))
