"""What `COPY . /app` brings along by accident, and .dockerignore would keep out. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onegig.dockerfiles.instructions import copies_everything, destination
from onegig.images.layer import LayerIndex

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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Copy:
    """One `COPY . /app`."""

    below: str  # "app/"
    paths: frozenset[str]


class Strays:
    """Tells them for the files of one image."""

    def __init__(
        self,
        layers: Sequence[LayerIndex],
        instructions: Sequence[str],
        paths: Iterable[str],
        *,
        base_layers: int,
        workdir: str,
    ) -> None:
        self._base_layers = base_layers
        self._copies = [
            _copy(layers[at], destination(instructions[at], workdir))
            for at in range(base_layers, len(layers))
            if copies_everything(instructions[at])
        ]
        has_node = any("bin/" in path and _NODE.fullmatch(path) for path in paths)
        self._patterns = (_ANYWHERE, _BELOW) if has_node else (_ANYWHERE, _BELOW, _MODULES)

    def folder(self, path: str, layer: int) -> str:
        """The stray folder that a path lies in, "/app/.git"; "" where it is in none.

        A repository is one however it was copied. node_modules are only where no Node is: else they
        may be what the application runs with. `RUN chown` makes a new copy, of a stray a stray.
        """
        if layer < self._base_layers:
            return ""
        if "/" in path and (match := _REPOSITORY.fullmatch(path)):
            return f"/{match['folder']}"
        found = (self._below(path, copy) for copy in self._copies if path in copy.paths)
        return next(filter(None, found), "")

    def _below(self, path: str, copy: _Copy) -> str:
        below = path.removeprefix(copy.below)
        matches = (pattern.fullmatch(below) for pattern in self._patterns)
        return next((f"/{copy.below}{match['folder']}" for match in matches if match), "")


def _copy(layer: LayerIndex, destination: str) -> _Copy:
    below = f"{destination}/" if destination else ""
    paths = (entry.path for entry in layer.entries if entry.path.startswith(below))
    return _Copy(below=below, paths=frozenset(paths))
