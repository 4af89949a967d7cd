"""How the build stage of a proposal installs what runs, without what is for development. Pure."""

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
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
KEPT = "/tmp/requirements.txt"  # noqa: S108 - in a stage that is thrown away
JOINED = "/tmp/joined.txt"  # noqa: S108
_ACTIVE = "VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH"
_EXTRAS = re.compile(r"\[([^\]]*)\]")
_DEVELOPMENT_EXTRAS = re.compile(r"dev\w*|tests?|testing|lint|docs?|all")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What the build stage does; `requirements` is what is known to be installed."""

    workdir: str
    steps: tuple["Step", ...]
    requirements: tuple[str, ...]
    left_out: tuple[str, ...]

    def lines(self, compiled: Sequence[str]) -> Iterator[str]:
        """The instructions; `compiled` are the packages without a wheel."""
        for step in self.steps:
            yield from step.lines(compiled)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One command that installs, with the files it needs."""

    copies: tuple[str, ...]  # COPY instructions
    left_out: tuple[str, ...]
    mounts: tuple[str, ...]
    before: tuple[str, ...]  # commands before pip's
    arguments: tuple[str, ...]  # of `pip install`; () for another tool
    after: tuple[str, ...] = ()

    def lines(self, compiled: Sequence[str]) -> Iterator[str]:
        """The COPYs, what is left out, and the RUN."""
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
        if not commands:
            return
        mounts = [f"--mount={mount}" for mount in self.mounts]
        yield " \\\n    ".join(["RUN", *mounts, " \\\n    && ".join(commands)]).replace(
            "RUN \\\n    ", "RUN ", 1
        )


def plan_dependencies(recipe: Recipe, read: Read) -> Plan:
    """Steps for all that the recipe installs, in its order."""
    steps: list[Step] = []
    wanted: list[str] = []
    for one in recipe.dependencies:
        made, names = _PLANS[one.tool](one, recipe.before, read)
        steps += made
        wanted += names
    left_out = dict.fromkeys(name for step in steps for name in step.left_out)
    workdirs = [one.workdir for one in recipe.dependencies]
    return Plan(
        workdir=workdirs[-1] if workdirs else "/",
        steps=tuple(steps),
        requirements=tuple(dict.fromkeys(wanted)),
        left_out=tuple(left_out),
    )


def _pip(
    one: Dependencies, before: Sequence[Instruction], read: Read
) -> tuple[list[Step], list[str]]:
    steps: list[Step] = []
    wanted: list[str] = []
    for file in one.files:
        found = _from_file(one, file, before, read)
        steps += found[0]
        wanted += found[1]
    named = [parse_requirement(name) for name in one.names]
    gone = development_names(named)
    runs = [each for each in named if each.name not in gone]
    kept = [_argument(each) for each in runs]
    if kept:
        local = any(each.text.startswith((".", "/")) for each in runs)
        steps.append(
            Step(
                copies=_copies(before) if local else (),
                left_out=tuple(sorted(gone)),
                mounts=one.mounts,
                before=(),
                arguments=(*one.options, *kept),
            )
        )
        wanted += [each.text for each in named if each.name and each.name not in gone]
    elif gone:
        steps.append(_comment(*sorted(gone)))
    return steps, wanted


def _from_file(
    one: Dependencies, file: str, before: Sequence[Instruction], read: Read
) -> tuple[list[Step], list[str]]:
    """A requirements file, without what is for development; what such a file includes counts."""
    source, text = _find(file, one.workdir, before, read)
    if text is None:
        step = Step(
            copies=_copies(before),
            left_out=(),
            mounts=one.mounts,
            before=(),
            arguments=(*one.options, "-r", file),
        )
        return [step], []
    requirements = read_requirements(text)
    if is_development_file(file):
        steps: list[Step] = []
        wanted: list[str] = []
        for included in (each.includes for each in requirements if each.includes):
            path = posixpath.join(posixpath.dirname(file), included)
            found = _from_file(one, path, before, read)
            steps += found[0]
            wanted += found[1]
        return [_comment(file), *steps], wanted
    gone = development_names(requirements)
    step = Step(
        copies=() if _is_mounted(one, file) else (f"COPY {source} {file}",),
        left_out=tuple(sorted(gone)),
        mounts=one.mounts,
        before=(_filter(file, gone, text),) if gone else (),
        arguments=(*one.options, "-r", KEPT if gone else file),
    )
    return [step], [each.text for each in requirements if each.name and each.name not in gone]


def _find(
    file: str, workdir: str, before: Sequence[Instruction], read: Read
) -> tuple[str, str | None]:
    """The file's path in the context, and its text."""
    absolute = posixpath.normpath(posixpath.join(workdir, file))
    for one in before:
        *sources, destination = [*one.words, ""][: len(one.words)] or [""]
        folder = posixpath.normpath(posixpath.join(workdir, destination))
        for source in sources:
            is_folder = destination.endswith("/") or len(sources) > 1 or folder != absolute
            place = posixpath.join(folder, posixpath.basename(source)) if is_folder else folder
            if posixpath.normpath(place) == absolute and (text := read(source)) is not None:
                return source, text
            if absolute.startswith(f"{folder.rstrip('/')}/"):
                inner = posixpath.normpath(
                    posixpath.join(source, absolute.removeprefix(folder).lstrip("/"))
                )
                if (text := read(inner)) is not None:
                    return inner, text
    return file, read(file) if not posixpath.isabs(file) else None


def _filter(file: str, gone: frozenset[str], text: str) -> str:
    """The command that writes the file without the lines that name these packages."""
    names = "|".join(name.replace("-", "[-_.]") for name in sorted(gone))
    pattern = rf"^({names})([^a-z0-9._-]|$)"
    if re.search(r"\\\s*$", text, re.MULTILINE):  # hashes on lines of their own
        join = r"sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}'"
        return f"{join} {file} >{JOINED} && grep -viE '{pattern}' {JOINED} >{KEPT}"
    return f"grep -viE '{pattern}' {file} >{KEPT}"


def _argument(requirement: Requirement) -> str:
    """As pip takes it, without extras that are for development."""
    text = requirement.text
    extras = _EXTRAS.search(text)
    if extras and text.startswith((".", "/")):
        names = [name.strip() for name in extras[1].split(",")]
        kept = ",".join(name for name in names if not _DEVELOPMENT_EXTRAS.fullmatch(name))
        text = text.replace(extras[0], f"[{kept}]" if kept else "")
    return text if re.fullmatch(r"[\w./=+-]+", text) else _quoted(text)


def _quoted(text: str) -> str:
    """As one word of a shell."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _poetry(
    one: Dependencies, before: Sequence[Instruction], read: Read
) -> tuple[list[Step], list[str]]:
    """Poetry in the build stage only, into the virtual environment that goes on."""
    is_package = "--no-root" not in one.words
    lock = " poetry.lock" if read("poetry.lock") is not None else ""
    step = Step(
        copies=_copies(before) if is_package else (f"COPY pyproject.toml{lock} ./",),
        left_out=("all groups but main",),
        mounts=one.mounts,
        before=(
            f"pip install {one.spec}",
            f"{_ACTIVE} poetry install --only main --no-root --no-interaction",
        ),
        arguments=(),
        after=("pip --python /venv install --no-deps .",) if is_package else (),
    )
    return [step], []


def _uv(
    one: Dependencies, before: Sequence[Instruction], read: Read
) -> tuple[list[Step], list[str]]:
    """Uv in the build stage only."""
    is_package = "--no-install-project" not in one.words
    lock = " uv.lock" if read("uv.lock") is not None else ""
    flags = "--frozen --no-dev --no-cache --no-editable" if lock else "--no-dev --no-cache"
    step = Step(
        copies=_copies(before) if is_package else (f"COPY pyproject.toml{lock} ./",),
        left_out=("the group dev",),
        mounts=one.mounts,
        before=(
            f"pip install {one.spec}",
            f"UV_PROJECT_ENVIRONMENT=/venv uv sync {flags}"
            + ("" if is_package else " --no-install-project"),
        ),
        arguments=(),
    )
    return [step], []


def _is_mounted(one: Dependencies, file: str) -> bool:
    return any(f"target={file}" in mount or f"dst={file}" in mount for mount in one.mounts)


def _copies(before: Sequence[Instruction]) -> tuple[str, ...]:
    return tuple(f"{one.name} {one.value}" for one in before)


def _comment(*left_out: str) -> Step:
    """Nothing is done, and it is said."""
    return Step(copies=(), left_out=left_out, mounts=(), before=(), arguments=())


_PLANS = {"pip": _pip, "poetry": _poetry, "uv": _uv}
