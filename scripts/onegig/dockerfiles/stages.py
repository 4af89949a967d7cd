"""The stages of a Dockerfile, with what each is based on and which of them make up the image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onegig.dockerfiles.parse import Instruction, fill_in, parse


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage. `base` has its variables filled in; another stage's name is in small letters."""

    name: str  # in small letters, "" for one without a name
    base: str
    of_stage: int | None  # the place of the stage it goes on from
    start: Instruction  # its FROM
    instructions: tuple[Instruction, ...]
    variables: tuple[tuple[str, str], ...]  # ARG and ENV as they are at its end

    @property
    def is_pinned_elsewhere(self) -> bool:
        """Whether the base is no image of a registry: nothing, or a stage."""
        return self.base == "scratch" or self.of_stage is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stages:
    """All stages in their order, and the arguments before the first."""

    arguments: tuple[tuple[str, str], ...]
    stages: tuple[Stage, ...]

    def chain(self, target: str = "") -> tuple[Stage, ...]:
        """The stages that make up the image, the lowest first; () when there is no such target.

        Their instructions, one stage after the other, are the image's history above its base.
        """
        place = self._place(target)
        found: list[Stage] = []
        while place is not None:
            found.insert(0, self.stages[place])
            place = self.stages[place].of_stage
        return tuple(found)

    def needed(self, target: str = "") -> tuple[Stage, ...]:
        """The stages that a build of the target runs: its chain, and what that copies from."""
        waiting, found = list(self.chain(target)), []
        while waiting:
            stage = waiting.pop()
            if stage in found:
                continue
            found.append(stage)
            for name in _sources(stage):
                waiting.extend(self.chain(name) if self._is_stage(name) else ())
        return tuple(stage for stage in self.stages if stage in found)

    def images(self, target: str = "") -> tuple[str, ...]:
        """Return the names of the images that a build of the target starts or copies from."""
        found: list[str] = []
        for stage in self.needed(target):
            found += [stage.base] if stage.of_stage is None else []
            found += [name for name in _sources(stage) if not self._is_stage(name)]
        return tuple(dict.fromkeys(found))

    def _is_stage(self, name: str) -> bool:
        return bool(name) and self._place(name) is not None

    def _place(self, target: str) -> int | None:
        if not target:
            return len(self.stages) - 1 if self.stages else None
        if target.isdecimal():
            return int(target) if int(target) < len(self.stages) else None
        names = [stage.name for stage in self.stages]
        return names.index(target.lower()) if target.lower() in names else None


def read_stages(
    dockerfile: str, arguments: Mapping[str, str], predefined: Mapping[str, str] | None = None
) -> Stages:
    """The stages; `arguments` are a build's own, which come before the defaults of ARG.

    `predefined` need no ARG to be known before the first stage: TARGETARCH and its like.
    """
    first: dict[str, str] = dict(predefined or {})
    parts: list[list[Instruction]] = []
    for one in parse(dockerfile):
        if one.name == "FROM":
            parts.append([one])
        elif parts:
            parts[-1].append(one)
        elif one.name == "ARG":
            first |= _arguments(one, first, arguments)
    stages: list[Stage] = []
    for start, *rest in parts:
        stages.append(_stage(start, rest, stages, first, arguments))
    return Stages(arguments=tuple(first.items()), stages=tuple(stages))


def assignments(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """The names and values of an ARG, ENV or LABEL; None where ARG gives none."""
    words = _quoted_words(instruction.value)
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
    name = words[2].lower() if len(words) > 3 and words[1].upper() == "AS" else ""
    names = [stage.name for stage in before]
    of_stage = names.index(base.lower()) if base and base.lower() in names else None
    variables = dict(before[of_stage].variables) if of_stage is not None else {}
    for one in rest:
        if one.name == "ARG":
            variables |= _arguments(one, variables, {**first, **arguments})
        elif one.name == "ENV":
            pairs = [(key, fill_in(value or "", variables)) for key, value in assignments(one)]
            variables |= dict(pairs)
    return Stage(
        name=name,
        base=base.lower() if of_stage is not None else base,
        of_stage=of_stage,
        start=start,
        instructions=tuple(rest),
        variables=tuple(variables.items()),
    )


def _arguments(
    instruction: Instruction, known: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, default in assignments(instruction):
        if name in given:
            found[name] = given[name]
        elif default is not None:
            found[name] = fill_in(default, {**known, **found})
    return found


def _sources(stage: Stage) -> Iterator[str]:
    """The names that COPY --from and RUN --mount=from= take files from."""
    for one in stage.instructions:
        for key, value in one.flags:
            if key == "from":
                yield value
            elif key == "mount":
                pairs = (part.partition("=") for part in value.split(","))
                yield from (source for name, _, source in pairs if name == "from")


def _quoted_words(text: str) -> list[str]:
    """Words that spaces part, outside of quotes; quotes and escapes are taken away."""
    words: list[str] = []
    word, quote, begun = "", "", False
    characters = iter(text)
    for character in characters:
        if character == "\\" and quote != "'":
            word += next(characters, "")
            begun = True
        elif quote:
            quote, word = ("", word) if character == quote else (quote, word + character)
        elif character in "\"'":
            quote, begun = character, True
        elif character.isspace():
            words += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + character, True
    return [*words, word] if begun else words
