"""What `onegig doctor` reads of the checkout: workflows, budgets, and where it comes from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onegig.config.budgets import load_budgets
from onegig.errors import ConfigError
from onegig.github.doctor.local import LocalAction, read_actions
from onegig.github.doctor.workflow import Workflow, parse_workflow

WORKFLOWS = ".github/workflows"
MOST_BYTES = 1_000_000
_REMOTE = re.compile(
    r"(?:https://(?:[^@/]+@)?github\.com/|(?:ssh://)?git@github\.com[:/])([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """`gate` and `comment` are paths; `problems` are of files that are no workflows.

    `actions` are those of the checkout that each workflow uses.
    """

    gate: str
    comment: str
    workflows: Mapping[str, Workflow]
    texts: Mapping[str, str]
    problems: Mapping[str, str]
    actions: Mapping[str, tuple[LocalAction, ...]]
    budgets: str
    budgets_problem: ConfigError | None


def read_checkout(root: Path, gate: str, comment: str, budgets: str) -> Checkout:
    """Everything below `root`; what is missing or broken is part of the result."""
    texts = dict(_texts(root))
    workflows: dict[str, Workflow] = {}
    problems: dict[str, str] = {}
    for path, text in texts.items():
        try:
            workflows[path] = parse_workflow(path, text)
        except ConfigError as error:
            problems[path] = error.detail or error.message
    return Checkout(
        gate=gate,
        comment=comment,
        workflows=workflows,
        texts=texts,
        problems=problems,
        actions={path: read_actions(root, workflow) for path, workflow in workflows.items()},
        budgets=budgets,
        budgets_problem=_budgets_problem(root / budgets),
    )


def repository_of(remote: str) -> str:
    """A remote's owner/name at github.com; "" for any other host."""
    found = _REMOTE.fullmatch(remote.strip())
    return found[1] if found else ""


def _texts(root: Path) -> list[tuple[str, str]]:
    found = sorted((root / WORKFLOWS).glob("*.y*ml"))
    return [(path.relative_to(root).as_posix(), _text(path)) for path in found if path.is_file()]


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MOST_BYTES).decode("utf-8", errors="replace")


def _budgets_problem(path: Path) -> ConfigError | None:
    try:
        load_budgets(path)
    except ConfigError as error:
        return error
    return None
