"""What onegig puts on a machine, and taking it away again: also after a run that was killed.

Everything a run creates on the engine carries the labels of `Run.labels`, and its files lie in one
folder under the system's temporary folder, whose name nobody can guess and where nobody else may
look. A run is alive while the process that its label names is; what belongs to no living run is
removed by the next one.
"""

import re
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from docker import DockerClient
from docker.errors import APIError, DockerException, NotFound

from onegig.engine.engine import Engine
from onegig.files import is_private

RUN_LABEL = "onegig.run"
OWNER_LABEL = "onegig.owner"
PREFIX, OWNER_FILE = "onegig-", "owner"
_RUN_FOLDER = re.compile(rf"{PREFIX}[0-9a-f]{{8}}\.\w+")
FOREIGN_AGE_SECONDS = 6 * 3600  # objects of a host we cannot look into count as left behind


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run: its name, its owner's identity and its folder."""

    name: str
    owner: str
    directory: Path

    @property
    def labels(self) -> dict[str, str]:
        """Labels of everything the run creates on an engine."""
        return {RUN_LABEL: self.name, OWNER_LABEL: self.owner}

    @property
    def label_options(self) -> tuple[str, ...]:
        """The same as options of the docker command."""
        return tuple(f"--label={key}={value}" for key, value in self.labels.items())


def identity(pid: int | None = None) -> str:
    """host:pid:start time, which names a process for good: numbers alone are used again."""
    process = psutil.Process(pid)
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def is_alive(owner: str, created: float) -> bool:
    """Whether the run of that owner may still be going; `created` is in seconds since the epoch."""
    host, pid, started = [*owner.rsplit(":", 2), "", ""][:3]
    if host != socket.gethostname():
        return time.time() - created < FOREIGN_AGE_SECONDS
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < 1
    except (psutil.Error, ValueError):
        return False


@contextmanager
def new_run() -> Iterator[Run]:
    """A run with a folder of its own, removed at the end."""
    name = f"{PREFIX}{secrets.token_hex(4)}"
    # short, because the path of a socket may have 107 bytes only
    run = Run(name=name, owner=identity(), directory=Path(tempfile.mkdtemp(prefix=f"{name}.")))
    (run.directory / OWNER_FILE).write_text(run.owner)
    try:
        yield run
    finally:
        shutil.rmtree(run.directory, ignore_errors=True)


def remove_leftovers(engine: Engine) -> tuple[str, ...]:
    """Remove what dead runs left on the engine and in the temporary folder; say what it was."""
    removed = [*_remove_objects(engine.client, _is_dead)]
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*.*"):
        if _is_left_behind(directory):
            shutil.rmtree(directory, ignore_errors=True)
            removed.append(f"folder {directory}")
    return tuple(removed)


def _is_left_behind(directory: Path) -> bool:
    """Return whether it is the folder of a dead run of this user.

    The temporary folder is everybody's: what is a link, another user's or open to others was not
    made by `new_run`.
    """
    try:
        state = directory.lstat()
        if not _RUN_FOLDER.fullmatch(directory.name) or not is_private(state):
            return False
        owner = directory / OWNER_FILE
        text = owner.read_text() if owner.exists() else ""
    except OSError:
        return False
    # one that has no owner yet is a run's that just begins
    return not is_alive(text, state.st_mtime)


def remove_run(engine: Engine, run: Run) -> None:
    """Remove everything of one run from the engine."""
    for _ in _remove_objects(engine.client, lambda labels, _: labels.get(RUN_LABEL) == run.name):
        pass


Choice = Callable[[dict[str, str], float], bool]


def _is_dead(labels: dict[str, str], created: float) -> bool:
    return not is_alive(labels.get(OWNER_LABEL, ""), created)


def _remove_objects(client: DockerClient, choose: Choice) -> Iterator[str]:
    marked: dict[str, str | list[str] | bool] = {"label": RUN_LABEL}
    for container in _listed(lambda: client.containers.list(all=True, filters=marked)):
        if choose(container.labels, _epoch(container.attrs.get("Created", ""))):
            with suppress(NotFound, APIError):
                container.remove(force=True, v=True)
            _await_gone(client, container.id)
            yield f"container {container.name}"
    for volume in _listed(lambda: client.volumes.list(filters=marked)):
        attributes = volume.attrs
        if choose(attributes.get("Labels") or {}, _epoch(attributes.get("CreatedAt", ""))):
            with suppress(NotFound):
                volume.remove(force=True)
            yield f"volume {volume.name}"
    for network in _listed(lambda: client.networks.list(filters=marked)):
        if choose(network.attrs.get("Labels") or {}, _epoch(network.attrs.get("Created", ""))):
            with suppress(NotFound):
                network.remove()
            yield f"network {network.name}"
    for image in _listed(lambda: client.images.list(all=True, filters=marked)):
        if choose(image.labels, _epoch(image.attrs.get("Created", ""))):
            with suppress(NotFound, APIError):
                client.images.remove(image.id, force=True)
            yield f"image {image.short_id}"


def _listed(read: Callable[[], Iterable[Any]]) -> Iterable[Any]:
    """A list that another run may be shortening while it is read."""
    for _ in range(5):
        try:
            return read()
        except NotFound:
            continue
    return read()


def _await_gone(client: DockerClient, container_id: str) -> None:
    """Wait for a removal that is already under way (`docker run --rm`), up to 20 s."""
    for _ in range(200):
        try:
            client.api.inspect_container(container_id)
        except (NotFound, DockerException):
            return
        time.sleep(0.1)


def _epoch(text: str) -> float:
    """Seconds since the epoch of an engine's RFC 3339 time; now for one that cannot be read."""
    try:
        return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    except (ValueError, TypeError):
        return time.time()
