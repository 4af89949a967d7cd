"""What an instruction of the history says by itself. Pure."""

import re
from collections.abc import Sequence

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


def is_copied(instruction: str) -> bool:
    """Whether files were put there as they are (COPY, ADD, tools other than Docker), not by RUN."""
    return not instruction.upper().startswith("RUN ")


def copies_everything(instruction: str) -> bool:
    """`COPY . /app`: only .dockerignore says what of the folder does not belong into the image."""
    return bool(_WHOLE_CONTEXT.match(instruction))


def destination(instruction: str, workdir: str) -> str:
    """Where COPY or ADD puts things, as a path from the root without a slash around it."""
    name, *words = filter(None, _BETWEEN_WORDS.split(instruction))
    target = words[-1] if words and name.upper() in ("COPY", "ADD") else ""
    if target.startswith("/"):
        return target.strip("/")
    below = target.removeprefix(".").strip("/")
    return "/".join(part for part in (workdir.strip("/"), below) if part)


def guess_base_layers(instructions: Sequence[str]) -> int:
    """How many of the lowest layers came with FROM, when nothing but the history is known.

    The history does not say where FROM ends. So: the lowest layer is the distribution's files,
    unless COPY made it (FROM scratch). The next ones belong to the base as long as they look like
    no Dockerfile (imported, made by other tools) or like Docker's official images, which write
    `RUN set -eux; ...` with a version or a key to check, and copy a docker-entrypoint. Too few is
    the milder mistake: what the base brought then counts as brought by the image itself.
    """
    if not instructions or instructions[0].upper().startswith(("COPY ", "WORKDIR ")):
        return 0
    count = 1
    for instruction in instructions[1:]:
        if not instruction or (_BUILT_HERE.match(instruction) and not _OFFICIAL.match(instruction)):
            break
        count += 1
    return count
