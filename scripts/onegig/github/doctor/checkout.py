"""What `onegig doctor` reads of the checkout: workflows, the actions they bring, and budgets."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from onegig.config.budgets import load_budgets
from onegig.errors import ConfigError
from onegig.files import read_bytes
from onegig.github.doctor.workflow import Workflow, is_remote, parse_action, parse_workflow

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
        found: dict[str, str] = {}
        for path in (self.gate, self.comment):
            if path in self.workflows:
                found |= dict.fromkeys(self.workflows[path].remote_actions, "")
                for action in self.actions[path]:
                    for uses in filter(is_remote, action.inside):
                        found.setdefault(uses, action.folder)
        return found


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
    found: dict[str, LocalAction] = {}
    waiting = list(_local(workflow.uses))
    while waiting:
        uses = waiting.pop(0)
        if uses not in found:
            found[uses] = _read_action(root, uses)
            waiting += _local(found[uses].inside)
    return tuple(found.values())


def _local(uses: Iterable[str]) -> Iterator[str]:
    return (one for one in uses if one.startswith((OWN, HERE)))


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
