"""The files of a repository that its gate's workflow runs: local actions and scripts.

GitHub takes the workflow from the pull request. What it starts from the same checkout decides how
is measured no less.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from onegig.load.document import parse_document

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
