"""A workflow file as far as the gate depends on it; it is read as data and never run."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onegig.config.document import parse_document
from onegig.errors import ConfigError

LEVELS = ("none", "read", "write")
ALL = "*"  # in permissions: what is not named

Permissions = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSteps:
    """One job. `permissions` are its own, or the workflow's; None: the repository's default."""

    id: str
    name: str
    permissions: Permissions | None
    needs: tuple[str, ...]
    condition: str
    has_matrix: bool
    steps: tuple[Mapping[str, Any], ...]

    @property
    def runs_after_failures(self) -> bool:
        """Whether it runs when a job that it needs has failed."""
        return not self.needs or runs_anyway(self.condition)

    def level(self, permission: str, default: str = "none") -> str:
        """What its token may do: "none", "read" or "write"."""
        if self.permissions is None:
            return default
        return self.permissions.get(permission, self.permissions.get(ALL, "none"))

    def writes(self) -> tuple[str, ...]:
        """The permissions it has to write."""
        given = self.permissions or {}
        return tuple(name for name, level in given.items() if level == "write")

    def used(self, action: str) -> tuple[Mapping[str, Any], ...]:
        """The steps that use an action, whichever version of it."""
        return tuple(
            step for step in self.steps if str(step.get("uses", "")).startswith(f"{action}@")
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """One workflow. `run_name` titles its runs, `triggers` are its events with their filters."""

    path: str
    name: str
    run_name: str
    triggers: Mapping[str, Mapping[str, Any]]
    jobs: tuple[JobSteps, ...]

    @property
    def uses(self) -> tuple[str, ...]:
        """The actions that its steps use, as written, in order and each once."""
        return _uses(step for job in self.jobs for step in job.steps)

    def actions(self) -> tuple[str, ...]:
        """Those of other repositories."""
        return tuple(sorted(filter(is_remote, self.uses)))


def inputs(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a step gives the action that it uses."""
    return _mapping(step.get("with"))


def is_remote(uses: str) -> bool:
    """Whether an action is another repository's: "owner/name/path@ref"."""
    return bool(re.match(r"[\w-]+/.*@", uses))


def names_of(job: JobSteps) -> tuple[str, ...]:
    """Return the names that a job's check may have; of an expression the texts in it."""
    return tuple(re.findall(r"'([^']*)'", job.name)) if "${{" in job.name else (job.name,)


def runs_anyway(condition: str) -> bool:
    """Whether an `if:` holds also after failures."""
    return bool(re.search(r"!\s*cancelled\(\)|always\(\)", condition))


def texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them, as GitHub takes either."""
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def parse_workflow(path: str, text: str) -> Workflow:
    """The workflow in a file's text; ConfigError where it is none."""
    value = _document(path, text.encode())
    jobs = _mapping(value.get("jobs"))
    permissions = _permissions(value.get("permissions"))
    return Workflow(
        path=path,
        name=str(value.get("name") or path),
        run_name=str(value.get("run-name") or ""),
        triggers=_triggers(value.get("on")),
        jobs=tuple(_job(name, _mapping(job), permissions) for name, job in jobs.items()),
    )


def parse_action(path: str, text: bytes) -> tuple[str, ...]:
    """What the steps of an action use, () where it has none; ConfigError where it is no action."""
    runs = _mapping(_document(path, text).get("runs"))
    if "using" not in runs:
        raise ConfigError(f"{path} is no action: it has no runs.using", advice="correct the file")
    return _uses(_steps(runs))


def _document(path: str, text: bytes) -> Mapping[str, Any]:
    document = parse_document(path, text)
    if document.problems:
        problem = document.problems[0]
        raise ConfigError(f"{path}:{problem.line}: {problem.message}", advice="correct the file")
    return document.value


def _uses(steps: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(step["uses"]) for step in steps if "uses" in step))


def _steps(parent: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    steps = parent.get("steps")
    return tuple(map(_mapping, steps)) if isinstance(steps, list) else ()


def _job(name: str, job: Mapping[str, Any], outer: Permissions | None) -> JobSteps:
    return JobSteps(
        id=str(name),
        name=str(job.get("name") or name),
        permissions=_permissions(job["permissions"]) if "permissions" in job else outer,
        needs=texts(job.get("needs")),
        condition=str(job.get("if", "")),
        has_matrix="matrix" in _mapping(job.get("strategy")),
        steps=_steps(job),
    )


def _permissions(value: Any) -> Permissions | None:
    if isinstance(value, str):
        return {ALL: value.removesuffix("-all")}
    if isinstance(value, Mapping):
        return {str(name): str(level) for name, level in value.items()}
    return None


def _triggers(value: Any) -> Mapping[str, Mapping[str, Any]]:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, list):
        return {str(name): {} for name in value}
    return dict(_filters(_mapping(value)))


def _filters(value: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, filters in value.items():
        yield str(name), _mapping(filters)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
