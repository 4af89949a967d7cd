"""What a Python service's Dockerfile does: dependencies, packages, files, how it runs. Pure.

Everything that goes into the image is found in one of the fields of a Recipe, or in `dropped`.
"""

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onegig.dockerfiles.installs import Install, commands, installs, parts
from onegig.dockerfiles.parse import Instruction, fill_in
from onegig.dockerfiles.stages import Stage, Stages
from onegig.errors import ConfigError

_OURS = re.compile(r"(?:PIP|POETRY|UV)_\w+")
_INDEX = re.compile(r"(?:PIP|UV|POETRY)_\w*(?:INDEX|HOST|LINKS|CERT|HTTP_BASIC)\w*")
_OPTIONS = re.compile(  # of pip: where packages come from, and what of them
    r"(?P<key>-i|-f|--index-url|--extra-index-url|--trusted-host|--find-links|--pre|--no-index)"
    r"(?:=(?P<value>.*))?"
)
_OWNER = re.compile(r"(\bchown\s+(?:-\S+\s+)*)(?!root\b|\d|\$)[A-Za-z_][\w.-]*(?::[\w.-]*)?(?=\s)")
_ACCOUNTS = ("useradd", "adduser", "groupadd", "addgroup", "usermod", "chpasswd", "passwd")
_CLEANING = re.compile(
    r"rm\s+-\w*\s+(?:/var/lib/apt/lists\S*|/root/\.cache\S*|~/\.cache\S*|/var/cache/apk\S*|\s)+"
    r"|apt(?:-get)?\s+(?:-\S+\s+)*(?:clean|autoclean|update|upgrade|autoremove)\b.*"
    r"|(?:python[\d.]*\s+-m\s+)?pip[\d.]*\s+cache\s+purge|set\s+-\S+"
    r"|apk\s+(?:-\S+\s+)*(?:update|upgrade)\b.*|locale-gen.*|dpkg-reconfigure.*"
)
_BASES = (  # name of a base, what in it gives the version of its Python
    (re.compile(r"(?:.*/)?[\w.-]*python[\w.-]*:(3\.\d+)\b.*"), ""),
    (re.compile(r"(?:.*/)?debian:(?:13|trixie).*"), "3.13"),
    (re.compile(r"(?:.*/)?debian:(?:12|bookworm).*"), "3.11"),
    (re.compile(r"(?:.*/)?ubuntu:(?:24\.04|noble).*"), "3.12"),
    (re.compile(r"(?:.*/)?ubuntu:(?:22\.04|jammy).*"), "3.10"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependencies:
    """One command that installs Python packages."""

    line: int
    tool: str  # "pip", "poetry", "uv"
    names: tuple[str, ...]  # for pip, as written: "redis==5.2", "."
    files: tuple[str, ...]  # requirements files, as written
    words: tuple[str, ...]  # the command
    workdir: str
    mounts: tuple[str, ...]  # of the RUN: secrets, ssh, bind
    options: tuple[str, ...] = ()  # of pip, that are kept
    spec: str = ""  # poetry or uv, as it was asked for: "poetry==2.2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A service's Dockerfile, sorted."""

    base: str
    python: str  # "3.13", "" where the base does not tell
    dependencies: tuple[Dependencies, ...]
    system: tuple[Install, ...]  # packages of the distribution
    body: tuple[Instruction, ...]  # what is kept in the runtime stage, RUN without installing
    before: tuple[Instruction, ...]  # COPY and ADD before the last of the dependencies
    settings: tuple[str, ...]  # ARG and ENV that tell where packages come from
    user: str  # numeric and not root, or ""
    had_user: bool  # some account of its own, by whatever name
    dropped: tuple[str, ...]  # what is done no more, in words


def read_recipe(stages: Stages, target: str) -> Recipe:
    """Sort the instructions that make the image.

    Raises ConfigError for what can't be rewritten: several stages that copy from one another, tools
    that are not known.
    """
    chain = stages.chain(target)
    if not chain:
        raise ConfigError(
            f"the Dockerfile has no stage {target!r}" if target else "the Dockerfile has no FROM",
            advice="mend the Dockerfile, or build.target of the compose file",
        )
    reader = _Reader(chain)
    for stage in chain:
        for one in stage.instructions:
            reader.read(one)
    return reader.recipe(chain)


class _Reader:
    def __init__(self, chain: Sequence[Stage]) -> None:
        self._variables = dict(chain[-1].variables)
        self._workdir = "/"
        self._dependencies: list[Dependencies] = []
        self._system: list[Install] = []
        self._body: list[Instruction] = []
        self._copied: list[Instruction] = []
        self._before: tuple[Instruction, ...] = ()
        self._user = ""
        self._tools: dict[str, str] = {}
        self._settings: list[str] = []
        self._arguments: list[str] = []
        self._dropped: list[str] = []

    def read(self, one: Instruction) -> None:
        """Sort one instruction."""
        match one.name:
            case "RUN":
                self._run(one)
            case "COPY" | "ADD":
                self._copy(one)
            case "USER":
                self._user = fill_in(one.value, self._variables).strip()
            case "ENV":
                self._environment(one)
            case "ONBUILD" | "MAINTAINER":
                self._dropped.append(f"line {one.line}: {one.name}")
            case _:
                if one.name == "ARG":
                    self._arguments.append(one.text)
                if one.name == "WORKDIR":
                    self._workdir = posixpath.join(self._workdir, self._fill(one.value))
                self._body.append(one)

    def recipe(self, chain: Sequence[Stage]) -> Recipe:
        """What was found."""
        is_numeric = re.fullmatch(r"\d+(?::\d+)?", self._user)
        is_root = re.fullmatch(r"(?:root|0+)(?::.*)?|", self._user)
        return Recipe(
            base=chain[0].base,
            python=_python_of(chain[0].base),
            dependencies=tuple(self._dependencies),
            system=tuple(self._system),
            body=tuple(self._body),
            before=self._before,
            settings=tuple(self._settings),
            user=self._user if is_numeric and not is_root else "",
            had_user=not is_root,
            dropped=tuple(self._dropped),
        )

    def _fill(self, text: str) -> str:
        return fill_in(text, self._variables).strip()

    def _environment(self, one: Instruction) -> None:
        names = re.findall(r"(?:^|\s)(\w+)(?==|\s)", one.value)
        if names and all(_OURS.fullmatch(name) for name in names):
            if any(_INDEX.fullmatch(name) for name in names):
                named = set(re.findall(r"\$\{?(\w+)", one.value))
                used = [text for text in self._arguments if set(re.findall(r"\w+", text)) & named]
                self._settings += [*used, one.text]
            return
        self._body.append(one)

    def _copy(self, one: Instruction) -> None:
        source = one.flag("from")
        if source and re.fullmatch(r"(?:.*/)?(?:astral-sh/)?uv(?:[:@].*)?", source):
            return  # the tool is installed by pip
        if source:
            raise ConfigError(
                f"line {one.line} copies from {source}: this Dockerfile has several stages already",
                advice="`onegig inspect` shows what its image is made of, and what to change",
            )
        self._copied.append(one)
        self._body.append(one)

    def _run(self, one: Instruction) -> None:
        rest: list[str] = []
        for part in parts(one.script):
            rest += [] if self._understood(part, one) else [part]
        if not rest:
            return
        whole = len(rest) == len(parts(one.script))
        self._body.append(one if whole else _with_script(one, rest))

    def _understood(self, part: str, one: Instruction) -> bool:
        """Whether a command is one that is written anew, or needed no more."""
        if _CLEANING.fullmatch(part):
            return True
        found = list(commands(part))
        if len(found) != 1:
            return False
        words = found[0]
        program = words[0].rpartition("/")[2]
        if program in _ACCOUNTS:
            return True
        if program in ("pipenv", "pdm"):
            raise ConfigError(
                f"line {one.line}: dependencies that {program} installs are not known here",
                advice=f"`{program} requirements > requirements.txt`"
                if program == "pipenv"
                else "`pdm export --prod -o requirements.txt`, and install that with pip",
            )
        if program in ("poetry", "uv") and words[1:2] != ("pip",):
            if words[1:2] in (("install",), ("sync",)):
                self._depend(one, program, words)
            return True
        return self._installed(part, one)

    def _installed(self, part: str, one: Instruction) -> bool:
        found = list(installs(part))
        for install in found:
            if install.removes:
                continue
            if install.kind == "pip":
                self._depend(one, "pip", install.words, install)
            else:
                self._system.append(install)
        return bool(found)

    def _depend(
        self, one: Instruction, tool: str, words: tuple[str, ...], install: Install | None = None
    ) -> None:
        names = install.names if install else ()
        self._tools |= {re.split(r"[=<>~!]", name)[0]: name for name in names if _is_tool(name)}
        files = install.files if install else ()
        if tool == "pip" and not files and all(_is_tool(name) for name in names):
            return
        mounts = tuple(value for key, value in one.flags if key == "mount")
        self._before = tuple(self._copied)
        self._dependencies.append(
            Dependencies(
                line=one.line,
                tool=tool,
                names=tuple(self._fill(name) for name in names if not _is_tool(name)),
                files=tuple(self._fill(name) for name in files),
                words=words,
                workdir=self._workdir,
                mounts=tuple(value for value in mounts if not value.startswith("type=cache")),
                options=tuple(_options(words)) if tool == "pip" else (),
                spec=self._tools.get(tool, tool),
            )
        )


def _options(words: Sequence[str]) -> Iterator[str]:
    """The options that are kept, each with its value."""
    waiting = iter(words)
    for word in waiting:
        match = _OPTIONS.fullmatch(word)
        if match is None:
            continue
        alone = match["value"] is None and match["key"] not in ("--pre", "--no-index")
        yield f"{word} {shlex.quote(next(waiting, ''))}" if alone else shlex.quote(word)


def _is_tool(name: str) -> bool:
    return bool(re.fullmatch(r"(?:pip|setuptools|wheel|poetry|uv)(?:[=<>~!].*)?", name))


def owned_by(script: str, user: str) -> str:
    """The script with the accounts that it gives files to replaced: the image has none of them."""
    return _OWNER.sub(rf"\g<1>{user}", script)


def _with_script(one: Instruction, commands_: Sequence[str]) -> Instruction:
    return Instruction(
        line=one.line,
        last=one.last,
        name=one.name,
        flags=one.flags,
        value=" && ".join(commands_),
    )


def _python_of(base: str) -> str:
    for pattern, version in _BASES:
        if match := pattern.fullmatch(base):
            return version or match[1]
    return ""
