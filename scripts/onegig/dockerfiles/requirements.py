"""What a requirements file or a `pip install` names, and which of it is for development.

Development dependencies are known by name (images/packages/package.py), by the file they stand in
(requirements-dev.txt) or, in a file that a resolver wrote, because only such packages need them
("# via pytest").
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onegig.images.packages.package import is_development_name

BUILD_TOOLS = ("pip", "setuptools", "wheel")  # also needed at run time now and then: pkg_resources
_NAME = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?=$|[=<>!~;@,\s(])")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")
_DEVELOPMENT_FILE = re.compile(
    r"(?:.*[/._-])?(?:dev|develop|development|test|tests|testing|lint|docs?|ci)(?:[/._-].*)?",
    re.IGNORECASE,
)
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]*(?P<path>\S+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One requirement. `name` is in small letters with dashes; "" for a path or an option."""

    name: str
    text: str  # on one line, without its comment
    line: int  # from 1
    via: tuple[str, ...] = ()  # what needs it, where a resolver said so

    @property
    def is_development(self) -> bool:
        """Whether it is one by its name."""
        return self.name not in BUILD_TOOLS and is_development_name("pip", self.name)

    @property
    def includes(self) -> str:
        """The other requirements file that it stands for."""
        match = _INCLUDE.fullmatch(self.text)
        return match["path"] if match else ""


def read_requirements(text: str) -> tuple[Requirement, ...]:
    """What a requirements file names, in its order."""
    found: list[Requirement] = []
    vias: list[str] = []
    for number, line in _logical_lines(text):
        bare, comment = _split_comment(line)
        if bare:
            found = _with_via(found, vias)
            vias = []
            found.append(parse_requirement(bare, number))
        vias += _via(comment, bool(vias))
    return tuple(_with_via(found, vias))


def parse_requirement(text: str, line: int = 0) -> Requirement:
    """One requirement as pip takes it."""
    egg = _EGG.search(text)
    match = egg or (None if text.startswith(("-", ".", "/")) else _NAME.match(text))
    name = re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""
    return Requirement(name=name, text=text, line=line)


def development_names(requirements: Sequence[Requirement]) -> frozenset[str]:
    """Those for development, and those that only such ones brought along."""
    found = {one.name for one in requirements if one.is_development}
    while more := {
        one.name
        for one in requirements
        if one.name not in (*found, *BUILD_TOOLS) and one.via and found.issuperset(one.via)
    }:
        found |= more
    return frozenset(found)


def is_development_file(path: str) -> bool:
    """Whether a file's name says that its requirements are for development."""
    return bool(_DEVELOPMENT_FILE.fullmatch(path.rpartition("/")[2].rpartition(".")[0]))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    start, whole = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        start = start if whole else number
        whole += line.strip().removesuffix("\\") + " "
        if not line.rstrip().endswith("\\"):
            yield start, whole.strip()
            whole = ""
    if whole.strip():
        yield start, whole.strip()


def _split_comment(line: str) -> tuple[str, str]:
    bare, mark, comment = re.sub(r"(?:^|\s)#", " \0", line, count=1).partition("\0")
    return bare.strip(), comment.strip() if mark else ""


def _via(comment: str, continued: bool) -> list[str]:  # noqa: FBT001 - one of a pair
    """What "via pytest" names, or a line that goes on from it; a file as "-r x"."""
    if comment.startswith("via"):
        return [" " if comment == "via" else _via_name(comment[3:])]
    return [_via_name(comment)] if continued and comment else []


def _via_name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text.strip()).lower()


def _with_via(found: list[Requirement], vias: list[str]) -> list[Requirement]:
    named = tuple(via for via in vias if via.strip())
    if not found or not named:
        return found
    last = found[-1]
    return [*found[:-1], Requirement(name=last.name, text=last.text, line=last.line, via=named)]
