"""`docker compose` asked for a project: which files count, what they resolve to, its variables."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onegig.load.compose_errors import explain, is_missing, no_file, refuse_host_access
from onegig.load.document import read_output
from onegig.model.compose_config import dump_config, unescape
from onegig.paths import absolute, join, shown
from onegig.process import CommandError, Completed, run
from onegig.variables import explain_held_back

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
# releases, or unpacked from a registry (CVE-2025-62725): only where the user's shell asks for it.
REMOTES = ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "COMPOSE_EXPERIMENTAL_OCI_REMOTE")

_WARNING = re.compile(r'level=warning msg=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>\S+))')
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # no other can be written ${NAME}
_NO_JSON = "json: "  # how Go's encoder begins to complain
_COLON = re.compile(r"([^=:]+): (.+)")

Run = Callable[..., Completed]


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
    run: Run = run

    @property
    def directory(self) -> Path:
        """Return the folder as a shell in it names it, perhaps through a symbolic link."""
        return absolute(self.folder)

    def existing_files(self) -> tuple[Path, ...]:
        """Return the absolute paths of the files that count; ConfigError where one is missing."""
        names = self.files or self._files_of_variable() or tuple(_default_files(self.directory))
        paths = tuple(join(self.directory, name) for name in names)
        if not paths:
            raise no_file(self.directory, FILE_NAMES)
        for path in paths:
            if not path.is_file():
                raise is_missing(shown(path), exists=path.exists())
        return paths

    def resolve(self, paths: tuple[Path, ...]) -> Resolved:
        """Return what `docker compose config` says; `paths` are those of `existing_files`.

        Raises ConfigError when compose refuses the project.
        """
        command = ["docker", "compose", *(f"--file={name}" for name in self.files)]
        command += [*(f"--profile={name}" for name in self.profiles), "config"]
        try:
            done, config = self._config(command)
        except CommandError as error:
            raise explain(error, tuple(map(shown, paths))) from error
        refuse_host_access(config, shown(paths[0]))
        return Resolved(config=config, warnings=tuple(_warnings(done.stderr, paths)))

    def variables(self, names: Iterable[str], project: Path) -> dict[str, str]:
        """Return the variables that are set for a project, by compose's own rules.

        So its `.env` counts, with quotes and references as compose reads them.
        """
        wanted = tuple(dict.fromkeys(filter(_NAME.fullmatch, names)))
        if not wanted:
            return {}
        command = ["docker", "compose", "--project-name=onegig", "--file=-"]
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
    """Yield the text of each warning, once, with paths as the user writes them."""
    seen = set()
    for match in _WARNING.finditer(output):
        text = match["bare"] or _unquote(match["quoted"])
        for path in paths:
            text = text.replace(f"{path}: ", f"{shown(path)}: ")
        text = "; ".join(filter(None, (text, explain_held_back(text, os.environ))))
        if text not in seen:
            seen.add(text)
            yield text


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
