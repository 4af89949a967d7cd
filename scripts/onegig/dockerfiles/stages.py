"""The stages of a Dockerfile: what each is based on, and which of them make up the image. Pure.

The final stage may go on from an earlier one; the base of an image is what the lowest stage of that
chain starts from, with build arguments filled in. `scratch` is not a base: of an image made from
nothing the lowest layer is treated like any other.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onegig.dockerfiles.parse import Instruction, fill_in, parse

IMAGE_CONTEXT = "docker-image://"
SCRATCH = "scratch"
_IN_LAYERS = ("RUN", "COPY", "ADD", "WORKDIR")  # each makes a layer of its own


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage. `base` has its variables filled in; another stage's name is in small letters."""

    name: str  # in small letters, "" for one without a name
    base: str
    of_stage: int | None  # the position of the stage it goes on from
    start: Instruction  # its FROM
    instructions: tuple[Instruction, ...]
    variables: tuple[tuple[str, str], ...]  # ARG and ENV as they are at its end

    @property
    def is_pinned_elsewhere(self) -> bool:
        """Return whether the base is not an image of a registry: nothing, or a stage."""
        return self.base == SCRATCH or self.of_stage is not None

    @property
    def sources(self) -> Iterator[str]:
        """Yield the names that COPY --from and RUN --mount=from= take files from."""
        for instruction in self.instructions:
            for key, value in instruction.flags:
                if key == "from":
                    yield value
                elif key == "mount":
                    pairs = (part.partition("=") for part in value.split(","))
                    yield from (source for name, _, source in pairs if name == "from")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stages:
    """All stages in their order, and the arguments before the first."""

    arguments: tuple[tuple[str, str], ...]
    stages: tuple[Stage, ...]

    def chain(self, target: str = "") -> tuple[Stage, ...]:
        """Return the stages that make up the image, the lowest first; () without such a target.

        Their instructions, one stage after the other, are the image's history above its base.
        """
        position = self._position(target)
        chain: list[Stage] = []
        while position is not None:
            chain.insert(0, self.stages[position])
            position = self.stages[position].of_stage
        return tuple(chain)

    def needed(self, target: str = "") -> tuple[Stage, ...]:
        """Return the stages that a build of the target runs: its chain, and what that copies."""
        waiting, needed = list(self.chain(target)), []
        while waiting:
            stage = waiting.pop()
            if stage not in needed:
                needed.append(stage)
                names = (name for name in stage.sources if self._is_stage(name))
                waiting.extend(stage for name in names for stage in self.chain(name))
        return tuple(stage for stage in self.stages if stage in needed)

    def images(self, target: str = "") -> tuple[str, ...]:
        """Return the names of the images that a build of the target starts or copies from."""
        images: list[str] = []
        for stage in self.needed(target):
            images += [stage.base] if stage.of_stage is None else []
            images += [name for name in stage.sources if not self._is_stage(name)]
        return tuple(dict.fromkeys(images))

    def _is_stage(self, name: str) -> bool:
        return bool(name) and self._position(name) is not None

    def _position(self, target: str) -> int | None:
        if not target:
            return len(self.stages) - 1 if self.stages else None
        if target.isdecimal():
            return int(target) if int(target) < len(self.stages) else None
        names = [stage.name for stage in self.stages]
        return names.index(target.lower()) if target.lower() in names else None


def read_base(file: BuildFile, architecture: str) -> BaseImage | None:
    """Return the base of the image, or None if it has none that is an image with a name.

    `architecture` is the image's: stages may be chosen by it.
    """
    stages = read_stages(file.text, dict(file.arguments), platform_arguments(architecture))
    chain = stages.chain(file.target)
    contexts = {name.lower(): source for name, source in file.contexts}
    replaced = [at for at, stage in enumerate(chain) if stage.base.lower() in contexts]
    if replaced:  # what lies below is not built from
        chain = chain[replaced[-1] :]
    if not chain:
        return None
    reference = chain[0].base
    if replaced:
        source = contexts[reference.lower()]  # an image, a folder or a repository
        reference = source[len(IMAGE_CONTEXT) :] if source.startswith(IMAGE_CONTEXT) else ""
    if reference in ("", SCRATCH):
        return None
    texts = (_history_text(step, stage) for stage in chain for step in stage.instructions)
    added = tuple(text for text in texts if text and text != "WORKDIR /")  # "/" is there already
    return BaseImage(reference=reference, added=added)


def platform_arguments(architecture: str) -> dict[str, str]:
    """Return BuildKit's arguments before the first stage (docs.docker.com: Dockerfile, ARG)."""
    platform = f"linux/{architecture}"
    return {
        f"{prefix}{name}": value
        for prefix in ("TARGET", "BUILD")
        for name, value in (("ARCH", architecture), ("OS", "linux"), ("PLATFORM", platform))
    }


def read_stages(
    dockerfile: str, arguments: Mapping[str, str], predefined: Mapping[str, str] | None = None
) -> Stages:
    """Read the stages; `arguments` are a build's own, which come before the defaults of ARG.

    `predefined` need no ARG to be known before the first stage: TARGETARCH and its like.
    """
    first: dict[str, str] = dict(predefined or {})
    parts: list[list[Instruction]] = []
    for instruction in parse(dockerfile):
        if instruction.name == "FROM":
            parts.append([instruction])
        elif parts:
            parts[-1].append(instruction)
        elif instruction.name == "ARG":
            first |= _arguments(instruction, first, arguments)
    stages: list[Stage] = []
    for start, *rest in parts:
        stages.append(_stage(start, rest, stages, first, arguments))
    return Stages(arguments=tuple(first.items()), stages=tuple(stages))


def assignments(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """Yield the names and values of an ARG, ENV or LABEL, or None if ARG gives none."""
    try:
        words = shlex.split(instruction.value)
    except ValueError:  # a quote that does not end
        words = instruction.value.split()
    if instruction.name != "ARG" and words and "=" not in words[0]:  # ENV NAME the rest
        name, _, rest = instruction.value.partition(" ")
        yield name, rest.strip()
        return
    for word in words:
        name, given, value = word.partition("=")
        yield name, value if given else None


def _stage(
    start: Instruction,
    rest: Sequence[Instruction],
    before: Sequence[Stage],
    first: Mapping[str, str],
    arguments: Mapping[str, str],
) -> Stage:
    words = [*start.words, ""]
    base = fill_in(words[0], first)
    names = [stage.name for stage in before]
    of_stage = names.index(base.lower()) if base and base.lower() in names else None
    variables = dict(before[of_stage].variables) if of_stage is not None else {}
    for step in rest:
        if step.name == "ARG":
            variables |= _arguments(step, variables, {**first, **arguments})
        elif step.name == "ENV":
            pairs = [(key, fill_in(value or "", variables)) for key, value in assignments(step)]
            variables |= dict(pairs)
    return Stage(
        name=words[2].lower() if len(words) > 3 and words[1].upper() == "AS" else "",
        base=base.lower() if of_stage is not None else base,
        of_stage=of_stage,
        start=start,
        instructions=tuple(rest),
        variables=tuple(variables.items()),
    )


def _arguments(
    instruction: Instruction, known: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    arguments: dict[str, str] = {}
    for name, default in assignments(instruction):
        if name in given:
            arguments[name] = given[name]
        elif default is not None:
            arguments[name] = fill_in(default, {**known, **arguments})
    return arguments


def _history_text(instruction: Instruction, stage: Stage) -> str:
    """Write an instruction as the history has it, with variables filled in but in RUN."""
    value = " ".join(instruction.words)
    if instruction.name == "RUN":
        return " ".join(("RUN", value, *(heredoc.content for heredoc in instruction.heredocs)))
    if instruction.name in _IN_LAYERS:
        return f"{instruction.name} {fill_in(value, dict(stage.variables))}"
    return ""
