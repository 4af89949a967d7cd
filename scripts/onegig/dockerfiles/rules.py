"""onegig's own rules for Dockerfiles. Pure: the build context is passed in.

- multi-stage: building and installing happen in a separate stage;
- small-base: the last stage is Alpine's, or smaller (scratch, distroless, static);
- non-root: the last stage has a USER, and it is not root;
- no-development: no compiler, headers or test tools are left in the image;
- pinned-base: every base has a digest, or a tag other than `latest`;
- dockerignore: where everything is copied, a .dockerignore lists exceptions.

Defaults of ARG are filled in, so that a file is judged alike on every machine.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from onegig.dockerfiles.installs import Install, installed
from onegig.dockerfiles.parse import Instruction, fill_in
from onegig.dockerfiles.requirements import (
    development_names,
    is_development_file,
    parse_requirement,
    read_requirements,
)
from onegig.dockerfiles.stages import Stage, Stages, read_stages
from onegig.model.dockerfiles import Level, Remark
from onegig.package_names import is_development_name
from onegig.text import format_list

MOST_NAMES = 5
_SMALL = re.compile(r"scratch|.*(?:alpine|distroless|busybox|wolfi).*|(?:.*/)?static(?:[:@].*)?")
_UNPRIVILEGED = re.compile(r".*[:_-](?:nonroot|unprivileged|rootless)(?:[@:._-].*)?")
_ROOT = re.compile(r"(?:root|0+)(?::.*)?")
_BROAD = re.compile(r"\.?/?|\./?\*|\*")
_DEVELOPMENT_SYSTEM = ("gdb", "strace", "valgrind")


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The folder that is built from, as far as the rules need it."""

    has_dockerignore: bool
    read: Callable[[str], str | None]  # a file's text, by its path in the context


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    path: str
    stages: Stages
    chain: tuple[Stage, ...]
    needed: tuple[Stage, ...]
    context: Context

    def remark(self, rule: str, line: int, text: str, level: Level = Level.WARNING) -> Remark:
        return Remark(rule=rule, level=level, text=text, path=self.path, line=line)

    def instructions(self, name: str) -> Iterator[Instruction]:
        """Yield those of the image itself, from its base upwards."""
        for stage in self.chain:
            yield from (each for each in stage.instructions if each.name == name)


def check_dockerfile(
    text: str, *, path: str, target: str, arguments: Mapping[str, str], context: Context
) -> tuple[Remark, ...]:
    """Check the image that a build of `target` makes; return the rules' remarks.

    `arguments` fill in what has no default of its own.
    """
    defaults = dict(read_stages(text, {}).arguments)
    given = {name: value for name, value in arguments.items() if name not in defaults}
    stages = read_stages(text, given)
    chain, needed = stages.chain(target), stages.needed(target)
    case = _Case(path=path, stages=stages, chain=chain, needed=needed, context=context)
    if not chain:
        missing = f"no stage {target!r}" if target else "no FROM"
        return (case.remark("stages", 1, f"there is {missing} in it", Level.ERROR),)
    rules = (_multi_stage, _small_base, _non_root, _no_development, _pinned_base, _dockerignore)
    return tuple(remark for rule in rules for remark in rule(case))


def _multi_stage(case: _Case) -> Iterator[Remark]:
    first = next(case.instructions("RUN"), None)
    if first is not None and len(case.needed) <= len(case.chain):
        text = (
            "one stage builds and runs: install and compile in a separate stage, and COPY --from "
            "it what runs"
        )
        yield case.remark("multi-stage", first.line, text)


def _small_base(case: _Case) -> Iterator[Remark]:
    stage = case.chain[0]
    if not stage.base:
        text = "the base is an ARG without a default"
        yield case.remark("small-base", stage.start.line, text, Level.INFO)
    elif not _SMALL.fullmatch(stage.base):
        text = f"the image is based on {stage.base}: Alpine, distroless or scratch are smaller"
        yield case.remark("small-base", stage.start.line, text)


def _non_root(case: _Case) -> Iterator[Remark]:
    users = list(case.instructions("USER"))
    stage = case.chain[-1]
    if not users:
        if not _UNPRIVILEGED.fullmatch(case.chain[0].base):
            text = "no USER: it runs as root; `USER 65532:65532` needs no account"
            yield case.remark("non-root", stage.start.line, text)
    elif _ROOT.fullmatch(fill_in(users[-1].value, dict(stage.variables)).strip()):
        text = "it runs as root: `USER 65532:65532` at the end"
        yield case.remark("non-root", users[-1].line, text)


def _no_development(case: _Case) -> Iterator[Remark]:
    for instruction in case.instructions("RUN"):
        names: list[str] = []
        for install in installed(instruction.script):
            names += _development_names(install, case.context)
        if names:
            listed = format_list(list(dict.fromkeys(names)), MOST_NAMES)
            text = f"only building and testing need {listed}: leave them out of the image"
            yield case.remark("no-development", instruction.line, text)


def _development_names(install: Install, context: Context) -> Iterator[str]:
    if install.kind != "pip":
        for name in install.names:
            if is_development_name(install.kind, name) or name in _DEVELOPMENT_SYSTEM:
                yield name
        return
    requirements = map(parse_requirement, install.names)
    yield from (each.name for each in requirements if each.is_development)
    for file in install.files:
        if is_development_file(file):
            yield file
        else:
            listed = read_requirements(context.read(file) or "")
            development = development_names(listed)
            yield from (f"{each.name} ({file})" for each in listed if each.name in development)


def _pinned_base(case: _Case) -> Iterator[Remark]:
    for stage in case.needed:
        images = [(stage.base, stage.start.line)] if not stage.is_pinned_elsewhere else []
        for each in stage.instructions:
            source = each.flag("from")
            if each.name == "COPY" and source and not case.stages.chain(source):
                images.append((source, each.line))
        for image, line in images:
            name, _, digest = image.partition("@")
            tag = name.rpartition("/")[2].partition(":")[2]
            if image and not digest and tag in ("", "latest"):
                what = f"{image} is whatever is newest that day" if tag else f"{image} has no tag"
                text = f"{what}: pin it by digest, or by tag at least"
                yield case.remark("pinned-base", line, text)


def _dockerignore(case: _Case) -> Iterator[Remark]:
    copies = (
        each
        for stage in case.needed
        for each in stage.instructions
        if each.name in ("COPY", "ADD") and not each.flag("from")
    )
    broad = (each for each in copies if any(map(_BROAD.fullmatch, each.words[:-1])))
    first = next(broad, None)
    if first is not None and not case.context.has_dockerignore:
        text = f"`{first.text}` without a .dockerignore copies .git, caches and tests, too"
        yield case.remark("dockerignore", first.line, text)
