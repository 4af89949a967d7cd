"""A nested engine that keeps its images in containerd's store, as Docker Engine 29 does by itself.

It is the box with another setting, so it comes up in seconds and leaves nothing behind.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from docker import DockerClient

from onegig.engine.engine import Engine
from onegig.engine.owned import Run, new_run
from onegig.errors import EngineError
from onegig.machine import box
from onegig.machine.nesting import HostPrograms
from onegig.machine.project import BoxProject

ROOM_BYTES = 4 * 1024**3
_CONTENT = "io.containerd.content.v1.content/blobs/sha256"
_SETTING = "dockerd --config-file /dev/null "
_OURS = """
echo '{"features": {"containerd-snapshotter": true}}' >/run/daemon.json
dockerd --config-file /run/daemon.json """


@dataclass(frozen=True)
class Store:
    """A nested engine with containerd's store, and its container on the outer engine."""

    engine: Engine
    container: str

    @property
    def client(self) -> DockerClient:
        return self.engine.client

    @property
    def environment(self) -> dict[str, str]:
        """Variables that have programs ask this engine."""
        return dict(self.engine.environment)


class _OnContainerd(HostPrograms):
    def arguments(self, *, first: bool) -> list[str]:
        *others, entry = super().arguments(first=first)
        assert _SETTING in entry
        return [*others, entry.replace(_SETTING, _OURS)]


def _ways(engine: Engine, run: Run, project: BoxProject) -> tuple[HostPrograms]:
    try:
        return (_OnContainerd(engine, run, project),)
    except EngineError as error:
        pytest.skip(error.message)


@contextmanager
def containerd_engine(client: DockerClient, images: Sequence[str], project: str) -> Iterator[Store]:
    """A box with `images` of the outer engine. Skips where the host's engine can't be nested."""
    with ExitStack() as stack:
        run = stack.enter_context(new_run())
        nested = box.open_nested(
            Engine(client),
            run,
            images=images,
            project=BoxProject(directory=project),
            cap_bytes=ROOM_BYTES,
            say=lambda _line: None,
        )
        with patch.object(box, "ways", _ways):  # other boxes, opened meanwhile, are as usual
            opened = stack.enter_context(nested)
        if "snapshotter" not in str(opened.engine.client.info()["DriverStatus"]):
            pytest.skip("this machine's engine has no containerd image store")
        yield Store(engine=opened.engine, container=opened.container)


def blob_of(client: DockerClient, opened: Store, digest: str) -> Path:
    """Where the nested engine keeps a blob; skips where its folders are not ours to read."""
    volume = client.volumes.get(opened.container.removesuffix("-box") + "-data")
    blobs = Path(volume.attrs["Mountpoint"], "data/containerd/daemon", _CONTENT)
    if not os.access(blobs, os.R_OK | os.W_OK):
        pytest.skip(f"{blobs} is not ours to write to")
    return blobs / digest.removeprefix("sha256:")
