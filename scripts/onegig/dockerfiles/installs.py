"""Packages that the commands of a RUN install, by package manager: apk, apt, pip. Pure.

A shell script is read only for its package managers; its commands end at && || ; | and line ends.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

_SEPARATORS = re.compile(r"&&|\|\||[;|\n]|(?<!\S)(?:then|do|else|if|\{|\()(?!\S)")
_COMPOUND = re.compile(r"(?:if|for|while|until|case|\{|\()(?:\s|$)|[^'\"]*\|\|")
_TOKENS = re.compile(
    r"""\\.?|"(?:\\.?|[^"\\])*(?:"|\Z)|'(?:\\.?|[^'\\])*(?:'|\Z)|&&|.""", re.DOTALL
)
_PREFIX = re.compile(r"(?:[A-Za-z_]\w*=\S*|set|exec|sudo|env|time|command|!)")
_SYSTEM = {"apt-get": "dpkg", "apt": "dpkg", "aptitude": "dpkg", "apk": "apk"}
_WITH_VALUE = {  # options that another word follows
    "pip": re.compile(
        r"-[rcitfe]|--(?:requirement|constraint|index-url|target|extra-index-url|find-links|prefix"
        r"|root|platform|python|python-version|progress-bar|trusted-host|editable|no-binary"
        r"|only-binary|timeout|retries|cache-dir|src)"
    ),
    "apk": re.compile(r"-[tX]|--(?:virtual|repository|repositories-file)"),
    "dpkg": re.compile(r"-[toc]|--(?:target-release|option)"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Install:
    """One command that installs packages, or (`removes`) removes them again."""

    kind: str  # "apk", "dpkg", "pip"
    names: tuple[str, ...]  # as written: "redis==5.2", "libpq-dev", "."
    files: tuple[str, ...] = ()  # requirements files
    virtual: str = ""  # apk's name for packages that belong together
    removes: bool = False
    words: tuple[str, ...] = ()  # the whole command


def commands(script: str) -> Iterator[tuple[str, ...]]:
    """Yield the commands of a shell script, without assignments and the like before them."""
    for part in _SEPARATORS.split(script):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        while words and _PREFIX.fullmatch(words[0]):
            words = words[1:] if words[0] != "set" else []
        if words:
            yield tuple(words)


def installs(script: str) -> Iterator[Install]:
    """Yield the packages that the script installs and removes, in order."""
    for words in commands(script):
        program = words[0].rpartition("/")[2]
        if program in _SYSTEM:
            yield from _system(_SYSTEM[program], words)
        elif arguments := _pip_arguments(words):
            yield from _pip(arguments, words)


def installed(script: str) -> tuple[Install, ...]:
    """Return the packages that are installed when the script ends."""
    present: list[Install] = []
    for install in installs(script):
        if not install.removes:
            present.append(install)
            continue
        removed = set(install.names)
        present = [
            replace(earlier, names=tuple(name for name in earlier.names if name not in removed))
            if earlier.kind == install.kind
            else earlier
            for earlier in present
            if not (earlier.virtual and earlier.virtual in removed)
        ]
    return tuple(present)


def split_commands(script: str) -> tuple[str, ...]:
    """Split a script into its commands as written; keep it whole if they depend on another."""
    texts = [""]
    for token in _TOKENS.findall(script):
        if token in ("&&", ";", "\n"):
            texts.append("")
        else:
            texts[-1] += token
    stripped = [text.strip() for text in texts if text.strip()]
    return (script.strip(),) if any(map(_COMPOUND.match, stripped)) else tuple(stripped)


def _pip_arguments(words: Sequence[str]) -> Sequence[str]:
    """Return the arguments of `pip`, however it is called; nothing for another command."""
    program = words[0].rpartition("/")[2]
    if re.fullmatch(r"pip[\d.]*", program):
        return words[1:]
    if re.fullmatch(r"python[\d.]*", program) and tuple(words[1:3]) == ("-m", "pip"):
        return words[3:]
    return words[2:] if program == "uv" and tuple(words[1:2]) == ("pip",) else ()


def _system(kind: str, words: tuple[str, ...]) -> Iterator[Install]:
    options, names = _split_options(words[1:], _WITH_VALUE[kind])
    verb, *packages = [*names, ""]
    removes = verb in ("purge", "remove", "del", "autoremove")
    if not removes and verb not in ("install", "add"):
        return
    virtual = next((value for key, value in options if key in ("-t", "--virtual")), "")
    yield Install(
        kind=kind,
        names=tuple(re.split(r"[=<>~]", name)[0] for name in packages if name),
        virtual=virtual if kind == "apk" and not removes else "",
        removes=removes,
        words=words,
    )


def _pip(arguments: Sequence[str], words: tuple[str, ...]) -> Iterator[Install]:
    options, names = _split_options(arguments, _WITH_VALUE["pip"])
    if not names or names[0] not in ("install", "uninstall"):
        return
    editable = [value for key, value in options if key in ("-e", "--editable")]
    yield Install(
        kind="pip",
        names=(*names[1:], *editable),
        files=tuple(value for key, value in options if key in ("-r", "--requirement")),
        removes=names[0] == "uninstall",
        words=words,
    )


def _split_options(
    words: Sequence[str], with_value: re.Pattern[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Split into options with their values, and the words that are neither."""
    options, names = [], []
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        key, equals, value = word.partition("=")
        if not equals and with_value.fullmatch(key):
            value = next(waiting, "")
        elif re.fullmatch(r"-[retci]\S+", key) and with_value.fullmatch(key[:2]):
            key, value = key[:2], key[2:]
        options.append((key, value))
    return options, names
