"""Node's packages: the folders in node_modules that have a package.json.

npm's own lock file in there tells which of them are for development only.
"""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from onegig.images.packages.package import Package

_INSIDE = r"(?:@[^/]+/)?[^/@.][^/]*"
IN_PATH = ("package.json", "package-lock.json")
DATABASE = re.compile(
    rf"(?:(?!.*node_modules/).*/)?package\.json|.*node_modules/{_INSIDE}/package\.json"
    r"|(?:.*/)?node_modules/\.package-lock\.json"
)
_TOOL = re.compile(r"((?:.*?/)?node_modules/(?:npm|corepack|yarn|pnpm))/.*")
_ROOT = re.compile(rf"(.*node_modules/{_INSIDE})/.*")  # the innermost one


def read(contents: Mapping[str, bytes], paths: Collection[str]) -> Iterator[Package]:
    """Yield every package with its files, but for those of a package inside of it."""
    files_by_root: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        if root := _root(path, paths):
            files_by_root[root].add(path)
    development = _development(contents)
    for root, files in sorted(files_by_root.items()):
        manifest = _object(contents, f"{root}/package.json")
        name = str(manifest.get("name") or root.rpartition("node_modules/")[2])
        yield Package(
            kind="npm",
            name=name,
            version=str(manifest.get("version") or ""),
            files=frozenset(files),
            needs=frozenset(_members(manifest, "dependencies")),
            answers_to=frozenset((name,)),
            development=root in development,
        )


def _root(path: str, paths: Collection[str]) -> str:
    """Return the package of a path: npm's own dependencies belong to npm."""
    match = (_TOOL.fullmatch(path) or _ROOT.fullmatch(path)) if "node_modules/" in path else None
    return match[1] if match and f"{match[1]}/package.json" in paths else ""


def _development(contents: Mapping[str, bytes]) -> set[str]:
    """Return the folders that are for development by the lock file, else by package.json.

    A tool of the application may also be needed by a dependency of it: the lock file knows.
    """
    named: dict[str, bool] = {}
    locked: dict[str, bool] = {}
    for path in contents:
        folder, _, name = path.rpartition("/")
        prefix = f"{folder}/" if folder else ""
        if name == ".package-lock.json":
            above = folder.removesuffix("node_modules")
            for place, about in _members(_object(contents, path), "packages").items():
                if isinstance(about, dict):
                    locked[f"{above}{place}"] = bool(about.get("dev"))
        elif name == "package.json" and "node_modules/" not in path:
            for tool in _members(_object(contents, path), "devDependencies"):
                named[f"{prefix}node_modules/{tool}"] = True
    return {folder for folder, is_development in (named | locked).items() if is_development}


def _object(contents: Mapping[str, bytes], path: str) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one: anybody can write a package.json."""
    try:
        document = json.loads(contents.get(path, b"{}"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _members(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    members = document.get(key)
    return members if isinstance(members, dict) else {}
