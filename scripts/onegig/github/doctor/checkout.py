"""Read what `onegig doctor` needs of the checkout: workflows, their actions, and budgets.

Workflow files are read as data, as far as the gate depends on them, and never run.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegig.config.budgets import load_budgets
from onegig.config.document import parse_document
from onegig.errors import ConfigError
from onegig.files import read_bytes

LEVELS = ("none", "read", "write")
ALL = "*"  # in permissions: those that are not named
CHECK, COMMENT, PUBLISH = "check", "comment", "publish"  # the action's `command:`, and our own
OF_BUILDER = ("actions/github-script", "docker/setup-buildx-action")  # used by onegig's builder
_IN_SCRIPTS = {
    CHECK: r"(scripts/check|\bonegig check)\b.*--github",
    COMMENT: r"\bonegig comment\b",
    PUBLISH: r"\bonegig publish\b",
}
_ACTION = re.compile(r"\./|\$/|[\w-]+/onegig@.+", re.IGNORECASE)  # of any account
_BUILDER = re.compile(r"[\w-]+/onegig/\.github/actions/builder@.+", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"OWNER/onegig[/@].*|[\w-]+/onegig(/.*)?@0{40}")

Permissions = Mapping[str, str]
Step = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One job. `permissions` are its own, or the workflow's; None: the repository's default."""

    id: str
    name: str
    permissions: Permissions | None
    needs: tuple[str, ...]
    condition: str
    has_matrix: bool
    steps: tuple[Step, ...]

    @property
    def runs_after_failures(self) -> bool:
        """Return whether it runs when a job that it needs has failed."""
        return not self.needs or runs_anyway(self.condition)

    @property
    def check_names(self) -> tuple[str, ...]:
        """Return the names that its check may have; of an expression the texts in it."""
        return tuple(re.findall(r"'([^']*)'", self.name)) if "${{" in self.name else (self.name,)

    def level(self, permission: str, default: str = "none") -> str:
        """Return the permission of its token: "none", "read" or "write"."""
        if self.permissions is None:
            return default
        level = self.permissions.get(permission, self.permissions.get(ALL, ""))
        return level if level in LEVELS else "none"

    def steps_using(self, action: str) -> tuple[Step, ...]:
        """Return the steps that use any version of an action."""
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
    jobs: tuple[Job, ...]

    @property
    def uses(self) -> tuple[str, ...]:
        """Return the actions that its steps use, as written, in order and each once."""
        return _uses(step for job in self.jobs for step in job.steps)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Return its uses of onegig whose account or commit is still a placeholder."""
        return tuple(use for use in sorted(self.uses) if _PLACEHOLDER.fullmatch(use))

    def job_running(self, command: str, fallback: str = "") -> Job | None:
        """Return the job that runs one of onegig's commands, or the one of that id."""
        runs = (job for job in self.jobs if any(_runs(step, command) for step in job.steps))
        named = (job for job in self.jobs if job.id == fallback)
        return next(runs, None) or next(named, None)


def inputs(step: Step) -> Mapping[str, Any]:
    """Return the inputs that a step passes to its action."""
    return _mapping(step.get("with"))


def is_remote(uses: str) -> bool:
    """Return whether an action is another repository's: "owner/name/path@ref"."""
    return bool(re.match(r"[\w-]+/.*@", uses))


def inside_builder(uses: str) -> tuple[str, ...]:
    """Return the actions inside of onegig's builder, by name: their commits depend on onegig's."""
    return OF_BUILDER if _BUILDER.fullmatch(uses) else ()


def runs_anyway(condition: str) -> bool:
    """Return whether an `if:` is also true after failures."""
    return bool(re.search(r"!\s*cancelled\(\)|always\(\)", condition))


def texts(value: Any) -> tuple[str, ...]:
    """Return one text or a list of them as a tuple; GitHub accepts either."""
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def parse_workflow(path: str, text: bytes) -> Workflow:
    """Parse a workflow file. Raises ConfigError."""
    value = _document(path, text)
    events = value.get("on")
    triggers = _mapping(events) or dict.fromkeys(texts(events))
    outer = value.get("permissions")
    jobs = {str(name): _mapping(job) for name, job in _mapping(value.get("jobs")).items()}
    return Workflow(
        path=path,
        name=str(value.get("name") or path),
        run_name=str(value.get("run-name") or ""),
        triggers={str(name): _mapping(filters) for name, filters in triggers.items()},
        jobs=tuple(
            Job(
                id=name,
                name=str(job.get("name") or name),
                permissions=_permissions(job.get("permissions", outer)),
                needs=texts(job.get("needs")),
                condition=str(job.get("if", "")),
                has_matrix="matrix" in _mapping(job.get("strategy")),
                steps=_steps(job),
            )
            for name, job in jobs.items()
        ),
    )


def parse_action(path: str, text: bytes) -> tuple[str, ...]:
    """Return the actions that the steps of an action use. Raises ConfigError."""
    runs = _mapping(_document(path, text).get("runs"))
    if "using" not in runs:
        raise ConfigError(f"{path} is not an action: it has no runs.using", advice="fix the file")
    return _uses(_steps(runs))


def _document(path: str, text: bytes) -> Mapping[str, Any]:
    document = parse_document(path, text)
    for problem in document.problems:
        raise ConfigError(f"{path}:{problem.line}: {problem.message}", advice="fix the file")
    return document.value


def _runs(step: Step, command: str) -> bool:
    if _ACTION.fullmatch(str(step.get("uses", ""))):
        return bool(inputs(step).get("command", CHECK) == command)
    return bool(re.search(_IN_SCRIPTS[command], str(step.get("run", ""))))


def _uses(steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(step["uses"]) for step in steps if "uses" in step))


def _steps(parent: Mapping[str, Any]) -> tuple[Step, ...]:
    steps = parent.get("steps")
    return tuple(map(_mapping, steps)) if isinstance(steps, list) else ()


def _permissions(value: Any) -> Permissions | None:
    if isinstance(value, str):
        return {ALL: value.removesuffix("-all")}
    if isinstance(value, Mapping):
        return {str(name): str(level) for name, level in value.items()}
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


WORKFLOWS = ".github/workflows"
ACTION_FILES = ("action.yml", "action.yaml")
OWN, HERE = "$/", "./"  # in `uses:`: of the workflow's repository; of what a step has checked out
_REMOTE = re.compile(
    r"(?:https://(?:[^@/]+@)?github\.com/|(?:ssh://)?git@github\.com[:/])([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalAction:
    """An action of the checkout, as it is used. `problem` says why it can't be read, or is ""."""

    uses: str  # "$/.github/actions/builder"
    inside: tuple[str, ...] = ()  # what its steps use, as written
    problem: str = ""

    @property
    def folder(self) -> str:
        """Return its folder from the root of the repository: ".github/actions/builder"."""
        return posixpath.normpath(self.uses[len(HERE) :])


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """`gate` and `comment` are paths; `problems` are of files that are not valid workflows.

    `actions` are the checkout's own that each workflow uses.
    """

    gate: str
    comment: str
    workflows: Mapping[str, Workflow]
    texts: Mapping[str, str]
    problems: Mapping[str, str]
    actions: Mapping[str, tuple[LocalAction, ...]]
    budgets: str
    budgets_problem: ConfigError | None

    def remote_actions(self) -> Mapping[str, str]:
        """Return all actions that gate and comment run, and the action each is inside of, or ""."""
        actions: dict[str, str] = {}
        for path in (self.gate, self.comment):
            if path in self.workflows:
                actions |= dict.fromkeys(filter(is_remote, sorted(self.workflows[path].uses)), "")
                for action in self.actions[path]:
                    for uses in filter(is_remote, action.inside):
                        actions.setdefault(uses, action.folder)
        return actions


def read_checkout(root: Path, gate: str, comment: str, budgets: str) -> Checkout:
    """Read everything below `root`; missing and broken files are part of the result."""
    files = sorted((root / WORKFLOWS).glob("*.y*ml"))
    contents = {path.relative_to(root).as_posix(): _read(path) for path in files if path.is_file()}
    workflows: dict[str, Workflow] = {}
    problems: dict[str, str] = {}
    for path, text in contents.items():
        try:
            workflows[path] = parse_workflow(path, text)
        except ConfigError as error:
            problems[path] = error.detail or error.message
    budgets_problem = None
    try:
        load_budgets(root / budgets)
    except ConfigError as error:
        budgets_problem = error
    return Checkout(
        gate=gate,
        comment=comment,
        workflows=workflows,
        texts={path: text.decode(errors="replace") for path, text in contents.items()},
        problems=problems,
        actions={path: _read_actions(root, workflow) for path, workflow in workflows.items()},
        budgets=budgets,
        budgets_problem=budgets_problem,
    )


def repository_of(remote: str) -> str:
    """Return a remote's owner/name at github.com; "" for any other host."""
    match = _REMOTE.fullmatch(remote.strip())
    return match[1] if match else ""


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError:
        return b""


def _read_actions(root: Path, workflow: Workflow) -> tuple[LocalAction, ...]:
    """Return the checkout's actions that a workflow uses, and those inside of them, each once."""
    actions: dict[str, LocalAction] = {}
    waiting = list(_local(workflow.uses))
    while waiting:
        uses = waiting.pop(0)
        if uses not in actions:
            actions[uses] = _read_action(root, uses)
            waiting += _local(actions[uses].inside)
    return tuple(actions.values())


def _local(uses: Iterable[str]) -> Iterator[str]:
    return (use for use in uses if use.startswith((OWN, HERE)))


def _read_action(root: Path, uses: str) -> LocalAction:
    folder = LocalAction(uses=uses).folder
    is_inside = not folder.startswith((posixpath.pardir, "/"))
    for path in (posixpath.join(folder, name) for name in ACTION_FILES if is_inside):
        if (root / path).is_file():
            try:
                return LocalAction(uses=uses, inside=parse_action(path, _read(root / path)))
            except ConfigError as error:
                return LocalAction(uses=uses, problem=error.detail or error.message)
    missing = posixpath.join(folder, ACTION_FILES[0])
    return LocalAction(uses=uses, problem=f"there is no {missing} here")
