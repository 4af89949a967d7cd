"""Find the files of a pull request that change how it is measured, by content.

That is the gate's workflow, the local actions and scripts it runs, what links among these point to,
and the commits of submodules. Lists of changed files would not do: a link stays the same while its
target changes.

The files of a repository that its gate's workflow runs: local actions and scripts.

GitHub takes the workflow from the pull request. What it starts from the same checkout decides how
is measured no less.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onegig.config.document import parse_document
from onegig.errors import ConfigError, GithubError
from onegig.github.trees import Entry, Mode, Tree, TreeError, Trees

ACTION_FILES = ("action.yml", "action.yaml")
_LOCAL = ("./", "$/")  # of what is checked out, of the workflow's own repository
_COMMANDS = re.compile(r"[\n;|&(){}`]+|\$\(")
_WORDS = re.compile(r"[^\s\"'<>]+")
_ASSIGNMENT = re.compile(r"\w+=")
_PREFIXES = ("then", "do", "else", "if", "while", "until", "!", "sudo", "exec", "time", "env")
_INTERPRETERS = re.compile(r"(ba|da|z|k)?sh|python[\d.]*|node|ruby|perl|source|\.")
_PATHS = re.compile(r"[\w.@+~-]+(?:/[\w.@+~-]+)*")
_MEASURED = re.compile(r"--(?:compose|budgets|report|output|inspected)[= ]\S+")
MOST_WORDS = 2_000
_RUNNERS = {  # which read a file that the command does not name
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "npm": ("package.json",),
    "npx": ("package.json",),
    "pnpm": ("package.json",),
    "yarn": ("package.json",),
    "rake": ("Rakefile",),
    "invoke": ("tasks.py",),
    "nox": ("noxfile.py",),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"),
}
_ACTION_PATH = re.compile(r"\$\{\{\s*github\.action_path\s*\}\}|\$\{?GITHUB_ACTION_PATH\}?")
_WORKSPACE = re.compile(r"\$\{\{\s*github\.workspace\s*\}\}|\$\{?GITHUB_WORKSPACE\}?")


def local_actions(path: str, text: str) -> tuple[str, ...]:
    """Return the local actions and workflows that a workflow or an action uses, as paths.

    An action is the path of its folder, "." where that is the root.
    """
    used = (uses for step in _steps(path, text) for uses in _texts(step, "uses"))
    found = (_inside(uses[2:]) for uses in used if uses.startswith(_LOCAL))
    return tuple(dict.fromkeys(filter(None, found)))


def scripts(path: str, text: str) -> tuple[str, ...]:
    """Return the paths of what the steps of a workflow or an action may run from the checkout.

    A script stands for its folder, as it may call its neighbours. There need not be such a file.
    Raises ConfigError where the text is not YAML.
    """
    own = posixpath.dirname(path)
    steps = list(_steps(path, text))
    folders = {"", *(folder for step in steps for folder in _texts(step, "working-directory"))}
    found: dict[str, None] = {}
    for run in (run for step in steps for run in _texts(step, "run")):
        run = _WORKSPACE.sub(".", _ACTION_PATH.sub(f"./{own}", run))
        for name in _run_files(run):
            found |= dict.fromkeys(_inside(posixpath.join(one, name)) for one in sorted(folders))
    return tuple(one for one in found if one not in ("", "."))


def words(path: str, text: str) -> tuple[str, ...]:
    """Return every word of the steps that may be a path of the checkout, each once.

    Also below the folders that steps name, as they may work there. What onegig is to measure
    (`--compose`, `--budgets`) is not among them. Raises ConfigError where the text is not YAML.
    """
    own = posixpath.dirname(path)
    found: dict[str, None] = {}
    for step in _steps(path, text):
        for value in _strings(step):
            value = _WORKSPACE.sub(".", _ACTION_PATH.sub(f"./{own}", _MEASURED.sub(" ", value)))
            found |= dict.fromkeys(map(_inside, _PATHS.findall(value)))
    folders = [one for one in found if one and "." not in posixpath.basename(one)]
    joined = (
        posixpath.join(one, other) for one in folders[:50] for other in found if "/" not in other
    )
    found |= dict.fromkeys(joined)
    return tuple(one for one in found if one not in ("", "."))[:MOST_WORDS]


def _strings(step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of a step that a shell or an interpreter reads."""
    for key in ("run", "shell", "working-directory"):
        yield from _texts(step, key)
    for key, inner in (("env", None), ("with", "script")):
        values = step.get(key)
        if isinstance(values, Mapping):
            chosen = values.items() if inner is None else [(inner, values.get(inner))]
            yield from (value for _, value in chosen if isinstance(value, str))


def _steps(path: str, text: str) -> Iterator[Mapping[str, Any]]:
    """Yield every mapping of a YAML document; ConfigError if it can't be read."""
    waiting: list[Any] = [parse_document(path, text.encode()).value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _texts(step: Mapping[str, Any], key: str) -> Iterator[str]:
    value = step.get(key)
    if isinstance(value, str):
        yield value


def _run_files(run: str) -> Iterator[str]:
    """Yield the scripts that shell text names, with their folders, and the files runners read."""
    for command in _COMMANDS.split(run.replace("\\\n", " ")):
        words = [word for word in _WORDS.findall(command) if word not in _PREFIXES]
        while words and _ASSIGNMENT.match(words[0]):
            words.pop(0)
        if not words:
            continue
        name = posixpath.basename(words[0])
        if "/" in words[0]:
            yield from _with_folder(words[0])
        yield from _RUNNERS.get(name, ())
        if _INTERPRETERS.fullmatch(name):
            yield from _interpreted(words[1:])


def _interpreted(words: list[str]) -> Iterator[str]:
    """Yield the script that an interpreter is given, or the module."""
    if "-m" in words[:-1]:
        module = words[words.index("-m") + 1].replace(".", "/")
        yield from (f"{module}.py", module.partition("/")[0])
        return
    script = next((word for word in words if not word.startswith("-")), "")
    if script:
        yield from _with_folder(script)


def _with_folder(script: str) -> Iterator[str]:
    """Yield a script's folder, or the script itself at the root of the repository."""
    folder = posixpath.dirname(posixpath.normpath(script))
    yield folder if folder not in ("", ".", "/") else script


def _inside(path: str) -> str:
    """Return a path below the repository's root, "." for the root; "" for what is outside."""
    inside = posixpath.normpath(path)
    return "" if inside.startswith(("..", "/", "~", "$")) else inside


WORKFLOWS = (".github/workflows", ".github/actions")
INSTALLED_BY = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")
WITHOUT_GATE = ("scripts", *INSTALLED_BY, *ACTION_FILES)  # where the base has no gate to read
BUDGETS = "budgets.yml"  # compared by what it says
ATTRIBUTES = ".gitattributes"  # says what a file looks like once it is checked out
SUBMODULES = ".gitmodules"
MOST_PATHS = 1_000
NOT_THERE = (404, 409, 422)

State = tuple[str, Entry | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """The commits that decide, by SHA.

    `merge` is GitHub's own test merge and `merge_onto` its first parent, "" where there is none.
    """

    base: str  # tip of the base branch
    head: str
    merge_base: str  # "" where they have nothing in common
    merge: str = ""
    merge_onto: str = ""


def find_measuring_changes(
    forest: Trees, sides: Sides, workflow: str, extra: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the paths that measure and are not what the base branch has; () if all are equal.

    `workflow` is the gate's file, `extra` what else measures. What can't be compared counts.
    """
    try:
        paths = _measuring(forest.tree(sides.base), workflow, extra)
        return tuple(dict.fromkeys(_changes(forest, sides, paths)))
    except GithubError as error:
        if not isinstance(error, TreeError) and error.status not in NOT_THERE:
            raise
        return (f"what measures could not be compared: {error.message}",)


def why_outdated(
    forest: Trees, measured: str, base: str, workflow: str, extra: tuple[str, ...] = ()
) -> str:
    """Return why a merge, by SHA, was measured by older files than the base branch has; else ""."""
    try:
        new, old = forest.tree(base), forest.tree(measured)
        for path in _measuring(new, workflow, extra):
            if new.find(path) != old.find(path):
                return f"measured before the base branch changed {path}: run the gate again"
    except GithubError as error:
        if not isinstance(error, TreeError) and error.status not in NOT_THERE:
            raise
        return f"what measured could not be compared: {error.message}"
    return ""


def _measuring(base: Tree, workflow: str, extra: tuple[str, ...]) -> tuple[str, ...]:
    """Return all paths that measure, by what the base branch has in them."""
    text = base.text(workflow)
    waiting = [*WORKFLOWS, workflow, *(path.rstrip("/") for path in extra)]
    waiting += WITHOUT_GATE if text is None else _run_by(base, workflow, text)
    paths: dict[str, None] = {}
    while waiting:
        path = waiting.pop()
        if path in paths:
            continue
        waiting += _attributes(path)
        if len(paths) == MOST_PATHS:
            raise TreeError("links lead to too many files", command=path)
        paths[path] = None
        waiting += _led_to(base, path)
    return tuple(paths)


def _attributes(path: str) -> Iterator[str]:
    """Yield the files of git's attributes in all folders above a path."""
    while path:
        path = posixpath.dirname(path)
        yield posixpath.join(path, ATTRIBUTES)


def _run_by(base: Tree, workflow: str, text: str) -> Iterator[str]:
    """Yield the paths that a workflow runs, and those that its local actions run."""
    waiting, seen = [(workflow, text)], {workflow}
    runs_own_code = False
    while waiting:
        path, text = waiting.pop()
        try:
            found = [*scripts(path, text), *_named(base, path, text)]
            used = local_actions(path, text)
        except ConfigError:  # GitHub does not run it either
            continue
        yield from found
        runs_own_code = runs_own_code or any(base.find(one)[1] for one in found)
        for action in used:
            files = [posixpath.normpath(posixpath.join(action, name)) for name in ACTION_FILES]
            yield from files if action == "." else (action,)
            for file in {action, *files} - seen:
                seen.add(file)
                inner = base.text(file)
                if inner is not None:
                    waiting.append((file, inner))
    if runs_own_code:
        yield from INSTALLED_BY


def _named(base: Tree, path: str, text: str) -> Iterator[str]:
    """Yield what steps name and the base branch has: folders, and the folder of each file."""
    for word in words(path, text):
        entry = base.find(word)[1]
        if entry is not None and word != BUDGETS:
            is_file = entry.mode not in (Mode.FOLDER, Mode.SUBMODULE)
            yield (posixpath.dirname(word) or word) if is_file else word


def _led_to(base: Tree, path: str) -> Iterator[str]:
    """Yield where links at or below a path lead, within the repository."""
    for place, entry in base.below(path):
        if entry.mode == Mode.SUBMODULE:
            yield SUBMODULES
        elif entry.mode == Mode.LINK:
            target = base.forest.read(entry)
            rest = path.removeprefix(place).strip("/") if path.startswith(f"{place}/") else ""
            joined = posixpath.join(posixpath.dirname(place), target, rest)
            inside = posixpath.normpath(joined)
            if inside != "." and not inside.startswith(("..", "/")):
                yield inside


def _changes(forest: Trees, sides: Sides, paths: tuple[str, ...]) -> Iterator[str]:
    base, head = forest.tree(sides.base), forest.tree(sides.head)
    for path in paths:
        was, now = base.find(path), head.find(path)
        if was == now or _only_base_changed(forest, sides, path, now):
            continue
        yield from _differences(base, head, path, was, now)


def _only_base_changed(forest: Trees, sides: Sides, path: str, now: State) -> bool:
    """Return whether the branch merely lags behind, so that its merge has what the base has.

    A merge base alone does not say what a merge makes of several of them; GitHub's merge does.
    """
    if not sides.merge_base or forest.tree(sides.merge_base).find(path) != now:
        return False
    if not sides.merge or not sides.merge_onto:
        return False
    return forest.tree(sides.merge).find(path) == forest.tree(sides.merge_onto).find(path)


def _differences(base: Tree, head: Tree, path: str, was: State, now: State) -> Iterator[str]:
    """Yield the files that differ where both sides have a folder, else the path itself."""
    if any(entry is None or entry.mode != Mode.FOLDER for _, entry in (was, now)):
        yield path
        return
    old, new = dict(base.below(path)), dict(head.below(path))
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if one != other and any(each and each.mode != Mode.FOLDER for each in (one, other)):
            yield name
