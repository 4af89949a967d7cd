"""Images that a stack takes from a registry: those the engine lacks are pulled."""

from collections.abc import Callable, Iterable

from onegig.errors import BuildError
from onegig.model.stack import Stack
from onegig.process import CommandError, run

TIMEOUT_SECONDS = 1200  # for one image


def absent_images(stack: Stack) -> tuple[str, ...]:
    """The images that nothing here builds and that the engine does not have."""
    built = {service.image for service in stack.services if service.builds}
    taken = [image for image in stack.images if image not in built]
    look = ["docker", "image", "inspect", "--format", "{{.Id}}"]
    return tuple(image for image in taken if run([*look, image], check=False).code)


def pull_images(images: Iterable[str], say: Callable[[str], None]) -> None:
    """Pull images one after the other; BuildError names the one that can't be had."""
    for image in images:
        say(image)
        try:
            run(["docker", "pull", "--quiet", image], timeout_seconds=TIMEOUT_SECONDS)
        except CommandError as error:
            raise BuildError(
                f"the image {image} could not be pulled",
                command=error.command,
                advice="does its registry answer, and does it ask for a login?",
                detail=error.detail,
            ) from error
