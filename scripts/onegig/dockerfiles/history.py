"""The history of an image: its instructions, and their lines in the Dockerfile. Pure.

The history keeps an instruction's words but not its flags (`COPY --from=x`), and with its variables
filled in. So words are compared, and where none fit the layer came with the base image.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from onegig.dockerfiles.parse import parse

ALIKE = 0.75  # of the words: variables that were filled in differ, little else does
_FLAG = re.compile(r"(?<!\S)--[a-z][\w-]*(?:=\S+)?")
_WHOLE_CONTEXT = re.compile(r"(?:COPY|ADD) (?:\[?\"?\./?\"?,? |dir:\S+ in )", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[\s\",\[\]]+")
_BUILT_HERE = re.compile(r"(?:RUN|COPY|ADD|WORKDIR)\b", re.IGNORECASE)
_OFFICIAL = re.compile(
    r"RUN set -(?:eux?|ex)\b.*(?:ca-certificates|mercurial|autoconf|tk-dev|_VERSION|GNUPGHOME"
    r"|savedAptMark|for src in|addgroup|groupadd|useradd|docker-entrypoint)"
    r"|COPY (?:file:\S+ in |.*)docker-(?:php-|ensure-)?\S* ?(?:in )?/usr/local/bin/?"
    r"|RUN (?:groupadd|addgroup) .*--?g(?:id)? 1000 node\b"
    r"|RUN ln -s (?:usr/local/bin/)?docker-entrypoint",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dockerfile:
    """A Dockerfile as it was when its image was built; `path` is what reports call it."""

    path: str
    text: str


def line_of(dockerfile: str, layer: str) -> int:
    """Return the line of the instruction that made a layer; the last FROM for one of the base.

    `layer` is `Layer.instruction`. 1 for a file without FROM.
    """
    words = _words(layer)
    best, line, last_from = 0.0, 1, 1
    for instruction in parse(dockerfile):
        last_from = instruction.line if instruction.name == "FROM" else last_from
        if words and instruction.name == words[0].upper():
            own = _words(instruction.value)
            ratio = SequenceMatcher(a=own, b=words[1:]).ratio()
            best, line = max((best, line), (ratio, instruction.line))
    return line if best >= ALIKE else last_from


def _words(text: str) -> list[str]:
    return _FLAG.sub(" ", text).split()


def is_copied(instruction: str) -> bool:
    """Tell whether COPY, ADD or a tool other than Docker put files there as they are, not RUN."""
    return not instruction.upper().startswith("RUN ")


def copies_everything(instruction: str) -> bool:
    """Tell whether an instruction copies the whole context: `COPY . /app`."""
    return bool(_WHOLE_CONTEXT.match(instruction))


def destination(instruction: str, workdir: str) -> str:
    """Return where COPY or ADD puts files, as a path from the root without a slash around it."""
    name, *words = filter(None, _BETWEEN_WORDS.split(instruction))
    target = words[-1] if words and name.upper() in ("COPY", "ADD") else ""
    if target.startswith("/"):
        return target.strip("/")
    below = target.removeprefix(".").strip("/")
    return "/".join(part for part in (workdir.strip("/"), below) if part)


def guess_base_layers(instructions: Sequence[str]) -> int:
    """Guess how many of the lowest layers came with FROM, from the history alone.

    The history does not say where FROM ends. So: the lowest layer is the distribution's files,
    unless COPY made it (FROM scratch). The next ones belong to the base as long as they don't look
    like a Dockerfile's (imported, made by other tools) or do look like Docker's official images,
    which write `RUN set -eux; ...` with a version or a key to check, and copy a docker-entrypoint.
    Too few is the milder mistake: what the base brought then counts as brought by the image itself.
    """
    if not instructions or instructions[0].upper().startswith(("COPY ", "WORKDIR ")):
        return 0
    count = 1
    for instruction in instructions[1:]:
        if not instruction or (_BUILT_HERE.match(instruction) and not _OFFICIAL.match(instruction)):
            break
        count += 1
    return count
