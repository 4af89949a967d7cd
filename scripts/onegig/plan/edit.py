"""Changes to the user's files as unified diffs, and one compose override of several changes."""

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from onegig.model.measured import Missing
from onegig.model.plan import Action, Change, ChangeKind
from onegig.plan.case import Case
from onegig.plan.compose_edit import dump, edit_budgets, edit_compose

OVERRIDE = "compose.override.yml"  # read beside the default file without being named
OWN_FILE = "compose.plan.yml"  # where there is an override already, or files are named
UP = "docker compose up -d\n"
NO_NEWLINE = "\\ No newline at end of file"
DEFAULT_FILES = {"compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml"}


def change_budgets(case: Case, values: Mapping[str, Any]) -> Change | None:
    """Return the diff of budgets.yml that sets these values; None where there is none."""
    path = case.budgets.path
    before = case.files.get(path, "")
    after = edit_budgets(before, values)
    return _diff(path, before, after) if after and after != before else None


def unified(path: str, before: str, after: str) -> str:
    """Return a unified diff that `git apply` and `patch -p1` take; a file may be new."""
    old, new = (re.findall(r".*\n|.+$", text) for text in (before, after))
    source = f"a/{path}" if before else "/dev/null"
    lines = difflib.unified_diff(old, new, source, f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}\n" for line in lines)


def merge_changes(case: Case, actions: Sequence[Action]) -> tuple[Change, ...]:
    """Return the changes of several actions together: one diff for compose, then all others."""
    override = merged_override(actions)
    changes, own = _compose_changes(case, override) if override else ((), "")
    others = [
        change
        for action in actions
        for change in action.changes
        if change.kind is not ChangeKind.COMPOSE
    ]
    return (*changes, *_commands(case, own, dict.fromkeys(others)))


def _compose_changes(case: Case, override: Mapping[str, Any]) -> tuple[tuple[Change, ...], str]:
    """Return the diff of the compose file, else of an override, which is named if it has to be."""
    files = _files(case)
    before = case.files.get(files[0], "") if len(files) == 1 else ""
    if after := edit_compose(before, override) if before else None:
        return (_diff(files[0], before, after),), ""
    folder = PurePosixPath(files[-1]).parent if files else PurePosixPath()
    is_found = _is_found(case)
    path = str(folder / OVERRIDE) if is_found else _own_file(folder, files)
    change = _diff(path, case.files.get(path, ""), override_text(override))
    # it may be there already
    return (change,) if change.text else (), "" if is_found else path


def _commands(case: Case, own: str, changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the changes with compose's commands for the project's files and the plan's own one.

    The stack is started once, by the action that says how if there is one.
    """
    compose = _compose_command(case, own)
    starts = [change for change in changes if "docker compose " in change.text]
    if own and not starts:
        text = f"{compose} up -d --remove-orphans\n"
        yield Change(kind=ChangeKind.COMMANDS, text=text)
    for change in changes:
        text = change.text.replace(UP, "") if change in starts[:-1] else change.text
        yield replace(change, text=text.replace("docker compose ", f"{compose} "))


def _compose_command(case: Case, own: str) -> str:
    """Return the command that reads the project's files, the plan's own one and its profiles."""
    files = () if _is_found(case) else (*_files(case), *filter(None, (own,)))
    words = [word for name in files for word in ("-f", name)]
    words += [f"--profile={name}" for name in case.budgets.profiles]
    return shlex.join(("docker", "compose", *words))


def _files(case: Case) -> tuple[str, ...]:
    """Return the compose files of the project, the last one read last."""
    return case.budgets.compose_files if isinstance(case.stack, Missing) else case.stack.files


def _is_found(case: Case) -> bool:
    """Return whether compose takes the project's files, and an override, without being told."""
    names = {PurePosixPath(path).name for path in _files(case)}
    return not case.budgets.compose_files and names <= DEFAULT_FILES


def _own_file(folder: PurePosixPath, files: Sequence[str]) -> str:
    """Return a file that the project does not have yet: it may have the last plan's."""
    names = (OWN_FILE, *(f"compose.plan{number}.yml" for number in range(2, len(files) + 2)))
    return next(path for name in names if (path := str(folder / name)) not in files)


def _diff(path: str, before: str, after: str) -> Change:
    return Change(kind=ChangeKind.DIFF, path=path, text=unified(path, before, after))


def override_text(override: Mapping[str, Any]) -> str:
    """Return an override as the text of a compose file."""
    return dump(override, width=100)


def merged_override(actions: Iterable[Action]) -> dict[str, Any]:
    """Return what all compose changes of some actions merge into the project."""
    merged: dict[str, Any] = {}
    for action in actions:
        for change in action.changes:
            if change.kind is ChangeKind.COMPOSE:
                merged = merge(merged, json.loads(change.text))
    return merged


def merge(base: Any, over: Any) -> Any:
    """Return two values of a compose project merged as compose does: mappings by key, else over."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return base | {
        key: merge(base[key], value) if key in base else value for key, value in over.items()
    }
