"""A Python service's Dockerfile, sorted: dependencies, packages, files, how it runs. Pure.

Everything that goes into the image is in one of the fields of a Recipe, or in `dropped`.
"""

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from onegig.dockerfiles.installs import Install, commands, installs, split_commands
from onegig.dockerfiles.parse import Instruction, fill_in
from onegig.dockerfiles.stages import Stage, Stages
from onegig.errors import ConfigError

_TOOLS = re.compile(r"(?:pip|setuptools|wheel|poetry|uv)(?:[=<>~!].*)?")
_TOOL_VARIABLES = re.compile(r"(?:PIP|POETRY|UV)_\w+")
_INDEX = re.compile(r"(?:PIP|UV|POETRY)_\w*(?:INDEX|HOST|LINKS|CERT|HTTP_BASIC)\w*")
_OPTIONS = re.compile(  # of pip: where packages come from, and which of them
    r"(?P<key>-i|-f|--index-url|--extra-index-url|--trusted-host|--find-links|--pre|--no-index)"
    r"(?:=(?P<value>.*))?"
)
_OWNER = re.compile(r"(\bchown\s+(?:-\S+\s+)*)(?!root\b|\d|\$)[A-Za-z_][\w.-]*(?::[\w.-]*)?(?=\s)")
_UV_IMAGE = re.compile(r"(?:.*/)?(?:astral-sh/)?uv(?:[:@].*)?")
_ACCOUNTS = ("useradd", "adduser", "groupadd", "addgroup", "usermod", "chpasswd", "passwd")
_EXPORTS = {  # tools that are not read, and how they write what pip takes
    "pipenv": "pipenv requirements > requirements.txt",
    "pdm": "pdm export --prod -o requirements.txt",
}
_CLEANING = re.compile(
    r"rm\s+-\w*\s+(?:/var/lib/apt/lists\S*|/root/\.cache\S*|~/\.cache\S*|/var/cache/apk\S*|\s)+"
    r"|apt(?:-get)?\s+(?:-\S+\s+)*(?:clean|autoclean|update|upgrade|autoremove)\b.*"
    r"|(?:python[\d.]*\s+-m\s+)?pip[\d.]*\s+cache\s+purge|set\s+-\S+"
    r"|apk\s+(?:-\S+\s+)*(?:update|upgrade)\b.*|locale-gen.*|dpkg-reconfigure.*"
)
_BASES = (  # name of a base, and the version of its Python
    (r"(?:.*/)?[\w.-]*python[\w.-]*:(3\.\d+)\b.*", ""),
    (r"(?:.*/)?debian:(?:13|trixie).*", "3.13"),
    (r"(?:.*/)?debian:(?:12|bookworm).*", "3.11"),
    (r"(?:.*/)?ubuntu:(?:24\.04|noble).*", "3.12"),
    (r"(?:.*/)?ubuntu:(?:22\.04|jammy).*", "3.10"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependencies:
    """One command that installs Python packages."""

    tool: str  # "pip", "poetry", "uv"
    names: tuple[str, ...]  # for pip, as written: "redis==5.2", "."
    files: tuple[str, ...]  # requirements files, as written
    words: tuple[str, ...]  # the command
    workdir: str
    mounts: tuple[str, ...]  # of the RUN: secrets, ssh, bind
    options: tuple[str, ...] = ()  # of pip, those that stay
    spec: str = ""  # poetry or uv, as it was requested: "poetry==2.2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A service's Dockerfile, sorted."""

    base: str
    python: str  # "3.13", "" if the base does not show it
    dependencies: tuple[Dependencies, ...]
    system: tuple[Install, ...]  # packages of the distribution
    body: tuple[Instruction, ...]  # what stays in the runtime stage, RUN without installing
    before: tuple[Instruction, ...]  # COPY and ADD before the last of the dependencies
    settings: tuple[str, ...]  # ARG and ENV that name the source of packages
    user: str  # numeric and not root, or ""
    had_user: bool  # some account of its own, by whatever name
    dropped: tuple[str, ...]  # instructions that are left out, described

    @property
    def packages(self) -> tuple[tuple[str, str], ...]:
        """Return kind and name of the distribution's packages."""
        return tuple((install.kind, name) for install in self.system for name in install.names)


def read_recipe(stages: Stages, target: str) -> Recipe:
    """Sort the instructions that build the image.

    Raises ConfigError for what can't be rewritten: several stages that copy from one another, tools
    that are not known.
    """
    chain = stages.chain(target)
    if not chain:
        raise ConfigError(
            f"the Dockerfile has no stage {target!r}" if target else "the Dockerfile has no FROM",
            advice="fix the Dockerfile, or build.target of the compose file",
        )
    reader = _Reader(chain)
    for stage in chain:
        for instruction in stage.instructions:
            reader.read(instruction)
    return reader.recipe(chain[0].base)


def owned_by(script: str, user: str) -> str:
    """Replace the accounts that the script gives files to: the image has none of them."""
    return _OWNER.sub(rf"\g<1>{user}", script)


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

    def read(self, instruction: Instruction) -> None:
        """Sort one instruction."""
        match instruction.name:
            case "RUN":
                self._run(instruction)
            case "COPY" | "ADD":
                self._copy(instruction)
            case "USER":
                self._user = self._fill(instruction.value)
            case "ENV":
                self._environment(instruction)
            case "ONBUILD" | "MAINTAINER":
                self._dropped.append(f"line {instruction.line}: {instruction.name}")
            case name:
                if name == "ARG":
                    self._arguments.append(instruction.text)
                if name == "WORKDIR":
                    self._workdir = posixpath.join(self._workdir, self._fill(instruction.value))
                self._body.append(instruction)

    def recipe(self, base: str) -> Recipe:
        """Return the sorted instructions."""
        is_numeric = re.fullmatch(r"\d+(?::\d+)?", self._user)
        is_root = re.fullmatch(r"(?:root|0+)(?::.*)?|", self._user)
        versions = ((re.fullmatch(pattern, base), version) for pattern, version in _BASES)
        return Recipe(
            base=base,
            python=next((version or match[1] for match, version in versions if match), ""),
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

    def _environment(self, instruction: Instruction) -> None:
        names = re.findall(r"(?:^|\s)(\w+)(?==|\s)", instruction.value)
        if not names or not all(map(_TOOL_VARIABLES.fullmatch, names)):
            self._body.append(instruction)
        elif any(map(_INDEX.fullmatch, names)):
            named = set(re.findall(r"\$\{?(\w+)", instruction.value))
            used = [text for text in self._arguments if set(re.findall(r"\w+", text)) & named]
            self._settings += [*used, instruction.text]

    def _copy(self, instruction: Instruction) -> None:
        source = instruction.flag("from")
        if source and _UV_IMAGE.fullmatch(source):
            return  # pip installs uv
        if source:
            raise ConfigError(
                f"line {instruction.line} copies from {source}: this Dockerfile has several stages "
                "already",
                advice="`onegig inspect` shows what its image is made of, and what to change",
            )
        self._copied.append(instruction)
        self._body.append(instruction)

    def _run(self, instruction: Instruction) -> None:
        texts = split_commands(instruction.script)
        rest = [text for text in texts if not self._is_rewritten(text, instruction)]
        if len(rest) == len(texts):
            self._body.append(instruction)
        elif rest:
            self._body.append(replace(instruction, value=" && ".join(rest), heredocs=()))

    def _is_rewritten(self, text: str, instruction: Instruction) -> bool:
        if _CLEANING.fullmatch(text):
            return True
        parsed = list(commands(text))
        if len(parsed) != 1:
            return False
        words = parsed[0]
        program = words[0].rpartition("/")[2]
        if program in _ACCOUNTS:
            return True
        if program in _EXPORTS:
            raise ConfigError(
                f"line {instruction.line}: dependencies that {program} installs are not known here",
                advice=f"run `{_EXPORTS[program]}`, and install that file with pip",
            )
        if program in ("poetry", "uv") and words[1:2] != ("pip",):
            if words[1:2] in (("install",), ("sync",)):
                self._depend(instruction, program, words)
            return True
        packages = list(installs(text))
        for install in packages:
            if install.kind != "pip" and not install.removes:
                self._system.append(install)
            elif not install.removes:
                self._depend(instruction, "pip", install.words, install)
        return bool(packages)

    def _depend(
        self,
        instruction: Instruction,
        tool: str,
        words: tuple[str, ...],
        install: Install | None = None,
    ) -> None:
        named, files = (install.names, install.files) if install else ((), ())
        tools = [name for name in named if _TOOLS.fullmatch(name)]
        names = [name for name in named if name not in tools]
        self._tools |= {re.split(r"[=<>~!]", name)[0]: name for name in tools}
        if tool == "pip" and not files and not names:
            return
        mounts = (value for key, value in instruction.flags if key == "mount")
        self._before = tuple(self._copied)
        self._dependencies.append(
            Dependencies(
                tool=tool,
                names=tuple(map(self._fill, names)),
                files=tuple(map(self._fill, files)),
                words=words,
                workdir=self._workdir,
                mounts=tuple(value for value in mounts if not value.startswith("type=cache")),
                options=tuple(_options(words)) if tool == "pip" else (),
                spec=self._tools.get(tool, tool),
            )
        )


def _options(words: Sequence[str]) -> Iterator[str]:
    waiting = iter(words)
    for word in waiting:
        match = _OPTIONS.fullmatch(word)
        if match is None:
            continue
        alone = match["value"] is None and match["key"] not in ("--pre", "--no-index")
        yield f"{word} {shlex.quote(next(waiting, ''))}" if alone else shlex.quote(word)
