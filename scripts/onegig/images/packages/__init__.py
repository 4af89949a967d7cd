"""Packages installed in an image, read from the databases that their installers leave. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from onegig.images.packages import apk, dpkg, node, python
from onegig.images.packages.package import Package
from onegig.package_names import is_system

READERS = (apk, dpkg, python, node)  # of two that claim a file, the earlier one has it
_IN_DATABASES = tuple(part for reader in READERS for part in reader.IN_PATH)

_Users = defaultdict[Package, list[Package]]


def read_packages(contents: Mapping[str, bytes], paths: Collection[str]) -> tuple[Package, ...]:
    """Return every package of an image, or of its lower layers.

    `contents` are the databases by path, `paths` all regular files.
    """
    return tuple(package for reader in READERS for package in reader.read(contents, paths))


def is_database(path: str) -> bool:
    """Return whether a file's content explains what other files are there for."""
    if not any(part in path for part in _IN_DATABASES):
        return False
    return any(reader.DATABASE.fullmatch(path) for reader in READERS)


def development_packages(
    packages: Sequence[Package], distribution: Collection[Package] = ()
) -> frozenset[Package]:
    """Return the packages that only building, testing or checking needs.

    These are the development tools, and what nobody asked for and only they need, but for packages
    of the `distribution` itself and the Java or Node that comes with a JDK or npm. A Python or Node
    package that the application needs is needed, whatever its name: pip resolves to setuptools now
    and then.
    """
    needed_by, optional_for = _users(packages)
    development = {package for package in packages if package.is_development}
    while needed := {
        package
        for package in development
        if not is_system(package.kind)
        and not package.development
        and not development.issuperset(needed_by[package])
    }:
        development -= needed
    candidates = {p for p in packages if not (p.asked or p.runs_programs or p in distribution)}
    users = {package: needed_by[package] or optional_for[package] for package in candidates}
    while more := {p for p in candidates - development if users[p] and development >= {*users[p]}}:
        development |= more
    return frozenset(development)


def _users(packages: Sequence[Package]) -> tuple[_Users, _Users]:
    """Map each package to the others that need it, and to those that do for an extra."""
    answering: defaultdict[tuple[str, str], list[Package]] = defaultdict(list)
    for package in packages:
        for name in package.answers_to:
            answering[package.kind, name].append(package)
    needed_by: _Users = defaultdict(list)
    optional_for: _Users = defaultdict(list)
    for package in packages:
        for users, names in ((needed_by, package.needs), (optional_for, package.options)):
            for needed in (p for name in names for p in answering[package.kind, name]):
                if needed is not package:
                    users[needed].append(package)
    return needed_by, optional_for
