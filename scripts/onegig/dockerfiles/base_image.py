"""What a Dockerfile says of the base of its image: which one FROM names, and what lies above. Pure.

The final stage may go on from an earlier one; the base is what the lowest stage of that chain
starts from, with build arguments filled in. `scratch` is no base: of an image made from nothing the
lowest layer is looked at like any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from onegig.dockerfiles.parse import Instruction, fill_in
from onegig.dockerfiles.stages import Stage, read_stages

IMAGE_CONTEXT = "docker-image://"
SCRATCH = "scratch"
_IN_LAYERS = ("RUN", "COPY", "ADD", "WORKDIR")  # what makes a layer of its own


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildFile:
    """A Dockerfile, and how an image is built from it."""

    text: str
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()  # additional ones: they come before stages, images


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseImage:
    """The image that FROM names, and the instructions of the file that each add a layer to it."""

    reference: str
    added: tuple[str, ...]  # lowest first: "COPY app /app"


def read_base(file: BuildFile, architecture: str) -> BaseImage | None:
    """The base of the image; None where it has none, or where it is no image that has a name.

    `architecture` is the image's: stages may be chosen by it.
    """
    stages = read_stages(file.text, dict(file.arguments), platform_arguments(architecture))
    chain = stages.chain(file.target)
    contexts = {name.lower(): source for name, source in file.contexts}
    named = [at for at, stage in enumerate(chain) if stage.base.lower() in contexts]
    if named:  # what lies below is not built from
        chain = chain[named[-1] :]
    if not chain:
        return None
    base = chain[0].base
    reference = _image_of(contexts[base.lower()]) if named else base
    if reference in ("", SCRATCH):
        return None
    added = tuple(text for stage in chain for text in _added(stage))
    return BaseImage(reference=reference, added=added)


def platform_arguments(architecture: str) -> dict[str, str]:
    """Return what BuildKit sets before the first stage (docs.docker.com: Dockerfile, ARG)."""
    platform = f"linux/{architecture}"
    return {
        f"{where}{name}": value
        for where in ("TARGET", "BUILD")
        for name, value in (("ARCH", architecture), ("OS", "linux"), ("PLATFORM", platform))
    }


def _image_of(source: str) -> str:
    """The image that a context is; "" for a folder or a repository."""
    return source.removeprefix(IMAGE_CONTEXT) if source.startswith(IMAGE_CONTEXT) else ""


def _added(stage: Stage) -> Iterator[str]:
    variables = dict(stage.variables)
    for one in stage.instructions:
        if one.name in _IN_LAYERS:
            text = _told(one, variables)
            if text != "WORKDIR /":  # which is there
                yield text


def _told(instruction: Instruction, variables: dict[str, str]) -> str:
    """As the history has it, but for flags: RUN as written, all else with variables filled in."""
    value = " ".join(instruction.words)
    if instruction.name != "RUN":
        return f"{instruction.name} {fill_in(value, variables)}"
    return " ".join(("RUN", value, *(one.content for one in instruction.heredocs)))
