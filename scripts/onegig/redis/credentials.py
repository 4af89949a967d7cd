"""Passwords that a compose project gives to a Redis, in the order in which to try them.

They stand in the server's command, its variables, its health check or its configuration file, or in
a URL that another service uses. They are never printed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

MOST = 12  # that are tried
FILE_BYTES = 1 << 16  # of a configuration or secret
_VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)(?::?[-?][^}]*)?\})")
_CONTENT = re.compile(r"\$\( *(?:cat|<) *([^\s)]+) *\)")  # of a file, in a shell
_OPTION = re.compile(r"(?:^|\s)(?:--requirepass|--pass|-a)[\s=]+[\"']?([^\s\"']+)")
_SETTING = re.compile(r"^\s*requirepass\s+[\"']?([^\s\"']+)", re.MULTILINE)
_USER = re.compile(r"(?:^|\s)(?:--)?user\s+(\S+)\s+([^\n]*)", re.MULTILINE)
_URL = re.compile(r"(?:rediss?|valkeys?)://[^\s\"']+")
_NAMES = re.compile(r"(?:REDIS|VALKEY|KEYDB)\w*(?:PASS|PASSWORD|AUTH|SECRET)$", re.IGNORECASE)
_FILE = "_FILE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """A user and a password; both are empty where the server asks for none."""

    username: str = ""
    password: str = field(default="", repr=False)


NONE = Credentials()


@dataclass(frozen=True, kw_only=True, slots=True)
class Clues:
    """Places that may hold a service's password. Files are by their path in the container."""

    words: Sequence[str]  # command and health check, one argument each
    variables: Mapping[str, str]
    names: Sequence[str] = ()  # by which others reach it
    others: Sequence[str] = ()  # texts of the other services, in which URLs may stand
    files: Mapping[str, str] = field(default_factory=dict)  # path in the container: path here


def find_credentials(clues: Clues) -> tuple[Credentials, ...]:
    """Return what to try, each once: no password first, as many servers want none."""
    return tuple(dict.fromkeys((NONE, *_stated(clues))))[:MOST]


def _stated(clues: Clues) -> Iterator[Credentials]:
    def resolve(text: str) -> str:
        text = _VARIABLE.sub(
            lambda match: clues.variables.get(match["plain"] or match["braced"], match[0]), text
        )
        return _CONTENT.sub(lambda match: _read(match[1], clues.files).strip() or match[0], text)

    text = resolve(" ".join(clues.words))
    yield from (Credentials(password=match[1]) for match in _OPTION.finditer(text))
    yield from _users(text)
    for name, value in clues.variables.items():
        if _NAMES.search(name.removesuffix(_FILE)) and value:
            given = _read(value, clues.files).strip() if name.endswith(_FILE) else value
            yield Credentials(password=given)
    for word in clues.words:
        settings = _read(word, clues.files)
        yield from (Credentials(password=match[1]) for match in _SETTING.finditer(settings))
        yield from _users(settings)
    for other in clues.others:
        yield from _urls(other, clues.names)


def _users(text: str) -> Iterator[Credentials]:
    """Yield users of an access list that have a password in the clear (`>password`)."""
    for match in _USER.finditer(text):
        rules = match[2].split()
        passwords = [rule.removeprefix(">") for rule in rules if rule.startswith(">")]
        yield from (Credentials(username=match[1], password=each) for each in passwords)


def _urls(text: str, names: Sequence[str]) -> Iterator[Credentials]:
    for match in _URL.finditer(text):
        with suppress(ValueError):
            url = urlsplit(match[0])
            if url.hostname in names and url.password:
                user = unquote(url.username or "")
                yield Credentials(username=user, password=unquote(url.password))


def _read(path: str, files: Mapping[str, str]) -> str:
    """Return the text of a file that the container has mounted; "" for any other path.

    A link must not lead out of the mount: in the container it leads elsewhere.
    """
    place = PurePosixPath(path)
    for target, source in files.items():
        if place.is_absolute() and place.is_relative_to(target):
            with suppress(OSError):
                root = Path(source).resolve()
                file = (root / place.relative_to(target)).resolve()
                if file.is_relative_to(root):
                    with file.open("rb") as content:
                        return content.read(FILE_BYTES).decode(errors="replace")
    return ""


def read_clues(service: str, inspected: Mapping[str, Any], project: Mapping[str, Any]) -> Clues:
    """Return a container's clues, by `docker inspect` and the project that compose resolved."""
    config, services = inspected["Config"], project.get("services", {})
    networks = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    aliases = [alias for each in networks.values() for alias in each.get("Aliases") or ()]
    health = (config.get("Healthcheck") or {}).get("Test") or ()
    variables = (entry.partition("=") for entry in config.get("Env") or ())
    others = [text for name, other in services.items() if name != service for text in _texts(other)]
    return Clues(
        words=(inspected.get("Path", ""), *(inspected.get("Args") or ()), *health),
        variables={name: value for name, _, value in variables},
        names=(service, *aliases),
        others=others,
        files=_files(services.get(service, {}), project),
    )


def _texts(service: Mapping[str, Any]) -> Iterator[str]:
    yield from map(str, (service.get("environment") or {}).values())
    yield from map(str, service.get("command") or ())


def _files(service: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, str]:
    """Return the files and folders of this machine that the service has, by their place there."""
    mounts = [mount for mount in service.get("volumes") or () if mount.get("type") == "bind"]
    files = {str(mount["target"]): str(mount["source"]) for mount in mounts}
    for kind, folder in (("secrets", "/run/secrets"), ("configs", "")):
        for given in service.get(kind) or ():
            name = str(given["source"])
            target = PurePosixPath(folder or "/") / (given.get("target") or name)
            source = (project.get(kind) or {}).get(name, {}).get("file")
            if source:
                files[str(target)] = str(source)
    return files
