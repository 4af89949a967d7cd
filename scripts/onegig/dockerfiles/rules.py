"""onegig's own rules for Dockerfiles. Pure; everything about the build context is asked for.

- multi-stage: what builds and installs does so in a stage of its own;
- small-base: the last stage is Alpine's, or smaller (scratch, distroless, static);
- non-root: the last stage has a USER, and it is not root;
- no-development: no compiler, headers or test tools are left in what the image is made of;
- pinned-base: every base has a digest, or a tag other than `latest`;
- dockerignore: where everything is copied, a .dockerignore says what is not.

Defaults of ARG are filled in, so that a file is judged alike on every machine.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from onegig.dockerfiles.installs import installed
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
    """The folder that is built from, as far as the rules look at it."""

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

    def instructions(self, *names: str) -> Iterator[Instruction]:
        """Those of the image itself, from its base upwards."""
        for stage in self.chain:
            yield from (one for one in stage.instructions if one.name in names)


def check_dockerfile(
    text: str, *, path: str, target: str, arguments: Mapping[str, str], context: Context
) -> tuple[Remark, ...]:
    """What the rules have to say about the image that a build of `target` makes.

    `arguments` fill in what has no default of its own.
    """
    stages = read_stages(text, _without_defaults(text, arguments))
    chain = stages.chain(target)
    case = _Case(
        path=path,
        stages=stages,
        chain=chain,
        needed=stages.needed(target),
        context=context,
    )
    if not chain:
        wanted = f"no stage {target!r}" if target else "no FROM"
        return (case.remark("stages", 1, f"there is {wanted} in it", Level.ERROR),)
    rules = (_multi_stage, _small_base, _non_root, _no_development, _pinned_base, _dockerignore)
    return tuple(remark for rule in rules for remark in rule(case))


def _without_defaults(text: str, arguments: Mapping[str, str]) -> dict[str, str]:
    defaults = dict(read_stages(text, {}).arguments)
    return {name: value for name, value in arguments.items() if name not in defaults}


def _multi_stage(case: _Case) -> Iterator[Remark]:
    if len(case.needed) > len(case.chain):
        return
    first = next(case.instructions("RUN"), None)
    if first is not None:
        yield case.remark(
            "multi-stage",
            first.line,
            "one stage builds and runs: install and compile in a stage of its own, and COPY --from "
            "it what runs",
        )


def _small_base(case: _Case) -> Iterator[Remark]:
    stage = case.chain[0]
    if not stage.base:
        yield case.remark(
            "small-base", stage.start.line, "the base is an ARG without a default", Level.INFO
        )
    elif not _SMALL.fullmatch(stage.base):
        yield case.remark(
            "small-base",
            stage.start.line,
            f"the image is based on {stage.base}: Alpine, distroless or scratch are smaller",
        )


def _non_root(case: _Case) -> Iterator[Remark]:
    users = list(case.instructions("USER"))
    stage = case.chain[-1]
    if not users:
        if not _UNPRIVILEGED.fullmatch(case.chain[0].base):
            text = "no USER: it runs as root; `USER 65532:65532` needs no account"
            yield case.remark("non-root", stage.start.line, text)
    elif _ROOT.fullmatch(fill_in(users[-1].value, dict(stage.variables)).strip()):
        yield case.remark(
            "non-root", users[-1].line, "it runs as root: `USER 65532:65532` at the end"
        )


def _no_development(case: _Case) -> Iterator[Remark]:
    for one in case.instructions("RUN"):
        found: list[str] = []
        for install in installed(one.script):
            if install.kind == "pip":
                found += _pip_names(install.names, install.files, case.context)
            else:
                found += [name for name in install.names if _is_system(install.kind, name)]
        if found:
            names = format_list(tuple(dict.fromkeys(found)), MOST_NAMES)
            yield case.remark(
                "no-development",
                one.line,
                f"only building and testing need {names}: leave them out of the image",
            )


def _is_system(kind: str, name: str) -> bool:
    return is_development_name(kind, name) or name in _DEVELOPMENT_SYSTEM


def _pip_names(names: tuple[str, ...], files: tuple[str, ...], context: Context) -> Iterator[str]:
    for name in names:
        requirement = parse_requirement(name)
        if requirement.is_development:
            yield requirement.name
    for file in files:
        if is_development_file(file):
            yield file
            continue
        text = context.read(file)
        known = read_requirements(text or "")
        development = development_names(known)
        yield from (f"{one.name} ({file})" for one in known if one.name in development)


def _pinned_base(case: _Case) -> Iterator[Remark]:
    for stage in case.needed:
        if not stage.is_pinned_elsewhere and stage.base:
            yield from _pinned(case, stage.base, stage.start.line)
        for one in stage.instructions:
            source = one.flag("from")
            if one.name == "COPY" and source and not case.stages.chain(source):
                yield from _pinned(case, source, one.line)


def _pinned(case: _Case, image: str, line: int) -> Iterator[Remark]:
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not digest and tag in ("", "latest"):
        what = f"{image} is whatever is newest that day" if tag else f"{image} has no tag"
        yield case.remark("pinned-base", line, f"{what}: pin it by digest, or by tag at least")


def _dockerignore(case: _Case) -> Iterator[Remark]:
    if case.context.has_dockerignore:
        return
    for stage in case.needed:
        for one in stage.instructions:
            if one.name in ("COPY", "ADD") and not one.flag("from") and _is_broad(one):
                yield case.remark(
                    "dockerignore",
                    one.line,
                    f"`{one.text}` without a .dockerignore copies .git, caches and tests, too",
                )
                return


def _is_broad(instruction: Instruction) -> bool:
    return any(_BROAD.fullmatch(source) for source in instruction.words[:-1])
