"""Which Python packages have wheels for musl, so that nothing need be compiled on Alpine.

pip itself is asked, by the index this machine uses; nothing is installed. Requirements are a
stranger's: only those of a name and versions are asked for, as wheels alone. pip would build what a
requirement names by URL or path, and take a line that begins with a dash for an option of its own.
It evaluates environment markers for this machine's Python.
"""

import platform
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from onegig.model.measured import Unknown
from onegig.process import CommandError, run

MUSL = ("musllinux_1_1", "musllinux_1_2")
GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
TIMEOUT_SECONDS = 120.0
_NO_WHEEL = re.compile(r"No matching distribution found for ([\w.-]+)")
_HASH = re.compile(r"\s--hash[= ]\S+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheels:
    """What has no wheel for musl, by name."""

    glibc_only: tuple[str, ...] = ()  # a wheel for glibc, though
    source_only: tuple[str, ...] = ()  # none at all: compiled everywhere
    not_asked: tuple[str, ...] = ()  # as written: a URL, a path, an option


def check_wheels(requirements: Sequence[str], python: str, directory: Path) -> Wheels | Unknown:
    """What of the requirements, and of what they need, has no wheel for musl.

    `python` is a version such as "3.13", `directory` an empty folder. Unknown where pip or its
    index does not answer.
    """
    plain = {text: _plain(text) for text in requirements}
    wanted = [one for one in plain.values() if one]
    not_asked = tuple(text for text, one in plain.items() if not one)
    if not wanted:
        return Wheels(not_asked=not_asked)
    try:
        missing = _without_wheels(wanted, MUSL, python, directory)
        if not missing:
            return Wheels(not_asked=not_asked)
        nowhere = {name for name in missing if not _has_wheels([name], GLIBC, python, directory)}
    except CommandError as error:
        return Unknown(reason=_reason(error))
    return Wheels(
        glibc_only=tuple(name for name in missing if name not in nowhere),
        source_only=tuple(name for name in missing if name in nowhere),
        not_asked=not_asked,
    )


def _plain(text: str) -> str:
    """Return a requirement of a name and versions as pip takes it; "" for any other.

    `===` takes any text, and pip takes one with a slash for a path.
    """
    # not where results are only judged
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(_HASH.sub("", text))
    except InvalidRequirement:
        return ""
    exact = any(one.operator == "===" for one in found.specifier)
    return "" if found.url is not None or exact else str(found)


def _without_wheels(
    wanted: list[str], platforms: Sequence[str], python: str, directory: Path
) -> tuple[str, ...]:
    """Those without a wheel; all are tried one by one when they can't be had together."""
    try:
        _ask(wanted, platforms, python, directory)
    except CommandError as error:
        named = _NO_WHEEL.findall(error.output)
        if not named:
            raise
        with ThreadPoolExecutor(max_workers=4) as pool:
            found = pool.map(lambda one: _has_wheels([one], platforms, python, directory), wanted)
        alone = [one for one, has in zip(wanted, found, strict=True) if not has]
        names = [re.split(r"[\[\s=<>!~;@,(]", one)[0] for one in alone]
        return tuple(dict.fromkeys([*names, *(named if not names else ())]))
    return ()


def _has_wheels(wanted: list[str], platforms: Sequence[str], python: str, directory: Path) -> bool:
    try:
        _ask(wanted, platforms, python, directory, "--no-deps")
    except CommandError as error:
        if _NO_WHEEL.search(error.output):
            return False
        raise
    return True


def _ask(
    wanted: Sequence[str], platforms: Sequence[str], python: str, directory: Path, *options: str
) -> None:
    """Raise CommandError where pip finds no wheels; its own settings say which index is asked."""
    machine = platform.machine()
    run(
        [
            *(sys.executable, "-P", "-m", "pip", "install", "--dry-run", "--ignore-installed"),
            *("--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"),
            *(f"--platform={name}_{machine}" for name in platforms),
            *("--implementation=cp", f"--python-version={python}"),
            *(f"--target={directory / 'nothing'}", *options, "--", *wanted),
        ],
        cwd=directory,
        timeout_seconds=TIMEOUT_SECONDS,
    )


def _reason(error: CommandError) -> str:
    *_, last = [error.message, *error.output.strip().splitlines()]
    return f"pip could not tell: {last}"
