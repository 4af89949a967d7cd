"""Images that a stack takes from a registry: those the engine lacks are pulled."""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping

from onegig.engine.build_plan import csv_fields
from onegig.engine.builder import choose_builder
from onegig.errors import BuildError
from onegig.model.stack import Stack
from onegig.process import CommandError, run

TIMEOUT_SECONDS = 1200  # for one image


def absent_images(stack: Stack) -> tuple[str, ...]:
    """Return the images that nothing here builds and that the engine does not have."""
    built = {service.image for service in stack.services if service.builds}
    taken = [image for image in stack.images if image not in built]
    look = ["docker", "image", "inspect", "--format", "{{.Id}}"]
    return tuple(image for image in taken if run([*look, image], check=False).code)


def platforms_of(stack: Stack) -> dict[str, str]:
    """Return the platform that services ask for, by image."""
    return {service.image: service.platform for service in stack.services if service.platform}


def pull_images(
    images: Iterable[str], say: Callable[[str], None], platforms: Mapping[str, str] | None = None
) -> None:
    """Pull images one after the other; BuildError names the one that can't be had.

    An image that cannot be pulled may still be in reach of the builder, which has a cache and
    settings of its own.
    """
    for image in images:
        say(image)
        platform = (platforms or {}).get(image, "")
        options = [f"--platform={platform}"] if platform else []
        try:
            command = ["docker", "pull", "--quiet", *options, image]
            run(command, timeout_seconds=TIMEOUT_SECONDS)
        except CommandError as error:
            if _take_from_builder(image, options):
                say(f"{image} comes from the builder: it could not be pulled")
                continue
            raise BuildError(
                f"the image {image} could not be pulled",
                command=error.command,
                advice="does its registry answer, and does it ask for a login?",
                detail=error.detail,
            ) from error


def _take_from_builder(image: str, options: Iterable[str]) -> bool:
    """Build a Dockerfile that is nothing but the image; whether the engine has it now."""
    if "@" in image or image.split() != [image]:  # a build gives no image this name
        return False
    builder = choose_builder(os.environ)
    command = ["docker", "buildx", "build", *builder.arguments, *options]
    with tempfile.TemporaryFile() as dockerfile:
        dockerfile.write(f"FROM {image}\n".encode())
        dockerfile.seek(0)
        done = run(
            [*command, f"--output={csv_fields(('type=docker', f'name={image}'))}", "-"],
            timeout_seconds=TIMEOUT_SECONDS,
            check=False,
            stdin=dockerfile,
        )
    return done.code == 0
