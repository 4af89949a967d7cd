"""The cause of every live byte of an image: what it is there for. Pure.

The first of these that knows the file decides:

1. `COPY . /app` brought it along by accident (path_causes.py: Strays);
2. the path alone: caches, documentation, headers, tests (path_causes.py). Bytecode in __pycache__
   is a cache, unless it belongs to a development dependency: then it leaves with that;
3. the package databases of the finished image. By package: application, if pip installed it from a
   folder of sources; development dependency, by name or because only such packages need it, also
   in the base image: the full Debian Python image brings compilers; language runtime, by name; base
   OS, if it came with the distribution or the base image; runtime dependency otherwise;
4. runtimes that are not packages, the base image, the instruction (path_causes.py: Unowned).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from onegig.errors import AccountError
from onegig.images.layer import Entry, LayerIndex
from onegig.images.packages import apk, development_packages, dpkg, read_packages
from onegig.images.packages.package import Package
from onegig.images.path_causes import Reason, Strays, Unowned, cause_of_path, folder_of, source_of
from onegig.model.images import Cause, Part
from onegig.text import escaped

BYTECODE = "bytecode"
MOST_PARTS = 60  # per cause; the rest becomes one more
_shown = lru_cache(maxsize=2**12)(escaped)  # many files, few names


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """One live file and its cause."""

    layer: int
    entry: Entry
    cause: Cause
    name: str
    kind: str


def explain(
    layers: Sequence[LayerIndex],
    live: Sequence[tuple[int, Entry]],
    instructions: Sequence[str],
    *,
    base_layers: int,
    workdir: str,
) -> tuple[Explained, ...]:
    """Return the cause of every live file; the lowest `base_layers` came with FROM."""
    paths = [entry.path for _, entry in live]
    owners = package_owners(layers, live, base_layers)
    strays = Strays(layers, instructions, paths, base_layers=base_layers, workdir=workdir)
    unowned = Unowned(instructions, base_layers=base_layers, workdir=workdir, paths=paths)

    def reason(path: str, layer: int) -> Reason:
        if stray := strays.folder(path, layer):
            return Reason(Cause.DEVELOPMENT, stray)
        if source := source_of(path):
            of_source = reason(source, layer)
            bytecode = Reason(Cause.CACHE, BYTECODE)
            return of_source if of_source.cause is Cause.DEVELOPMENT else bytecode
        owner, by_path = owners.get(path), cause_of_path(path)
        if by_path is not None:
            return _combined(path, by_path, owner)
        return owner or unowned.reason(path, layer)

    return tuple(
        Explained(layer=layer, entry=entry, cause=why.cause, name=_shown(why.name), kind=why.kind)
        for layer, entry in live
        for why in (reason(entry.path, layer),)
    )


def parts_of(files: Sequence[Explained]) -> tuple[Part, ...]:
    """Group the files by cause, name and layer: causes in their order, the largest parts first.

    A part lies in one layer, so that shared parts of images can be recognised. Raises AccountError,
    a bug of ours, should the parts not add up to the files.
    """
    groups: defaultdict[tuple[Cause, str, str, int], list[Explained]] = defaultdict(list)
    for file in files:
        groups[file.cause, file.name, file.kind, file.layer].append(file)
    by_cause: defaultdict[Cause, list[Part]] = defaultdict(list)
    for (cause, name, kind, layer), members in groups.items():
        part = Part(
            cause=cause,
            name=name,
            kind=kind,
            bytes=sum(file.entry.size for file in members),
            files=len(members),
            layers=(layer,),
        )
        by_cause[cause].append(part)
    parts = tuple(part for cause in Cause for part in _bounded(by_cause[cause]))
    if sum(part.bytes for part in parts) != sum(file.entry.size for file in files):
        raise AccountError("the parts of an image do not add up to its live bytes")
    return parts


def package_owners(
    layers: Sequence[LayerIndex], live: Sequence[tuple[int, Entry]], base_layers: int
) -> Mapping[str, Reason]:
    """Map every path that a package database lists to its package and that package's cause.

    The lowest layer with a distribution's database tells which packages are the distribution's own.
    """
    contents = {
        entry.path: layers[at].contents[entry.path]
        for at, entry in live
        if entry.path in layers[at].contents
    }
    packages = read_packages(contents, {entry.path for _, entry in live})
    indexed = (at for at, layer in enumerate(layers) if _system_packages([layer]))
    distribution = _system_packages(layers[: next(indexed, len(layers) - 1) + 1])
    base = distribution | _system_packages(layers[:base_layers])
    own = [package for package in packages if (package.kind, package.name) in distribution]
    development = development_packages(packages, own)
    owners: dict[str, Reason] = {}
    for package in packages:
        is_base = (package.kind, package.name) in base
        cause = _cause(package, is_development=package in development, is_base=is_base)
        owner = Reason(cause, str(package), package.kind)
        for path in package.files:
            owners.setdefault(path, owner)
    return owners


def _cause(package: Package, *, is_development: bool, is_base: bool) -> Cause:
    if package.own:
        return Cause.APPLICATION
    if is_development:
        return Cause.DEVELOPMENT
    if package.is_runtime:
        return Cause.RUNTIME
    return Cause.BASE if is_base else Cause.DEPENDENCY


def _system_packages(layers: Sequence[LayerIndex]) -> frozenset[tuple[str, str]]:
    contents = {path: content for layer in layers for path, content in layer.contents.items()}
    packages = (*apk.read(contents), *dpkg.read(contents))
    return frozenset((package.kind, package.name) for package in packages)


def _combined(path: str, by_path: Reason, owner: Reason | None) -> Reason:
    if owner is not None:
        leaves_with_owner = owner.cause is Cause.DEVELOPMENT and not by_path.is_folder
        if by_path.cause is owner.cause or leaves_with_owner:
            return owner
    if by_path.is_folder:
        return by_path
    if owner is not None:
        return Reason(by_path.cause, f"{by_path.name} of {owner.name}", owner.kind)
    return replace(by_path, name=f"{by_path.name} in {folder_of(path)}")


def _bounded(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the largest parts of one cause, and the rest of each layer as one without a name."""
    ordered = sorted(parts, key=lambda part: (-part.bytes, part.name, part.kind, part.layers))
    yield from ordered[:MOST_PARTS]
    rest = ordered[MOST_PARTS:]
    for layers in sorted({part.layers for part in rest}):
        members = [part for part in rest if part.layers == layers]
        kinds = {part.kind for part in members}
        yield replace(
            members[0],
            name="",
            kind=kinds.pop() if len(kinds) == 1 else "",
            bytes=sum(part.bytes for part in members),
            files=sum(part.files for part in members),
        )
