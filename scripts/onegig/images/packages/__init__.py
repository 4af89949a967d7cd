"""Packages installed in an image, read from the databases that their installers leave. Pure."""

from collections.abc import Collection, Mapping

from onegig.images.packages import apk, dpkg, node, python
from onegig.images.packages.package import Package

_IN_DATABASES = ("/apk/", "/dpkg/", "/apt/", "-info", "package.json", "package-lock.json")
READERS = (apk, dpkg, python, node)  # an earlier one's word on a file goes before a later one's


def read_packages(contents: Mapping[str, bytes], paths: Collection[str]) -> tuple[Package, ...]:
    """Every package of an image or of its lower layers.

    `contents` are the databases by path, `paths` all regular files that are there.
    """
    return tuple(package for reader in READERS for package in reader.read(contents, paths))


def is_database(path: str) -> bool:
    """Whether a file's content is wanted to know what other files are there for."""
    if not any(word in path for word in _IN_DATABASES):
        return False
    return any(reader.DATABASE.fullmatch(path) for reader in READERS)
