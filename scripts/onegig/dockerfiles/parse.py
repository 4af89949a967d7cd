"""A Dockerfile as BuildKit reads it: instructions with their flags, lines and here-documents.

Comments, continued lines, the escape directive and here-documents follow BuildKit's own parser
(github.com/moby/buildkit, frontend/dockerfile/parser). Nothing is refused: a text that BuildKit
would not take gives instructions that nobody asks for.

An image's history keeps an instruction's words but not its flags (`COPY --from=x`), and with its
variables filled in. So words are compared, and if none fit the layer came with the base image.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][\w-]*)\s*=\s*(.+?)\s*")
_FLAG = re.compile(r"--([a-zA-Z][\w-]*)(?:=(\S*))?(?:\s+|$)")
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)([\"']?)([A-Za-z_][\w.-]*)\2(?!\S)")
_QUOTED = re.compile(r"""\\.|(?<![<\-])(["'])(?:\\.|(?!\1).)*\1""")
_WITH_HEREDOC = ("RUN", "COPY", "ADD", "ONBUILD")
# after the escape character: a dollar that is kept, $NAME, ${NAME}, ${NAME:-default}, ${NAME:+more}
# or another variable in place of the default
_VARIABLE = (
    r"(?P<kept>\$)|\$(?:(?P<name>\w+)"
    r"|\{(?P<braced>\w+)(?P<rest>:?[-+?](?:\$\{[^{}]*\}|[^{}])*)?\})"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heredoc:
    """A file written into the Dockerfile itself."""

    name: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction; lines are counted from 1, `last` is that of its end."""

    line: int
    last: int
    name: str  # in capitals
    flags: tuple[tuple[str, str], ...]  # ("mount", "type=cache,target=/x")
    value: str  # what follows the flags, continued lines joined
    heredocs: tuple[Heredoc, ...] = ()

    @property
    def form(self) -> tuple[str, ...] | None:
        """Return the words of the exec form, a JSON array; None for anything else."""
        if not self.value.startswith("["):
            return None
        try:
            words = json.loads(self.value)
        except ValueError:
            return None
        strings = isinstance(words, list) and all(isinstance(word, str) for word in words)
        return tuple(words) if strings else None

    @property
    def words(self) -> tuple[str, ...]:
        """Return the value's words, in exec form or separated by spaces."""
        form = self.form
        return tuple(self.value.split()) if form is None else form

    @property
    def script(self) -> str:
        """Return the shell script of a RUN, here-documents included; continued lines joined."""
        written = self.value if self.form is None else shlex.join(self.form)
        whole = "" if self.heredocs and written.startswith("<<") else written
        texts = [whole, *(heredoc.content for heredoc in self.heredocs)]
        return "\n".join(texts).replace("\\\n", " ").strip()

    def flag(self, name: str) -> str:
        """Return a flag's first value; "" without it."""
        return next((value for key, value in self.flags if key == name), "")

    @property
    def text(self) -> str:
        """Return the instruction on one line, without its here-documents."""
        flags = (f"--{key}={value}" if value else f"--{key}" for key, value in self.flags)
        return " ".join([self.name, *flags, self.value])


def parse(dockerfile: str) -> Iterator[Instruction]:
    """Yield the instructions in their order."""
    lines = dockerfile.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    number = 0
    while number < len(lines):
        start = number
        text, number = _logical_line(lines, number, escape)
        if not text:
            continue
        name, *rest = text.split(maxsplit=1)
        name, value, flags = name.upper(), "".join(rest), []
        while match := _FLAG.match(value):
            flags.append((match[1], match[2] or ""))
            value = value[match.end() :]
        heredocs: list[Heredoc] = []
        if name in _WITH_HEREDOC:
            for strip, _, word in _HEREDOC.findall(_QUOTED.sub("", value)):
                heredoc, number = _heredoc(lines, number, word, tabs=bool(strip))
                heredocs.append(heredoc)
        yield Instruction(
            line=start + 1,
            last=number,
            name=name,
            flags=tuple(flags),
            value=value,
            heredocs=tuple(heredocs),
        )


def fill_in(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Fill in variables; unknown ones are empty, as BuildKit has them."""
    return re.sub(re.escape(escape) + _VARIABLE, partial(_replacement, variables), text)


def _replacement(variables: Mapping[str, str], match: re.Match[str]) -> str:
    if match["kept"]:
        return "$"
    value = variables.get(match["name"] or match["braced"])
    rest = match["rest"] or ""
    is_set = value is not None and (bool(value) or not rest.startswith(":"))
    operator, word = rest.lstrip(":")[:1], rest.lstrip(":")[1:]
    if operator == "+":
        return fill_in(word, variables) if is_set else ""
    if operator == "-" and not is_set:
        return fill_in(word, variables)
    return value or ""


def _escape(lines: list[str]) -> str:
    """Return the escape directive's character; directives end at the first other line."""
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"


def _logical_line(lines: list[str], number: int, escape: str) -> tuple[str, int]:
    """Join the line with its continuation lines; also return the number of the next line."""
    text, begun = "", False
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.lstrip().startswith("#") or not line.strip():
            if begun:
                continue
            return "", number
        begun = True
        bare = line.rstrip()
        if not bare.endswith(escape) or bare.endswith(escape * 2):
            text += bare
            break
        text += bare.removesuffix(escape)
    return text.strip(), number


def _heredoc(lines: list[str], number: int, word: str, *, tabs: bool) -> tuple[Heredoc, int]:
    content: list[str] = []
    while number < len(lines):
        line = lines[number].lstrip("\t") if tabs else lines[number]
        number += 1
        if line == word:
            break
        content.append(line)
    return Heredoc(name=word, content="".join(f"{line}\n" for line in content)), number


ALIKE = 0.75  # of the words: variables that were filled in differ, little else does
_ANY_FLAG = re.compile(r"(?<!\S)--[a-z][\w-]*(?:=\S+)?")
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
    return _ANY_FLAG.sub(" ", text).split()


def is_copied(instruction: str) -> bool:
    """Return whether COPY, ADD or a tool other than Docker put files there as they are, not RUN."""
    return not instruction.upper().startswith("RUN ")


def copies_everything(instruction: str) -> bool:
    """Return whether an instruction copies the whole context: `COPY . /app`."""
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
