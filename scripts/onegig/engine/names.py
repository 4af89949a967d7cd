"""What images are called: one image goes by several names. Pure."""

from collections.abc import Iterator

_DOCKER_HUB = ("docker.io/", "library/")


def names_of(reference: str) -> Iterator[str]:
    """What the engine may know an image by: its digest before its tag, which may have moved on."""
    yield reference
    name, at, digest = reference.partition("@")
    if at and ":" in name.rpartition("/")[2]:
        yield f"{repository(name)}@{digest}"
        yield name


def familiar(reference: str) -> str:
    """Name and tag, the way a person would write them."""
    name = reference.partition("@")[0]
    for prefix in _DOCKER_HUB:
        name = name.removeprefix(prefix)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def repository(reference: str) -> str:
    """The name without tag and digest."""
    return familiar(reference).rpartition(":")[0]
