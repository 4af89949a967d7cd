"""Objects that onegig creates on a machine, and their removal, even after a run was killed.

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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from docker import DockerClient
from docker.errors import NotFound

from onegig.engine.engine import Engine
from onegig.engine.images import ENGINE_FAULTS, typed_errors
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
        """Return the labels of everything the run creates on an engine."""
        return {RUN_LABEL: self.name, OWNER_LABEL: self.owner}

    @property
    def label_options(self) -> tuple[str, ...]:
        """Return the same as options of the docker command."""
        return tuple(f"--label={key}={value}" for key, value in self.labels.items())


def identity(pid: int | None = None) -> str:
    """Return host:pid:start time, which names a process for good: numbers are used again."""
    process = psutil.Process(pid)
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def is_alive(owner: str, created: float) -> bool:
    """Return whether an owner's run may still be going; `created` is in seconds of the epoch."""
    host, pid, started = [*owner.rsplit(":", 2), "", ""][:3]
    if host != socket.gethostname():
        return time.time() - created < FOREIGN_AGE_SECONDS
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < 1
    except (psutil.Error, ValueError):
        return False


@contextmanager
def new_run() -> Iterator[Run]:
    """Yield a run with a folder of its own, removed at the end."""
    name = f"{PREFIX}{secrets.token_hex(4)}"
    # short, because the path of a socket may have 107 bytes only
    run = Run(name=name, owner=identity(), directory=Path(tempfile.mkdtemp(prefix=f"{name}.")))
    (run.directory / OWNER_FILE).write_text(run.owner)
    try:
        yield run
    finally:
        shutil.rmtree(run.directory, ignore_errors=True)


def remove_leftovers(engine: Engine) -> tuple[str, ...]:
    """Remove what dead runs left on the engine and in the temporary folder; return the names."""
    removed = [
        *_remove_objects(engine, lambda labels, at: not is_alive(labels.get(OWNER_LABEL, ""), at))
    ]
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*.*"):
        if _is_left_behind(directory):
            shutil.rmtree(directory, ignore_errors=True)
            if not directory.exists():  # a container may have written in it as root
                removed.append(f"folder {directory}")
    return tuple(removed)


def remove_run(engine: Engine, run: Run) -> None:
    """Remove everything of one run from the engine; EngineError if that does not answer."""
    list(_remove_objects(engine, lambda labels, _: labels.get(RUN_LABEL) == run.name))


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


def _remove_objects(
    engine: Engine, choose: Callable[[dict[str, str], float], bool]
) -> Iterator[str]:
    client = engine.client
    filters: dict[str, Any] = {"filters": {"label": RUN_LABEL}}
    for container in _list(lambda: client.containers.list(all=True, **filters)):
        if choose(container.labels, _created(container.attrs)):
            with suppress(*ENGINE_FAULTS):
                container.remove(force=True, v=True)
            _await_gone(client, container.id)
            yield f"container {container.name}"
    for kind, collection in (("volume", client.volumes), ("network", client.networks)):
        for item in _list(partial(collection.list, **filters)):
            if choose(item.attrs.get("Labels") or {}, _created(item.attrs)):
                with suppress(*ENGINE_FAULTS):
                    item.remove(*([True] if kind == "volume" else []))
                yield f"{kind} {item.name}"
    for image in _list(lambda: client.images.list(all=True, **filters)):
        if choose(image.labels, _created(image.attrs)):
            with suppress(*ENGINE_FAULTS):
                client.images.remove(image.id, force=True)
            yield f"image {image.short_id}"


def _list(read: Callable[[], Iterable[Any]]) -> Iterable[Any]:
    """Return a list that another run may be shortening while it is read."""
    with typed_errors(f"docker ps --all --filter label={RUN_LABEL}"):
        for _ in range(5):
            with suppress(NotFound):
                return read()
        return read()


def _await_gone(client: DockerClient, container_id: str) -> None:
    """Wait for a removal that is already under way (`docker run --rm`), up to 20 s."""
    with suppress(*ENGINE_FAULTS):
        for _ in range(200):
            client.api.inspect_container(container_id)
            time.sleep(0.1)


def _created(attributes: Mapping[str, Any]) -> float:
    """Return the time an object was created, seconds of the epoch; now if it is unreadable."""
    text = attributes.get("Created") or attributes.get("CreatedAt") or ""
    try:
        return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    except (ValueError, TypeError):
        return time.time()
