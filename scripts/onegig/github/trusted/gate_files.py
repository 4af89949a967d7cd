"""Find the files of a pull request that change how it is measured, by content.

GitHub takes the workflow from the pull request, and what it starts from the same checkout decides
how it is measured no less: the gate's workflow, the local actions and scripts it runs, what links
among these point to, and the commits of submodules. Lists of changed files would not do: a link
stays the same while its target changes.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onegig.config.document import parse_document
from onegig.errors import ConfigError, GithubError
from onegig.github.trees import Entry, Mode, Tree, TreeError, Trees

ACTION_FILES = ("action.yml", "action.yaml")
WORKFLOWS = (".github/workflows", ".github/actions")
INSTALLED_BY = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")
WITHOUT_GATE = ("scripts", *INSTALLED_BY, *ACTION_FILES)  # where the base has no gate to read
BUDGETS = "budgets.yml"  # compared by what it says
ATTRIBUTES = ".gitattributes"  # says what a file looks like once it is checked out
SUBMODULES = ".gitmodules"
MOST_PATHS = 1_000
MOST_WORDS = 2_000
MOST_FOLDERS = 50
NOT_THERE = (404, 409, 422)
_LOCAL = ("./", "$/")  # of what is checked out, of the workflow's own repository
_COMMANDS = re.compile(r"[\n;|&(){}`]+|\$\(")
_WORDS = re.compile(r"[^\s\"'<>]+")
_ASSIGNMENT = re.compile(r"\w+=")
_PREFIXES = ("then", "do", "else", "if", "while", "until", "!", "sudo", "exec", "time", "env")
_INTERPRETERS = re.compile(r"(ba|da|z|k)?sh|python[\d.]*|node|ruby|perl|source|\.")
_PATHS = re.compile(r"[\w.@+~-]+(?:/[\w.@+~-]+)*")
_MEASURED = re.compile(r"--(?:compose|budgets|report|output|inspected)[= ]\S+")
_ACTION_PATH = re.compile(r"\$\{\{\s*github\.action_path\s*\}\}|\$\{?GITHUB_ACTION_PATH\}?")
_WORKSPACE = re.compile(r"\$\{\{\s*github\.workspace\s*\}\}|\$\{?GITHUB_WORKSPACE\}?")
_RUNNERS = {  # which read a file that the command does not name
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    **dict.fromkeys(("npm", "npx", "pnpm", "yarn"), ("package.json",)),
    "rake": ("Rakefile",),
    "invoke": ("tasks.py",),
    "nox": ("noxfile.py",),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"),
}

State = tuple[str, Entry | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """The commits that decide, by SHA.

    `merge` is GitHub's own test merge and `merge_onto` its first parent, "" if there is none.
    """

    base: str  # tip of the base branch
    head: str
    merge_base: str  # "" if they have nothing in common
    merge: str = ""
    merge_onto: str = ""


def find_measuring_changes(
    forest: Trees, sides: Sides, workflow: str, extra: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the paths that affect the measurement and differ from the base branch.

    `workflow` is the gate's file, `extra` what else measures. What can't be compared counts.
    """
    try:
        paths = _measuring(Tree(forest, sides.base), workflow, extra)
        return tuple(dict.fromkeys(_changes(forest, sides, paths)))
    except GithubError as error:
        if not isinstance(error, TreeError) and error.status not in NOT_THERE:
            raise
        return (f"what measures could not be compared: {error.message}",)


def outdated_reason(
    forest: Trees, measured: str, base: str, workflow: str, extra: tuple[str, ...] = ()
) -> str:
    """Return why a merge, by SHA, was measured by older files than the base branch has; else ""."""
    try:
        new, old = Tree(forest, base), Tree(forest, measured)
        for path in _measuring(new, workflow, extra):
            if new.find(path) != old.find(path):
                return f"measured before the base branch changed {path}: run the gate again"
    except GithubError as error:
        if not isinstance(error, TreeError) and error.status not in NOT_THERE:
            raise
        return f"what measured could not be compared: {error.message}"
    return ""


def _measuring(base: Tree, workflow: str, extra: tuple[str, ...]) -> tuple[str, ...]:
    """Return all paths that affect the measurement, with the base branch's content."""
    text = base.text(workflow)
    waiting = [*WORKFLOWS, workflow, *(path.rstrip("/") for path in extra)]
    waiting += WITHOUT_GATE if text is None else _run_by(base, workflow, text)
    paths: dict[str, None] = {}
    while waiting:
        path = waiting.pop()
        if path in paths:
            continue
        if len(paths) == MOST_PATHS:
            raise TreeError("links lead to too many files", command=path)
        paths[path] = None
        waiting += _attributes(path)
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
            run = [*scripts(path, text), *_named(base, path, text)]
            used = local_actions(path, text)
        except ConfigError:  # GitHub does not run it either
            continue
        yield from run
        runs_own_code = runs_own_code or any(base.find(name)[1] for name in run)
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
    """Yield the folders that steps name and the base branch has, including those of files."""
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
    base, head = Tree(forest, sides.base), Tree(forest, sides.head)
    for path in paths:
        was, now = base.find(path), head.find(path)
        if was != now and not _only_base_changed(forest, sides, path, now):
            yield from _differences(base, head, path, was, now)


def _only_base_changed(forest: Trees, sides: Sides, path: str, now: State) -> bool:
    """Return whether the branch is only behind, so that its merge equals the base.

    A merge base alone does not say what a merge makes of several of them; GitHub's merge does.
    """
    if not sides.merge_base or Tree(forest, sides.merge_base).find(path) != now:
        return False
    if not sides.merge or not sides.merge_onto:
        return False
    return Tree(forest, sides.merge).find(path) == Tree(forest, sides.merge_onto).find(path)


def _differences(base: Tree, head: Tree, path: str, was: State, now: State) -> Iterator[str]:
    """Yield the files that differ where both sides have a folder, else the path itself."""
    if any(entry is None or entry.mode != Mode.FOLDER for _, entry in (was, now)):
        yield path
        return
    old, new = dict(base.below(path)), dict(head.below(path))
    for name in sorted(old.keys() | new.keys()):
        pair = old.get(name), new.get(name)
        if pair[0] != pair[1] and any(each and each.mode != Mode.FOLDER for each in pair):
            yield name


def local_actions(path: str, text: str) -> tuple[str, ...]:
    """Return the local actions and workflows that a workflow or an action uses, as paths.

    An action is the path of its folder, "." if that is the root.
    """
    used = (uses for step in _steps(path, text) for uses in _texts(step, "uses"))
    inside = (_inside(uses[2:]) for uses in used if uses.startswith(_LOCAL))
    return tuple(dict.fromkeys(filter(None, inside)))


def scripts(path: str, text: str) -> tuple[str, ...]:
    """Return the paths of what the steps of a workflow or an action may run from the checkout.

    A script stands for its folder, as it may call its neighbours. There need not be such a file.
    Raises ConfigError if the text is not YAML.
    """
    steps = list(_steps(path, text))
    folders = {"", *(folder for step in steps for folder in _texts(step, "working-directory"))}
    runs = (run for step in steps for run in _texts(step, "run"))
    names = (name for run in runs for name in _run_files(_at_root(path, run)))
    return _below_root(
        _inside(posixpath.join(folder, name)) for name in names for folder in sorted(folders)
    )


def words(path: str, text: str) -> tuple[str, ...]:
    """Return every word of the steps that may be a path of the checkout, each once.

    Also below the folders that steps name, as they may work there. What onegig is to measure
    (`--compose`, `--budgets`) is not among them. Raises ConfigError if the text is not YAML.
    """
    values = (value for step in _steps(path, text) for value in _strings(step))
    named = dict.fromkeys(
        _inside(name)
        for value in values
        for name in _PATHS.findall(_at_root(path, _MEASURED.sub(" ", value)))
    )
    folders = [name for name in named if name and "." not in posixpath.basename(name)]
    joined = (
        posixpath.join(folder, name)
        for folder in folders[:MOST_FOLDERS]
        for name in named
        if "/" not in name
    )
    return _below_root([*named, *joined])[:MOST_WORDS]


def _at_root(path: str, text: str) -> str:
    """Return a step's text with GitHub's folders as paths from the root of the checkout."""
    return _WORKSPACE.sub(".", _ACTION_PATH.sub(f"./{posixpath.dirname(path)}", text))


def _below_root(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(path for path in dict.fromkeys(paths) if path not in ("", "."))


def _inside(path: str) -> str:
    """Return a path below the repository's root, "." for the root; "" for what is outside."""
    inside = posixpath.normpath(path)
    return "" if inside.startswith(("..", "/", "~", "$")) else inside


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


def _strings(step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of a step that a shell or an interpreter reads."""
    for key in ("run", "shell", "working-directory"):
        yield from _texts(step, key)
    if isinstance(environment := step.get("env"), Mapping):
        yield from (value for value in environment.values() if isinstance(value, str))
    if isinstance(inputs := step.get("with"), Mapping):
        yield from _texts(inputs, "script")


def _texts(step: Mapping[str, Any], key: str) -> Iterator[str]:
    value = step.get(key)
    if isinstance(value, str):
        yield value


def _run_files(run: str) -> Iterator[str]:
    """Yield the scripts that shell text names, with their folders, and the files runners read."""
    for command in _COMMANDS.split(run.replace("\\\n", " ")):
        parts = [word for word in _WORDS.findall(command) if word not in _PREFIXES]
        while parts and _ASSIGNMENT.match(parts[0]):
            parts.pop(0)
        if not parts:
            continue
        name = posixpath.basename(parts[0])
        if "/" in parts[0]:
            yield _with_folder(parts[0])
        yield from _RUNNERS.get(name, ())
        if _INTERPRETERS.fullmatch(name):
            yield from _interpreted(parts[1:])


def _interpreted(arguments: list[str]) -> Iterator[str]:
    """Yield the script that an interpreter is given, or the module."""
    if "-m" in arguments[:-1]:
        module = arguments[arguments.index("-m") + 1].replace(".", "/")
        yield from (f"{module}.py", module.partition("/")[0])
    elif script := next((word for word in arguments if not word.startswith("-")), ""):
        yield _with_folder(script)


def _with_folder(script: str) -> str:
    """Return a script's folder, or the script itself at the root of the repository."""
    folder = posixpath.dirname(posixpath.normpath(script))
    return folder if folder not in ("", ".", "/") else script
