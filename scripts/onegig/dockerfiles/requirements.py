"""Requirements files and `pip install`: what is for development, and what has no wheel for musl.

Development dependencies are known by name (images/packages/package.py), by their file
(requirements-dev.txt) or, in a file that a resolver wrote, because only such packages need them
("# via pytest").

Wheels are looked up by pip itself, in the index this machine uses; nothing is installed.
Requirements are a stranger's: only those of a name and versions are looked up, as wheels alone. pip
would build what a requirement names by URL or path, and take a line that begins with a dash for an
option of its own. It evaluates environment markers for this machine's Python.
"""

import platform
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from onegig.model.measured import Unknown
from onegig.package_names import is_development_name, normalize_name
from onegig.process import CommandError, run

BUILD_TOOLS = ("pip", "setuptools", "wheel")  # also needed at run time now and then: pkg_resources
MUSL = ("musllinux_1_1", "musllinux_1_2")
GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
TIMEOUT_SECONDS = 120.0
_NAME = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?=$|[=<>!~;@,\s(])")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")
_DEVELOPMENT_FILE = re.compile(
    r"(?:.*[/._-])?(?:dev|develop|development|test|tests|testing|lint|docs?|ci)(?:[/._-].*)?",
    re.IGNORECASE,
)
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]*(?P<path>\S+)")
_NO_WHEEL = re.compile(r"No matching distribution found for ([\w.-]+)")
_HASH = re.compile(r"\s--hash[= ]\S+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One requirement. `name` is as PyPI compares it; "" for a path or an option."""

    name: str
    text: str  # on one line, without its comment
    via: tuple[str, ...] = ()  # what needs it, where a resolver wrote that

    @property
    def is_development(self) -> bool:
        """Return whether its name is that of a development tool."""
        return self.name not in BUILD_TOOLS and is_development_name("pip", self.name)

    @property
    def includes(self) -> str:
        """Return the path of the requirements file that it includes; "" for any other."""
        match = _INCLUDE.fullmatch(self.text)
        return match["path"] if match else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheels:
    """Requirements without a wheel for musl, by name."""

    glibc_only: tuple[str, ...] = ()  # there is a wheel for glibc
    source_only: tuple[str, ...] = ()  # there is no wheel at all: compiled everywhere
    not_asked: tuple[str, ...] = ()  # as written: a URL, a path, an option


def read_requirements(text: str) -> tuple[Requirement, ...]:
    """Return the requirements of a file, in its order."""
    requirements: list[Requirement] = []
    vias: list[str] | None = None  # None: no comment "via" since the last requirement
    for line in re.sub(r"\\[ \t\r]*(?:\n|\Z)", " ", text).splitlines():
        bare, *rest = re.split(r"(?:^|\s)#", line, maxsplit=1)
        comment = "".join(rest).strip()
        if bare.strip():
            requirements.append(parse_requirement(" ".join(bare.split())))
            vias = None
        if comment.startswith("via"):
            vias = [*(vias or ()), comment[3:]]
        elif vias is not None and comment:
            vias.append(comment)
        if requirements and vias:
            named = tuple(normalize_name(via.strip()) for via in vias if via.strip())
            requirements[-1] = replace(requirements[-1], via=named)
    return tuple(requirements)


def parse_requirement(text: str) -> Requirement:
    """Parse one requirement as pip takes it."""
    egg = _EGG.search(text)
    match = egg or (None if text.startswith(("-", ".", "/")) else _NAME.match(text))
    return Requirement(name=normalize_name(match[1]) if match else "", text=text)


def development_names(requirements: Sequence[Requirement]) -> frozenset[str]:
    """Return the names of development tools and of their own dependencies."""
    names = {item.name for item in requirements if item.is_development}
    while more := {
        item.name
        for item in requirements
        if item.name not in (*names, *BUILD_TOOLS) and item.via and names.issuperset(item.via)
    }:
        names |= more
    return frozenset(names)


def is_development_file(path: str) -> bool:
    """Return whether a file's name says that its requirements are for development."""
    return bool(_DEVELOPMENT_FILE.fullmatch(path.rpartition("/")[2].rpartition(".")[0]))


def check_wheels(requirements: Sequence[str], python: str, directory: Path) -> Wheels | Unknown:
    """Find the requirements, direct and indirect, that have no wheel for musl.

    `python` is a version such as "3.13", `directory` an empty folder. Unknown if pip or its
    index does not answer.
    """
    plain = {text: _plain(text) for text in requirements}
    names = list(filter(None, plain.values()))
    try:
        missing = _without_wheels(names, python, directory) if names else ()
        nowhere = {name for name in missing if not _has_wheel(name, GLIBC, python, directory)}
    except CommandError as error:
        *_, last = [error.message, *error.output.strip().splitlines()]
        return Unknown(reason=f"pip failed: {last}")
    return Wheels(
        glibc_only=tuple(name for name in missing if name not in nowhere),
        source_only=tuple(name for name in missing if name in nowhere),
        not_asked=tuple(text for text, name in plain.items() if not name),
    )


def _plain(text: str) -> str:
    """Return a requirement of a name and versions as pip takes it; "" for any other.

    `===` takes any text, and pip takes one with a slash for a path.
    """
    from packaging.requirements import InvalidRequirement  # not installed where reports are judged
    from packaging.requirements import Requirement as Parsed

    try:
        parsed = Parsed(_HASH.sub("", text))
    except InvalidRequirement:
        return ""
    exact = any(specifier.operator == "===" for specifier in parsed.specifier)
    return "" if parsed.url is not None or exact else str(parsed)


def _without_wheels(names: list[str], python: str, directory: Path) -> tuple[str, ...]:
    """Return those without a wheel for musl; tried one by one when pip can't have them together."""
    try:
        _look_up(names, MUSL, python, directory)
    except CommandError as error:
        refused = _NO_WHEEL.findall(error.output)
        if not refused:
            raise
        with ThreadPoolExecutor(max_workers=4) as pool:
            answers = pool.map(lambda name: _has_wheel(name, MUSL, python, directory), names)
        missing = [name for name, has_wheel in zip(names, answers, strict=True) if not has_wheel]
        bare = [re.split(r"[\[\s=<>!~;@,(]", name)[0] for name in missing]
        return tuple(dict.fromkeys(bare or refused))
    return ()


def _has_wheel(name: str, platforms: Sequence[str], python: str, directory: Path) -> bool:
    try:
        _look_up([name], platforms, python, directory, "--no-deps")
    except CommandError as error:
        if _NO_WHEEL.search(error.output):
            return False
        raise
    return True


def _look_up(
    names: Sequence[str], platforms: Sequence[str], python: str, directory: Path, *options: str
) -> None:
    """Raise CommandError if pip finds no wheels; its own settings name the index."""
    machine = platform.machine()
    run(
        [
            *(sys.executable, "-P", "-m", "pip", "install", "--dry-run", "--ignore-installed"),
            *("--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"),
            *(f"--platform={name}_{machine}" for name in platforms),
            *("--implementation=cp", f"--python-version={python}"),
            *(f"--target={directory / 'nothing'}", *options, "--", *names),
        ],
        cwd=directory,
        timeout_seconds=TIMEOUT_SECONDS,
    )
