"""A project as `docker compose` resolves it: its files, its configuration and its variables.

Where compose refuses a project, the error names the file, the line if compose knows it, and advice.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onegig.config.document import find_mistake, find_place, read_lines, read_output
from onegig.engine import compose
from onegig.errors import ConfigError, EngineError, OnegigError
from onegig.files import absolute, join, shown
from onegig.model.stack import dump_config, unescape
from onegig.process import MISSING, CommandError, Completed, run
from onegig.variables import explain_held_back

_LOG_LINE = re.compile(r"time=\"[^\"]*\" level=\w+ msg=|WARN\[\d+\]")
_YAML_LINE = re.compile(r"yaml: (?:[\w ]+: )?line (?P<line>\d+): ")
_IN_FILE = re.compile(r"(?:validating|failed to parse) (?P<path>/.+?): ")
_KEY = re.compile(
    r"services[.\[](?P<service>[\w-]+)\]?"
    r"(?:\.| Additional property | additional properties ')(?P<key>[\w-]+)"
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
    (
        "required variable",
        "set the variable in the environment or in .env next to the compose file",
    ),
    ("took longer", "name only files in it that compose can read to their end, no pipes"),
    ("(not shown)", "correct that line: NAME=value, with matching quotes"),
    ("interpolation", "a literal $ is written $$ in compose files"),
    ("dditional propert", "compose does not know this key; check its spelling and indentation"),
    ("REMOTE", "to include a remote project, set that variable to true in your shell"),
    ("undefined service", "depends_on and similar keys can only name services of the same project"),
    ("neither an image nor a build", "give the service `image:` or `build:`"),
    ("env file", "create the file, or mark it `required: false`"),
    (
        "no such file or directory",
        "create the missing file, or correct its path in the compose file",
    ),
    (
        "project name must not be empty",
        "add a `name:`; the folder's name is not a valid project name",
    ),
    ("empty compose file", "add a `services:` section"),
)
_NAME_IT = "name it in budgets.yml (compose: path/to/compose.yml) or with --compose"
_ELSE = "correct the compose file; `docker compose config` shows the same error"


def explain(error: CommandError, files: tuple[Path, ...]) -> OnegigError:
    """Return compose's message as an error, or EngineError if docker or compose is missing."""
    if error.code == MISSING or any(sign in error.output for sign in _NO_PLUGIN):
        return EngineError(
            "docker compose is missing or too old",
            command=error.command,
            advice="install the Docker CLI with its compose plugin, version 2",
            detail=error.detail or error.message,
        )
    message = _message(error.output or error.message, files)
    advice = explain_held_back(message, os.environ)
    advice = advice or next((advice for sign, advice in _ADVICE if sign in message), _ELSE)
    return ConfigError(
        f"compose cannot read {', '.join(map(str, files))}",
        command=error.command,
        advice=advice,
        detail=message,
    )


def refuse_host_access(config: Mapping[str, Any], path: Path) -> None:
    """Raise ConfigError for a project that would make compose run programs on this machine.

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
    """Return compose's message without its warnings, with paths as the user wrote them."""
    lines = [line for line in output.splitlines() if line and not _LOG_LINE.match(line)]
    text = _VALUE.sub(r"\1 (not shown)", "\n".join(lines))
    env_file = _ENV_FILE.fullmatch(text)
    if env_file:
        place = str(shown(Path(env_file["path"])))
        return ":".join(filter(None, (place, env_file["line"], f" {env_file['text']}")))
    if in_file := _IN_FILE.match(text):
        files, text = (shown(Path(in_file["path"])),), text[in_file.end() :]
    for path in files:
        text = text.replace(str(absolute(path)), str(path))
    if yaml_line := _YAML_LINE.search(text):
        # compose does not name the file, and its line may be where the mapping around it begins
        if mistake := next(filter(None, map(find_mistake, (*files, *_named_files(files)))), ""):
            return mistake
        if len(files) == 1:
            return f"{files[0]}:{yaml_line['line']}: {text[yaml_line.end() :]}"
    named = _KEY.search(text)
    service = ("services", named["service"] or named["quoted"]) if named else ()
    keys = [(*service, named["key"] or ""), service] if named else []
    return f"{find_place(files, keys)}: {text}"


def _named_files(files: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that `include` and `extends` name; no pipes, which would never end."""
    for path in files:
        for key, mark in read_lines(path).items():
            is_included = key[0] == "include" and not {"env_file", "project_directory"} & {*key}
            named = path.parent / mark.text
            if (is_included or key[-2:] == ("extends", "file")) and named.is_file():
                yield named


# Of each, compose takes the first that there is (compose-go, cli.DefaultFileNames).
FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
DOTENV = ".env"
# An `include` from elsewhere is fetched by git, with variables of the checkout's .env in older
# releases, or unpacked from a registry (CVE-2025-62725): only if the user's shell asks for it.
REMOTES = ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "COMPOSE_EXPERIMENTAL_OCI_REMOTE")

_WARNING = re.compile(r'level=warning msg=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>\S+))')
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # no other can be written ${NAME}
_NO_JSON = "json: "  # how Go's encoder begins to complain
_COLON = re.compile(r"([^=:]+): (.+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A project as compose resolves it, with the warnings that compose prints."""

    config: dict[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compose:
    """`docker compose` in a folder, for these files and profiles.

    Without files compose chooses: COMPOSE_FILE, else the default file and its override. `files` may
    be relative to `folder`; `environment` is added to our own.
    """

    folder: Path
    files: tuple[Path, ...] = ()
    profiles: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    run: Callable[..., Completed] = run

    @property
    def directory(self) -> Path:
        """Return the folder as a shell in it names it, perhaps through a symbolic link."""
        return absolute(self.folder)

    def existing_files(self) -> tuple[Path, ...]:
        """Return the absolute paths of the files that count; ConfigError if one is missing."""
        names = self.files or self._files_of_variable() or tuple(_default_files(self.directory))
        paths = tuple(join(self.directory, name) for name in names)
        if not paths:
            raise ConfigError(
                f"there is no compose file in {self.directory}: looked for {', '.join(FILE_NAMES)}",
                advice="run onegig in the folder of the compose file, or use --compose PATH",
            )
        for path in paths:
            if not path.is_file():
                what = "is not a file" if path.exists() else "does not exist"
                raise ConfigError(f"the compose file {shown(path)} {what}", advice=_NAME_IT)
        return paths

    def resolve(self, paths: tuple[Path, ...]) -> Resolved:
        """Return the output of `docker compose config`; `paths` are those of `existing_files`.

        Raises ConfigError when compose refuses the project.
        """
        command = compose(*(f"--file={name}" for name in self.files))
        command += [*(f"--profile={name}" for name in self.profiles), "config"]
        try:
            done, config = self._config(command)
        except CommandError as error:
            raise explain(error, tuple(map(shown, paths))) from error
        refuse_host_access(config, shown(paths[0]))
        warnings = dict.fromkeys(_warnings(done.stderr, paths))
        return Resolved(config=config, warnings=tuple(warnings))

    def variables(self, names: Iterable[str], project: Path) -> dict[str, str]:
        """Return the variables that are set for a project, by compose's own rules.

        So its `.env` counts, with quotes and references as compose reads them.
        """
        wanted = tuple(dict.fromkeys(filter(_NAME.fullmatch, names)))
        if not wanted:
            return {}
        command = compose("--project-name=onegig", "--file=-")
        command += [f"--project-directory={project}", "config", "--format", "json"]
        with tempfile.TemporaryFile() as file:
            file.write(dump_config(_probe(wanted)).encode())
            file.seek(0)
            done = self._run(command, stdin=file)
        values = json.loads(done.stdout)["services"]["probe"]["environment"]
        return {
            name: unescape(values[f"value{place}"])
            for place, name in enumerate(wanted)
            if values[f"set{place}"]
        }

    def _config(self, command: list[str]) -> tuple[Completed, dict[str, Any]]:
        """Read JSON, or YAML where compose cannot write JSON (2.26: keys of build.ssh)."""
        try:
            done = self._run([*command, "--format", "json"])
        except CommandError as error:
            if _NO_JSON not in error.output:
                raise
            done = self._run(command)
            return done, _with_ssh_keys(read_output(done.stdout))
        return done, _with_ssh_keys(json.loads(done.stdout))

    def _files_of_variable(self) -> tuple[Path, ...]:
        names = ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR")
        values = {**os.environ, **self.environment}
        if (self.directory / DOTENV).exists() or values.get("COMPOSE_ENV_FILES"):
            try:
                values = self.variables(names, self.directory)
            except CommandError:
                return ()  # what is wrong in .env is reported when the project is read
        file, separator = (values.get(name) for name in names)
        return tuple(map(Path, file.split(separator or os.pathsep))) if file else ()

    def _run(self, command: list[str], **options: Any) -> Completed:
        environment = {name: os.environ.get(name, "false") for name in REMOTES}
        environment |= self.environment
        if self.folder != Path():
            environment["PWD"] = str(self.directory)  # else links are followed to the real folder
            options["cwd"] = self.directory
        return self.run(command, env=environment, **options)


def _default_files(folder: Path) -> Iterator[Path]:
    """Yield the default file of the folder, or of the nearest one above, and its override."""
    for place in (folder, *folder.parents):
        for names in (FILE_NAMES, OVERRIDE_NAMES):
            paths = [place / name for name in names if (place / name).exists()]
            if names is FILE_NAMES and not paths:
                break
            yield from paths[:1]
        else:
            return


def _probe(names: Iterable[str]) -> dict[str, Any]:
    """Return a project that only spells out variables."""
    environment: dict[str, str] = {}
    for place, name in enumerate(names):
        environment |= {f"value{place}": f"${{{name}-}}", f"set{place}": f"${{{name}+yes}}"}
    return {"services": {"probe": {"image": "probe", "environment": environment}}}


def _warnings(output: str, paths: Iterable[Path]) -> Iterator[str]:
    """Yield the text of each warning, with paths as the user writes them."""
    for match in _WARNING.finditer(output):
        text = match["bare"] or _unquote(match["quoted"])
        for path in paths:
            text = text.replace(f"{path}: ", f"{shown(path)}: ")
        yield "; ".join(filter(None, (text, explain_held_back(text, os.environ))))


def _unquote(text: str) -> str:
    """Return the text within Go's quotes, whose escapes are nearly those of JSON."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text.replace('\\"', '"')


def _with_ssh_keys(config: dict[str, Any]) -> dict[str, Any]:
    """Write build.ssh as compose reads it: 2.26 puts out `id: path` for `id=path`."""
    for service in (config.get("services") or {}).values():
        build = (service or {}).get("build") or {}
        if build.get("ssh"):
            build["ssh"] = list(_ssh_keys(build["ssh"]))
    return config


def _ssh_keys(keys: Any) -> Iterator[str]:
    for key in [keys] if isinstance(keys, dict) else keys:
        if isinstance(key, dict):
            yield from (f"{name}={path}" if path else name for name, path in key.items())
        else:
            yield _COLON.sub(r"\1=\2", key, count=1)
