"""Actions that a checkout brings itself: what is inside them is held to GitHub's rules, too."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from onegig.errors import ConfigError
from onegig.github.doctor.workflow import Workflow, parse_action

FILES = ("action.yml", "action.yaml")
MOST_BYTES = 1_000_000
OWN, HERE = "$/", "./"  # of the workflow's repository; of whatever a step has checked out


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalAction:
    """One of them, as it is used. `problem` says why it can't be read, "" where it can."""

    uses: str  # "$/.github/actions/builder"
    inside: tuple[str, ...] = ()  # what its steps use, as written
    problem: str = ""

    @property
    def folder(self) -> str:
        """Where it is, from the root of the repository: ".github/actions/builder"."""
        return posixpath.normpath(self.uses[len(HERE) :])


def read_actions(root: Path, workflow: Workflow) -> tuple[LocalAction, ...]:
    """Those that a workflow uses, and those inside of them, each once."""
    found: dict[str, LocalAction] = {}
    waiting = list(_local(workflow.uses))
    while waiting:
        uses = waiting.pop(0)
        if uses not in found:
            found[uses] = _read(root, uses)
            waiting += _local(found[uses].inside)
    return tuple(found.values())


def _local(uses: Iterable[str]) -> Iterator[str]:
    return (one for one in uses if one.startswith((OWN, HERE)))


def _read(root: Path, uses: str) -> LocalAction:
    folder = LocalAction(uses=uses).folder
    texts = {} if folder.startswith((posixpath.pardir, "/")) else _texts(root, folder)
    for path, text in texts.items():
        try:
            return LocalAction(uses=uses, inside=parse_action(path, text))
        except ConfigError as error:
            return LocalAction(uses=uses, problem=error.detail or error.message)
    return LocalAction(uses=uses, problem=f"there is no {posixpath.join(folder, FILES[0])} here")


def _texts(root: Path, folder: str) -> Mapping[str, bytes]:
    paths = [path for path in (root / folder / name for name in FILES) if path.is_file()]
    return {path.relative_to(root).as_posix(): _text(path) for path in paths}


def _text(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)
