"""Whose a file is by the word of the package databases, and what such a package is there for. Pure.

The databases are those of the finished image; that of the distribution itself, in the lowest layer
that has one, and that of the base image tell which packages came with it. By package:

- application: what pip installed from a folder of sources;
- development dependency: by name, or because only such ones need it (packages/development.py), also
  when it came with the base image: the full Debian Python image brings compilers;
- language runtime: interpreters, by name;
- base OS: the distribution's other packages that came with the base image;
- runtime dependency: all else, under its name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onegig.images.layer import Entry, LayerIndex
from onegig.images.packages import apk, dpkg, read_packages
from onegig.images.packages.development import development_packages, is_runtime
from onegig.images.packages.package import Package
from onegig.model.images import Cause

Names = frozenset[tuple[str, str]]  # (kind, name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """What one package is there for."""

    cause: Cause
    name: str  # with its version
    kind: str


def owners(
    layers: Sequence[LayerIndex], live: Sequence[tuple[int, Entry]], base_layers: int
) -> Mapping[str, Owner]:
    """By path, the owner of every file that a package database names."""
    contents = {
        entry.path: layers[at].contents[entry.path]
        for at, entry in live
        if entry.path in layers[at].contents
    }
    packages = read_packages(contents, {entry.path for _, entry in live})
    distribution = _names(layers[: _lowest(layers) + 1])
    base = distribution | _names(layers[:base_layers])
    kept = [package for package in packages if (package.kind, package.name) in distribution]
    development = development_packages(packages, kept)
    found: dict[str, Owner] = {}
    for package in packages:
        owner = Owner(
            cause=_cause(package, development, base), name=str(package), kind=package.kind
        )
        for path in package.files:
            found.setdefault(path, owner)
    return found


def _cause(package: Package, development: frozenset[Package], base: Names) -> Cause:
    if package.own:
        return Cause.APPLICATION
    if package in development:
        return Cause.DEVELOPMENT
    if is_runtime(package):
        return Cause.RUNTIME
    return Cause.BASE if (package.kind, package.name) in base else Cause.DEPENDENCY


def _names(layers: Sequence[LayerIndex]) -> Names:
    """The distribution's packages at the top of these layers."""
    contents = {path: content for layer in layers for path, content in layer.contents.items()}
    return frozenset((package.kind, package.name) for package in _system(contents))


def _system(contents: Mapping[str, bytes]) -> Iterator[Package]:
    yield from apk.read(contents, ())
    yield from dpkg.read(contents, ())


def _lowest(layers: Sequence[LayerIndex]) -> int:
    """The lowest layer with packages of a distribution; the last one where there is none."""
    places = (at for at, layer in enumerate(layers) if any(_system(layer.contents)))
    return next(places, len(layers) - 1)
