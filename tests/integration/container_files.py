"""The files of a container, told by the engine: what is alive in its image."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from docker import DockerClient

from onegig.images.account import Account

OF_THE_ENGINE = {".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf"}
Content = tuple[set[str], int, bytes]
"""All names of a regular file, its size, its digest."""


def export(client: DockerClient, reference: str, path: Path) -> list[Content]:
    """All of a container that was never started, each file once.

    By `docker cp`: after `docker export` Engine 26 keeps the container's layer, mounted, for good.
    """
    container = client.containers.create(reference, ["true"])
    try:
        with path.open("wb") as file:
            file.writelines(cast(Iterator[bytes], container.get_archive("/")[0]))
    finally:
        container.remove()
    return _contents(path)


def _contents(path: Path) -> list[Content]:
    files: dict[str, Content] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            name = member.name.strip("/")
            if member.islnk():
                files[name] = files[member.linkname.strip("/")]
                files[name][0].add(name)
            elif member.isreg():
                read = cast(IO[bytes], tar.extractfile(member)).read()
                files[name] = ({name}, member.size, hashlib.blake2b(read, digest_size=16).digest())
    distinct = {id(file): file for file in files.values()}
    return [file for file in distinct.values() if not (file[0] <= OF_THE_ENGINE and not file[1])]


def live(account: Account, expected: list[Content]) -> list[Content]:
    """What an account calls alive, in the order of `expected` and with its names; others after."""
    files = {entry.path: entry for _, entry in account.live}
    result = []
    for names, _, _ in expected:
        for path in names & files.keys():
            entry = files.pop(path)
            result.append((names, entry.size, entry.digest))
    others = [file for file in files.values() if file.size or file.path not in OF_THE_ENGINE]
    return [*result, *(({other.path}, other.size, other.digest) for other in others)]
