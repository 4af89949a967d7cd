"""A minimal Dockerfile for a Python service, in place of the one it has. Pure.

Two stages of Alpine's Python (or Debian's slim one, if a package has no wheel for musl): one
installs into a virtual environment, the other holds that, the service's own files and nothing else,
and does not run as root. How the service runs is taken over word for word. Packages get Alpine's
names; one that is not listed here is taken over as it is, and reported as unsure.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from onegig.dockerfiles.dependencies import Plan, plan_dependencies
from onegig.dockerfiles.parse import Instruction
from onegig.dockerfiles.recipe import Recipe, owned_by
from onegig.dockerfiles.requirements import Wheels
from onegig.dockerfiles.stages import assignments
from onegig.model.measured import Unknown
from onegig.package_names import is_development_name

USER = "65532:65532"  # distroless's nonroot; needs no account
# The official images by digest, as scripts/bases/images.env has them.
PINNED = {
    "python:3.13-alpine": "sha256:399babc8b49529dabfd9c922f2b5eea81d611e4512e3ed250d75bd2e7683f4b0"
}
DOCKERIGNORE = """\
# Only what the service runs reaches the build.
**/.*
**/__pycache__
**/*.py[cod]
**/Dockerfile*
**/*compose*.y*ml
**/*.md
**/venv
**/tests
"""
VENV = "/venv"
_ENDS = ("USER", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD")
_INDENTATION = re.compile(r"""(?P<quoted>"(?:\\.|[^"\\])*"|'[^']*')|\s{2,}""")
_CALLS = ("CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK")
_REQUIREMENTS = re.compile(
    r"(?:.*/)?(?:\S*requirements\S*\.(?:txt|in)|constraints\S*\.txt|pyproject\.toml"
    r"|(?:poetry|uv)\.lock\*?|setup\.(?:py|cfg))"
)


def _table(text: str) -> dict[str, str]:
    """Read a table from "name" or "name=value" separated by spaces; "name" stands for itself."""
    pairs = (word.partition("=") for word in text.split())
    return {name: value if given else name for name, given, value in pairs}


# Debian's name = Alpine's; nothing for what Alpine's Python image or busybox has already
_RUNTIME = _table("""
    bash ca-certificates= curl default-mysql-client=mariadb-client dnsutils=bind-tools dumb-init
    ffmpeg gettext gettext-base=gettext-envsubst git gosu=su-exec graphviz imagemagick iproute2
    iputils-ping= jq libcurl4=libcurl libffi8=libffi libglib2.0-0=glib libgl1=mesa-gl
    libgomp1=libgomp libjpeg62-turbo=libjpeg-turbo libmagic1=libmagic
    libmariadb3=mariadb-connector-c libpng16-16=libpng libpq5=libpq libsqlite3-0=sqlite-libs
    libssl3= libstdc++6=libstdc++ libxml2 libxslt1.1=libxslt media-types=mailcap netbase=
    netcat-openbsd= netcat-traditional= nginx openssh-client openssl postgresql-client procps=
    python3= redis-tools=valkey-cli sqlite3=sqlite supervisor tini tzdata unzip= wget= xz-utils=
    zlib1g=
""")
# Debian's name = what compiling takes on Alpine, and after a comma what the result needs to run
_COMPILE = _table("""
    build-essential=build-base cargo cmake
    default-libmysqlclient-dev=mariadb-dev,mariadb-connector-c g++=build-base,libstdc++
    gcc=build-base gfortran=gfortran,libgfortran libc6-dev=build-base
    libcurl4-openssl-dev=curl-dev,libcurl libffi-dev=libffi-dev,libffi
    libjpeg-dev=libjpeg-turbo-dev,libjpeg-turbo libjpeg62-turbo-dev=libjpeg-turbo-dev,libjpeg-turbo
    libmariadb-dev=mariadb-dev,mariadb-connector-c libpq-dev=libpq-dev,libpq
    libsqlite3-dev=sqlite-dev,sqlite-libs libssl-dev=openssl-dev libxml2-dev=libxml2-dev,libxml2
    libxslt1-dev=libxslt-dev,libxslt libxslt-dev=libxslt-dev,libxslt libyaml-dev=yaml-dev,yaml
    make=build-base pkg-config=pkgconf python3-dev= python3-pip= python3-venv= rustc=rust
    zlib1g-dev=zlib-dev
""")
_FOR_PEOPLE = _table("""
    vim nano less htop strace gdb tmux screen man-db locales apt-utils software-properties-common
    lsb-release gnupg sudo tree
""")
_PROGRAMS = _table("""
    bash curl git jq openssl pg_isready=postgresql-client psql=postgresql-client
    redis-cli=valkey-cli tini
""")  # a program of a full Debian image, and the package that has it on Alpine


class Base(StrEnum):
    """The variant of the official Python image: musl or glibc."""

    ALPINE = "alpine"
    SLIM = "slim"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A service's Dockerfile and what belongs to it."""

    service: str
    path: str  # the Dockerfile's, as a person would write it
    recipe: Recipe
    read: Callable[[str], str | None]  # a file of the context, by its path in there
    has_dockerignore: bool
    probes: tuple[str, ...] = ()  # commands that compose runs in the container


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A Dockerfile, and remarks to read before it is used."""

    text: str
    dockerignore: str  # "" if there is one already
    base: Base
    image: str  # the default of its ARG PYTHON_IMAGE
    left_out: tuple[str, ...]  # development dependencies
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Packages:
    """A distribution's packages sorted by who needs them; each tuple without repetitions."""

    runtime: tuple[str, ...] = ()  # Alpine's names
    compile: tuple[str, ...] = ()  # Alpine's names: only in the stage that compiles
    compiled: tuple[str, ...] = ()  # Alpine's names: what comes out of compiling needs these
    left_out: tuple[str, ...] = ()  # as written
    unsure: tuple[str, ...] = ()  # taken over by the same name


def propose(source: Source, python: str, wheels: Wheels | Unknown, base: Base | None) -> Proposal:
    """Propose a Dockerfile for a version of Python; `base` None leaves the choice to the wheels."""
    recipe = source.recipe
    needs_glibc = isinstance(wheels, Wheels) and wheels.glibc_only
    chosen = base or (Base.SLIM if needs_glibc else Base.ALPINE)
    plan = plan_dependencies(recipe, source.read)
    packages = _translate(recipe.packages)
    compiled = _compiled(wheels, chosen)
    lines = [
        *_head(source, _image(python, chosen)),
        *_build_stage(recipe, plan, packages, compiled, chosen),
        *_runtime_stage(source, packages, compiled, chosen),
    ]
    return Proposal(
        text="\n".join(lines) + "\n",
        dockerignore="" if source.has_dockerignore else DOCKERIGNORE,
        base=chosen,
        image=_image(python, chosen),
        left_out=plan.left_out,
        remarks=tuple(_remarks(source, wheels, chosen, packages)),
    )


def _compiled(wheels: Wheels | Unknown, base: Base) -> tuple[str, ...]:
    if isinstance(wheels, Unknown):
        return ()
    return wheels.source_only + (wheels.glibc_only if base is Base.ALPINE else ())


def _image(python: str, base: Base) -> str:
    name = f"python:{python}-{base}"
    return f"{name}@{PINNED[name]}" if name in PINNED else name


def _head(source: Source, image: str) -> Iterator[str]:
    yield f"# {source.service} in two stages, instead of {source.path} (onegig dockerfile)"
    if "@" not in image:
        yield f"# pin it by digest: docker buildx imagetools inspect {image}"
    yield f"ARG PYTHON_IMAGE={image}"


def _build_stage(
    recipe: Recipe, plan: Plan, packages: Packages, compiled: tuple[str, ...], base: Base
) -> Iterator[str]:
    yield ""
    yield "# ---- what is installed; nothing else of this stage goes on"
    yield "FROM ${PYTHON_IMAGE} AS build"
    yield "ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore"
    yield from recipe.settings
    if compiled:
        library = "musl" if base is Base.ALPINE else "glibc"
        yield f"# no wheel for {library}: {', '.join(compiled)}"
        yield from _add(base, _toolchain(packages, recipe, base))
    yield f"RUN python -m venv --without-pip {VENV}"
    if plan.workdir != "/":
        yield f"WORKDIR {plan.workdir}"
    for step in plan.steps:
        yield from step.lines(compiled)
    yield f"RUN find {VENV} -type d -name tests -prune -exec rm -rf {{}} +"


def _toolchain(packages: Packages, recipe: Recipe, base: Base) -> tuple[str, ...]:
    if base is Base.SLIM:
        headers = [name for _, name in recipe.packages if name.endswith("-dev")]
        return ("build-essential", *headers)
    return tuple(dict.fromkeys(("build-base", *packages.compile)))


def _runtime_stage(
    source: Source, packages: Packages, compiled: tuple[str, ...], base: Base
) -> Iterator[str]:
    recipe = source.recipe
    yield ""
    yield "# ---- what runs"
    yield "FROM ${PYTHON_IMAGE}"
    yield f"ENV PATH={VENV}/bin:$PATH"
    names = [*packages.runtime, *(packages.compiled if compiled else ()), *_programs(source)]
    if base is Base.SLIM:
        names = [name for _, name in recipe.packages if _is_for_runtime(name)]
    yield from _add(base, tuple(dict.fromkeys(names)))
    yield f"COPY --from=build {VENV} {VENV}"
    body = [step for step in recipe.body if not _only_requirements(step)]
    body = [step for step in body if step.name != "ARG" or _is_used(step, body)]
    yield from (line for step in body if step.name not in _ENDS for line in _written(step, recipe))
    yield from _bytecode(body)
    yield f"USER {recipe.user or USER}"
    yield from (line for step in body if step.name in _ENDS for line in _written(step, recipe))


def _is_for_runtime(name: str) -> bool:
    packages = _translate([("dpkg", name)])
    return bool(packages.runtime and not packages.compile)


def _add(base: Base, names: tuple[str, ...]) -> Iterator[str]:
    if names and base is Base.ALPINE:
        yield "# hadolint ignore=DL3018"
        yield f"RUN apk add --no-cache {' '.join(sorted(names))}"
    elif names:
        yield "# hadolint ignore=DL3008"
        yield "RUN apt-get update \\"
        yield f"    && apt-get install --yes --no-install-recommends {' '.join(sorted(names))} \\"
        yield "    && rm -rf /var/lib/apt/lists/*"


def _programs(source: Source) -> Iterator[str]:
    """Yield the packages of programs that a full Debian image has and the service calls for."""
    called = [step.value for step in source.recipe.body if step.name in _CALLS]
    words = set(re.findall(r"[\w.-]+", " ".join([*called, *source.probes])))
    yield from (package for program, package in _PROGRAMS.items() if program in words)


def _is_used(argument: Instruction, body: Sequence[Instruction]) -> bool:
    names = "|".join(re.escape(name) for name, _ in assignments(argument))
    others = [step for step in body if step is not argument]
    return any(
        step.name == "RUN" or re.search(rf"\$\{{?(?:{names})\b", step.text) for step in others
    )


def _only_requirements(instruction: Instruction) -> bool:
    """Return whether a COPY only has files that the other stage installs from."""
    if instruction.name not in ("COPY", "ADD") or len(instruction.words) < 2:
        return False
    return all(_REQUIREMENTS.fullmatch(source) for source in instruction.words[:-1])


def _written(instruction: Instruction, recipe: Recipe) -> Iterator[str]:
    user = recipe.user or USER
    if instruction.name in ("COPY", "ADD"):
        flags = ((key, user if key == "chown" else value) for key, value in instruction.flags)
        instruction = replace(instruction, flags=tuple(flags))
    text = _INDENTATION.sub(lambda match: match["quoted"] or " ", instruction.text)
    if instruction.name == "RUN":
        yield f"# as in line {instruction.line}"
        text = owned_by(text, user)
    yield text
    for heredoc in instruction.heredocs:
        yield from (*heredoc.content.splitlines(), heredoc.name)


def _bytecode(body: Sequence[Instruction]) -> Iterator[str]:
    """Compile the copied code, because the service's user may not write bytecode at start."""
    workdir, folders = "/", []
    for step in body:
        if step.name == "WORKDIR":
            workdir = posixpath.normpath(posixpath.join(workdir, step.value))
        elif step.name == "COPY" and step.words:
            folders.append(posixpath.normpath(posixpath.join(workdir, step.words[-1])))
    inside = [folder for folder in folders if posixpath.commonpath([folder, workdir]) == workdir]
    if inside and workdir != "/":
        yield "RUN python -m compileall -q ."


def _remarks(
    source: Source, wheels: Wheels | Unknown, base: Base, packages: Packages
) -> Iterator[str]:
    recipe = source.recipe
    yield from _wheel_remarks(wheels, base)
    if packages.unsure and base is Base.ALPINE:
        yield (
            "find the names of these packages on pkgs.alpinelinux.org: "
            f"{', '.join(packages.unsure)}"
        )
    tools = [package[1] for package in recipe.packages if _translate([package]).compile]
    if tools and isinstance(wheels, Wheels) and not _compiled(wheels, base):
        yield f"left out, because every package has a wheel: {', '.join(tools)}"
    if packages.left_out:
        yield f"left out, because the service does not need them: {', '.join(packages.left_out)}"
    if not recipe.had_user:
        yield "it no longer runs as root; mount a volume or tmpfs where it writes"
    for step in recipe.body:
        if step.name == "RUN":
            yield f"line {step.line} was written for Debian and is copied unchanged"
    yield from recipe.dropped


def _wheel_remarks(wheels: Wheels | Unknown, base: Base) -> Iterator[str]:
    if isinstance(wheels, Unknown):
        yield f"could not check for musl wheels: {wheels.reason}"
        return
    if wheels.glibc_only:
        choice = (
            "so Debian's slim base is proposed; `--base alpine` compiles instead"
            if base is Base.SLIM
            else "so the build stage compiles; `--base slim` needs no compiler"
        )
        yield f"no wheel for musl: {', '.join(wheels.glibc_only)}: {choice}"
    if wheels.source_only:
        yield f"compiled from source in any case: {', '.join(wheels.source_only)}"
    if wheels.not_asked:
        names = ", ".join(wheels.not_asked)
        yield f"not checked for wheels, because they are not plain names: {names}"


def _translate(packages: Iterable[tuple[str, str]]) -> Packages:
    """Sort packages and give them Alpine's names; each is a kind ("dpkg", "apk") and a name."""
    runtime, compiling, compiled = [], [], []
    left_out, unsure = [], []
    for kind, name in packages:
        if name in _FOR_PEOPLE:
            left_out.append(name)
        elif kind == "dpkg" and name in _COMPILE:
            tool, _, library = _COMPILE[name].partition(",")
            compiling.append(tool)
            compiled.append(library)
        elif kind == "dpkg" and name in _RUNTIME:
            runtime.append(_RUNTIME[name])
        else:
            is_tool = is_development_name(kind, name) and name != "git"
            (compiling if is_tool else runtime).append(name)
            unsure += [name] if kind == "dpkg" else []
    lists = (runtime, compiling, compiled, left_out, unsure)
    return Packages(*(tuple(dict.fromkeys(filter(None, names))) for names in lists))
