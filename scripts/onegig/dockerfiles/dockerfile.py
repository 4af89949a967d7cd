"""Which line of a Dockerfile a layer comes from, as near as the image's history can tell.

The history keeps an instruction's words but not its flags (`COPY --from=x`), and with its variables
filled in. So words are compared, and where none fit the layer came with the base image.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from onegig.dockerfiles.parse import parse

ALIKE = 0.75  # of the words: variables that were filled in differ, little else does
_FLAG = re.compile(r"(?<!\S)--[a-z][\w-]*(?:=\S+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dockerfile:
    """A Dockerfile as it was when its image was built; `path` is what reports call it."""

    path: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction and the line it begins on, counted from 1."""

    line: int
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """Such as "COPY"."""
        return self.words[0].upper()


def line_of(dockerfile: str, layer: str) -> int:
    """The line of the instruction that made a layer; the last FROM where it came with the base.

    `layer` is `Layer.instruction`. 1 for a file without FROM.
    """
    wanted = _words(layer)
    instructions = list(read_instructions(dockerfile))
    likeness = [
        (SequenceMatcher(a=one.words[1:], b=wanted[1:]).ratio(), one.line)
        for one in instructions
        if wanted and one.name == wanted[0].upper()
    ]
    best, line = max(likeness, default=(0.0, 1))
    if best >= ALIKE:
        return line
    return max((one.line for one in instructions if one.name == "FROM"), default=1)


def read_instructions(dockerfile: str) -> Iterator[Instruction]:
    """The instructions in their order, as Docker reads them; their flags are left out."""
    for one in parse(dockerfile):
        yield Instruction(line=one.line, words=(one.name, *_words(one.value)))


def _words(text: str) -> tuple[str, ...]:
    return tuple(_FLAG.sub(" ", text).split())
