"""What compose refuses, as an error with the file, the line where compose knows it, and advice."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from onegig.errors import ConfigError, EngineError, OnegigError
from onegig.load.document import read_lines
from onegig.paths import absolute, shown
from onegig.process import CommandError
from onegig.variables import explain_held_back

_LOG_LINE = re.compile(r"time=\"[^\"]*\" level=\w+ msg=|WARN\[\d+\]")
_YAML_LINE = re.compile(r"yaml: (?:[\w ]+: )?line (?P<line>\d+): ")
_KEY = re.compile(
    r"services[.\[](?P<service>[\w-]+)\]?(?:\.| Additional property )(?P<key>\w+)"
    r"|service \"(?P<quoted>[\w-]+)\""
)
_ENV_FILE = re.compile(
    r"failed to read (?P<path>.+?): (?:line (?P<line>\d+): )?(?P<text>.+)", re.DOTALL
)
# what compose quotes of an env file may be a secret
_VALUE = re.compile(
    r"(unterminated quoted value|in variable name|near|Invalid template:) \".*", re.DOTALL
)
_NO_PLUGIN = ("is not a docker command", "unknown shorthand flag", "unknown flag: --")
_ADVICE = (
    ("required variable", "set the variable in the environment or in .env beside the compose file"),
    ("(not shown)", "correct that line: NAME=value, with matching quotes"),
    ("interpolation", "a literal $ is written $$ in compose files"),
    ("is not allowed", "a key compose does not know: a typing mistake, or one level too deep"),
    ("REMOTE", "an include from elsewhere is only taken where that variable is true in your shell"),
    ("undefined service", "depends_on and its like name services of the same project"),
    ("neither an image nor a build", "give the service `image:` or `build:`"),
    ("env file", "create the file, or mark it `required: false`"),
    ("no such file or directory", "a file that the compose file refers to is missing"),
    (
        "project name must not be empty",
        "give it a `name:`; compose makes none of the folder's name",
    ),
    ("empty compose file", "it should have a `services:` section"),
)
_NAME_IT = "name it in budgets.yml (compose: path/to/compose.yml) or with --compose"
_ELSE = "`docker compose config` shows the same; correct the compose file and run again"


def is_missing(path: Path, *, exists: bool = False) -> ConfigError:
    """Return the error for a compose file that is not there, or that is not a file."""
    what = "is not a file" if exists else "does not exist"
    return ConfigError(f"the compose file {path} {what}", advice=_NAME_IT)


def no_file(folder: Path, names: Iterable[str]) -> ConfigError:
    """Return the error for a folder in which compose finds no file by its default names."""
    return ConfigError(
        f"there is no compose file in {folder}: looked for {', '.join(names)}",
        advice="run onegig beside the compose file, or name it: --compose path/to/compose.yml",
    )


def explain(error: CommandError, files: tuple[Path, ...]) -> OnegigError:
    """ConfigError with compose's own message; EngineError when docker or compose is missing."""
    if (error.code == -1 and not error.output) or any(sign in error.output for sign in _NO_PLUGIN):
        return EngineError(
            "docker compose is missing or too old",
            command=error.command,
            advice="install the Docker CLI with its compose plugin, version 2",
            detail=error.detail or error.message,
        )
    message = _message(error.output, files) or error.message
    advice = explain_held_back(message, os.environ)
    advice = advice or next((advice for sign, advice in _ADVICE if sign in message), _ELSE)
    return ConfigError(
        f"compose cannot read {', '.join(map(str, files))}",
        command=error.command,
        advice=advice,
        detail=message,
    )


def refuse_host_access(config: Mapping[str, Any], path: Path) -> None:
    """Raise ConfigError for a project that would have compose run programs of this machine.

    The same for one that holds a process's variables, read from /proc as an env file: no other text
    has a NUL.
    """
    for name, service in (config.get("services") or {}).items():
        if (service or {}).get("provider"):
            raise ConfigError(
                f"{path}: the service {name} is a program of this machine (`provider`)",
                advice="onegig measures containers only: leave it out with `profiles`",
            )
    if any("\0" in text for text in _texts(config)):
        raise ConfigError(
            f"{path} reads a file that is not text, such as /proc/self/environ",
            advice="correct the `env_file` of the services",
        )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _message(output: str, files: tuple[Path, ...]) -> str:
    """What compose said, without its warnings, with paths as the user wrote them."""
    lines = [line for line in output.splitlines() if line and not _LOG_LINE.match(line)]
    text = _VALUE.sub(r"\1 (not shown)", "\n".join(lines))
    env_file = _ENV_FILE.fullmatch(text)
    if env_file:
        place = str(shown(Path(env_file["path"])))
        return ":".join(filter(None, (place, env_file["line"], f" {env_file['text']}")))
    for path in files:
        text = text.replace(str(absolute(path)), str(path))
        text = text.removeprefix(f"validating {path}: ")
    yaml_line = _YAML_LINE.search(text)
    if yaml_line and len(files) == 1:
        return f"{files[0]}:{yaml_line['line']}: {text[yaml_line.end() :]}"
    return f"{_place(text, files)}: {text}"


def _place(text: str, files: tuple[Path, ...]) -> str:
    """The file and line of the service and key that compose names, as near as they can be found."""
    named = _KEY.search(text)
    if named:
        service = named["service"] or named["quoted"]
        for path in reversed(files):
            marks = read_lines(path)
            for key in (("services", service, named["key"] or ""), ("services", service)):
                if key in marks:
                    return f"{path}:{marks[key].line}"
    return str(files[0])
