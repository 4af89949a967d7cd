"""Steps of a proposal's build stage that install the dependencies needed at run time. Pure."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from onegig.dockerfiles.parse import Instruction
from onegig.dockerfiles.recipe import Dependencies, Recipe
from onegig.dockerfiles.requirements import (
    Requirement,
    development_names,
    is_development_file,
    parse_requirement,
    read_requirements,
)

Read = Callable[[str], str | None]
FILTERED = "/tmp/requirements.txt"  # noqa: S108 - in a stage that is thrown away
JOINED = "/tmp/joined.txt"  # noqa: S108
_ACTIVE = "VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH"
_EXTRAS = re.compile(r"\[([^\]]*)\]")
_DEVELOPMENT_EXTRAS = re.compile(r"dev\w*|tests?|testing|lint|docs?|all")


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One command that installs, with the files it needs; one that only comments has none."""

    copies: tuple[str, ...] = ()  # COPY instructions
    left_out: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()  # commands before pip's
    arguments: tuple[str, ...] = ()  # of `pip install`; () for another tool
    after: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()  # that are known to be installed

    def lines(self, compiled: Sequence[str]) -> Iterator[str]:
        """Yield the COPYs, a comment on what is left out, and the RUN."""
        yield from self.copies
        if self.left_out:
            yield f"# for development, left out: {', '.join(self.left_out)}"
        commands = [*self.before]
        if self.arguments:
            binary = "--only-binary :all:"
            if compiled:
                binary += f" --no-binary {','.join(compiled)}"
            commands.append(f"pip --python /venv install {binary} {' '.join(self.arguments)}")
        commands += self.after
        if commands:
            mounts = [f"--mount={mount} \\\n    " for mount in self.mounts]
            yield f"RUN {''.join(mounts)}" + " \\\n    && ".join(commands)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The steps of the build stage."""

    workdir: str
    steps: tuple[Step, ...]

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the requirements that are known to be installed, each once."""
        return tuple(dict.fromkeys(text for step in self.steps for text in step.requirements))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the development dependencies, each once."""
        return tuple(dict.fromkeys(name for step in self.steps for name in step.left_out))


def plan_dependencies(recipe: Recipe, read: Read) -> Plan:
    """Plan the steps for all that the recipe installs, in its order."""
    steps: list[Step] = []
    for install in recipe.dependencies:
        if install.tool == "pip":
            for file in install.files:
                steps += _file_steps(install, file, recipe.before, read)
            steps += _named_steps(install, recipe.before)
        else:
            steps.append(_project_step(install, recipe.before, read))
    workdirs = ["/", *(install.workdir for install in recipe.dependencies)]
    return Plan(workdir=workdirs[-1], steps=tuple(steps))


def _named_steps(install: Dependencies, before: Sequence[Instruction]) -> Iterator[Step]:
    named = [parse_requirement(name) for name in install.names]
    left_out = development_names(named)
    needed = [item for item in named if item.name not in left_out]
    if needed:
        is_local = any(item.text.startswith((".", "/")) for item in needed)
        yield Step(
            copies=_copies(before) if is_local else (),
            left_out=tuple(sorted(left_out)),
            mounts=install.mounts,
            arguments=(*install.options, *map(_argument, needed)),
            requirements=_texts(needed),
        )
    elif left_out:
        yield Step(left_out=tuple(sorted(left_out)))


def _file_steps(
    install: Dependencies,
    file: str,
    before: Sequence[Instruction],
    read: Read,
    includers: tuple[str, ...] = (),
) -> Iterator[Step]:
    """Install a requirements file; of one for development only what it includes."""
    if file in includers:  # files that include each other
        return
    source, text = _find(file, install.workdir, before, read)
    if text is None:
        arguments = (*install.options, "-r", file)
        yield Step(copies=_copies(before), mounts=install.mounts, arguments=arguments)
        return
    requirements = read_requirements(text)
    if is_development_file(file):
        yield Step(left_out=(file,))
        for included in (item.includes for item in requirements if item.includes):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(file), included))
            yield from _file_steps(install, path, before, read, (*includers, file))
        return
    left_out = development_names(requirements)
    is_mounted = any(f"target={file}" in item or f"dst={file}" in item for item in install.mounts)
    yield Step(
        copies=() if is_mounted else (f"COPY {source} {file}",),
        left_out=tuple(sorted(left_out)),
        mounts=install.mounts,
        before=(_filter(file, left_out, text),) if left_out else (),
        arguments=(*install.options, "-r", FILTERED if left_out else file),
        requirements=_texts(item for item in requirements if item.name not in left_out),
    )


def _find(
    file: str, workdir: str, before: Sequence[Instruction], read: Read
) -> tuple[str, str | None]:
    absolute = posixpath.normpath(posixpath.join(workdir, file))
    for copy in before:
        *sources, destination = copy.words or ("",)
        folder = posixpath.normpath(posixpath.join(workdir, destination))
        for source in sources:
            is_folder = destination.endswith("/") or len(sources) > 1 or folder != absolute
            place = posixpath.join(folder, posixpath.basename(source)) if is_folder else folder
            if posixpath.normpath(place) == absolute and (text := read(source)) is not None:
                return source, text
            if absolute.startswith(f"{folder.rstrip('/')}/"):
                inner = posixpath.join(source, absolute.removeprefix(folder).lstrip("/"))
                if (text := read(posixpath.normpath(inner))) is not None:
                    return posixpath.normpath(inner), text
    return file, read(file) if not posixpath.isabs(file) else None


def _filter(file: str, gone: frozenset[str], text: str) -> str:
    """Return the command that writes the file without the lines that name these packages."""
    names = "|".join(name.replace("-", "[-_.]") for name in sorted(gone))
    pattern = rf"^({names})([^a-z0-9._-]|$)"
    if re.search(r"\\\s*$", text, re.MULTILINE):  # hashes on lines of their own
        join = r"sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}'"
        return f"{join} {file} >{JOINED} && grep -viE '{pattern}' {JOINED} >{FILTERED}"
    return f"grep -viE '{pattern}' {file} >{FILTERED}"


def _argument(requirement: Requirement) -> str:
    """Write a requirement as pip takes it, without extras that are for development."""
    text = requirement.text
    extras = _EXTRAS.search(text)
    if extras and text.startswith((".", "/")):
        names = [name.strip() for name in extras[1].split(",")]
        remaining = ",".join(name for name in names if not _DEVELOPMENT_EXTRAS.fullmatch(name))
        text = text.replace(extras[0], f"[{remaining}]" if remaining else "")
    if re.fullmatch(r"[\w./=+-]+", text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _project_step(install: Dependencies, before: Sequence[Instruction], read: Read) -> Step:
    """Install with Poetry or uv, which stay in the build stage, into the virtual environment."""
    has_lock = read(f"{install.tool}.lock") is not None
    if install.tool == "poetry":
        is_package = "--no-root" not in install.words
        left_out = "all groups but main"
        sync = f"{_ACTIVE} poetry install --only main --no-root --no-interaction"
    else:
        is_package = "--no-install-project" not in install.words
        left_out = "the group dev"
        flags = "--frozen --no-dev --no-cache --no-editable" if has_lock else "--no-dev --no-cache"
        flags += "" if is_package else " --no-install-project"
        sync = f"UV_PROJECT_ENVIRONMENT=/venv uv sync {flags}"
    after = "pip --python /venv install --no-deps ."
    lock = f" {install.tool}.lock" if has_lock else ""
    return Step(
        copies=_copies(before) if is_package else (f"COPY pyproject.toml{lock} ./",),
        left_out=(left_out,),
        mounts=install.mounts,
        before=(f"pip install {install.spec}", sync),
        after=(after,) if is_package and install.tool == "poetry" else (),
    )


def _texts(requirements: Iterable[Requirement]) -> tuple[str, ...]:
    return tuple(requirement.text for requirement in requirements if requirement.name)


def _copies(before: Sequence[Instruction]) -> tuple[str, ...]:
    return tuple(f"{copy.name} {copy.value}" for copy in before)
