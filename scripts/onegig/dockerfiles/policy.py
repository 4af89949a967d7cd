"""The Dockerfiles of a stack checked by hadolint and onegig's own rules."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from onegig.dockerfiles import hadolint
from onegig.dockerfiles.builds import Build, builds_of
from onegig.dockerfiles.rules import Context, check_dockerfile
from onegig.model.dockerfiles import WITH, DockerfilePolicy, Level, Remark
from onegig.model.measured import Unknown
from onegig.model.stack import Stack

_ORDER = {level: rank for rank, level in enumerate(Level)}


def check_policies(
    stack: Stack,
    linter: hadolint.Linter | Unknown | None = None,
    *,
    settings_commit: str | None = None,
) -> tuple[DockerfilePolicy, ...]:
    """Check every Dockerfile of the stack once, for all its services.

    `linter` is the hadolint to use (default: the one installed). Its configuration is that of the
    stack's folder, by default as it is there, else as `settings_commit` has it.
    """
    settings = hadolint.read_settings(Path(stack.directory), settings_commit)
    linter = hadolint.find() if linter is None else linter
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
    linter: hadolint.Linter | Unknown,
    settings: hadolint.Settings,
) -> DockerfilePolicy:
    path = builds[0].path
    remarks = [remark for build in builds for remark in _own_remarks(build)]
    version: str | Unknown
    if builds[0].file is None:
        version = Unknown(reason=f"not checked: {path} can't be read")
    elif isinstance(linter, Unknown):
        version = linter
    else:
        linted = hadolint.lint(linter, dockerfile, path=path, settings=settings)
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
