"""What the commands of a RUN install, by which package manager: apk, apt, pip. Pure.

A script of the shell is read as far as package managers go, its commands parted at && || ; | and
line ends.
"""

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

_PARTS = re.compile(r"&&|\|\||[;|\n]|(?<!\S)(?:then|do|else|if|\{|\()(?!\S)")
_COMPOUND = re.compile(r"(?:if|for|while|until|case|\{|\()(?:\s|$)|[^'\"]*\|\|")
_PREFIX = re.compile(r"(?:[A-Za-z_]\w*=\S*|set|exec|sudo|env|time|command|!)")
_SYSTEM = {"apt-get": "dpkg", "apt": "dpkg", "aptitude": "dpkg", "apk": "apk"}
_PIP_VALUES = frozenset(
    (
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-i",
        "--index-url",
        "-t",
        "--target",
        "--extra-index-url",
        "-f",
        "--find-links",
        "--prefix",
        "--root",
        "--platform",
        "--python",
        "--python-version",
        "--progress-bar",
        "--trusted-host",
        "-e",
        "--editable",
        "--no-binary",
        "--only-binary",
        "--timeout",
        "--retries",
        "--cache-dir",
        "--src",
    )
)
_APK_VALUES = frozenset(("-t", "--virtual", "-X", "--repository", "--repositories-file"))
_APT_VALUES = frozenset(("-t", "--target-release", "-o", "--option", "-c"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Install:
    """One command that installs, or (`removes`) takes away again."""

    kind: str  # "apk", "dpkg", "pip"
    names: tuple[str, ...]  # as written: "redis==5.2", "libpq-dev", "."
    files: tuple[str, ...] = ()  # requirements files
    virtual: str = ""  # apk's name for what goes together
    removes: bool = False
    words: tuple[str, ...] = ()  # the whole command


def commands(script: str) -> Iterator[tuple[str, ...]]:
    """The commands of a shell script, without assignments and the like before them."""
    for part in _PARTS.split(script):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        while words and _PREFIX.fullmatch(words[0]):
            words = words[1:] if words[0] != "set" else []
        if words:
            yield tuple(words)


def installs(script: str) -> Iterator[Install]:
    """What the script installs and removes, in its order."""
    for words in commands(script):
        program = words[0].rpartition("/")[2]
        if program in _SYSTEM:
            yield from _system(_SYSTEM[program], words)
        elif pip := pip_arguments(words):
            yield from _pip(pip, words)


def pip_arguments(words: Sequence[str]) -> tuple[str, ...]:
    """What follows `pip` in its command, however it is called; () for another command."""
    program = words[0].rpartition("/")[2]
    if re.fullmatch(r"pip[\d.]*", program):
        return tuple(words[1:])
    if re.fullmatch(r"python[\d.]*", program) and list(words[1:3]) == ["-m", "pip"]:
        return tuple(words[3:])
    if program == "uv" and list(words[1:2]) == ["pip"]:
        return tuple(words[2:])
    return ()


def kept(script: str) -> tuple[Install, ...]:
    """What is still installed at the script's end."""
    found: list[Install] = []
    for one in installs(script):
        if not one.removes:
            found.append(one)
            continue
        gone = set(one.names)
        left = [other for other in found if not (other.virtual and other.virtual in gone)]
        found = [
            Install(
                kind=other.kind,
                names=tuple(name for name in other.names if name not in gone),
                files=other.files,
                virtual=other.virtual,
                words=other.words,
            )
            if other.kind == one.kind
            else other
            for other in left
        ]
    return tuple(found)


def _system(kind: str, words: Sequence[str]) -> Iterator[Install]:
    values = _APK_VALUES if kind == "apk" else _APT_VALUES
    options, names = _parted(words[1:], values)
    verb, *packages = [*names, ""]
    packages = [re.split(r"[=<>~]", name)[0] for name in packages if name]
    virtual = next((value for key, value in options if key in ("-t", "--virtual")), "")
    if verb in ("install", "add"):
        yield Install(
            kind=kind,
            names=tuple(packages),
            virtual=virtual if kind == "apk" else "",
            words=tuple(words),
        )
    elif verb in ("purge", "remove", "del", "autoremove"):
        yield Install(kind=kind, names=tuple(packages), removes=True, words=tuple(words))


def _pip(arguments: Sequence[str], words: Sequence[str]) -> Iterator[Install]:
    options, names = _parted(arguments, _PIP_VALUES)
    if not names or names[0] not in ("install", "uninstall"):
        return
    files = tuple(value for key, value in options if key in ("-r", "--requirement"))
    editable = tuple(value for key, value in options if key in ("-e", "--editable"))
    yield Install(
        kind="pip",
        names=(*names[1:], *editable),
        files=files,
        removes=names[0] == "uninstall",
        words=tuple(words),
    )


def _parted(
    words: Sequence[str], with_value: Collection[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Options with their values, and the words that are neither."""
    options, names = [], []
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        key, given, value = word.partition("=")
        if not given and key in with_value:
            value = next(waiting, "")
        elif re.fullmatch(r"-[retci]\S+", key) and key[:2] in with_value:
            key, value = key[:2], key[2:]
        options.append((key, value))
    return options, names


def parts(script: str) -> tuple[str, ...]:
    """The commands of a script as they are written; the whole where they depend on one another."""
    found, part, quote = [], "", ""
    position = 0
    while position < len(script):
        character = script[position]
        if character == "\\":
            part += script[position : position + 2]
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif script.startswith("&&", position) or character in ";\n":
            found.append(part)
            part = ""
            position += 2 if character == "&" else 1
            continue
        part += character
        position += 1
    whole = [text.strip() for text in (*found, part) if text.strip()]
    if any(_COMPOUND.match(text) for text in whole):
        return (script.strip(),)
    return tuple(whole)
