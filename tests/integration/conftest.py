"""A real engine, an image small enough to boot in seconds, and a machine to compare with after."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from containerd_engine import Store, containerd_engine
from onegig.engine.engine import connect
from onegig.model.stack import Stack
from small_image import SMALL_IMAGE
from stacks import plain_service


@pytest.fixture(scope="session")
def client() -> Iterator[DockerClient]:
    """The engine of this machine."""
    with connect() as connected:
        yield connected.client


@pytest.fixture(scope="session")
def store(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An engine with containerd's image store that was given the small image, by its id as well."""
    images = (SMALL_IMAGE, str(client.images.get(SMALL_IMAGE).id))
    with containerd_engine(client, images, str(tmp_path_factory.mktemp("project"))) as opened:
        yield opened


@pytest.fixture
def make_stack(tmp_path: Path) -> Callable[[dict[str, dict[str, Any]]], Stack]:
    """A compose project of services that run the small image, unless they name another."""

    def make(services: dict[str, dict[str, Any]]) -> Stack:
        resolved = {name: {"image": SMALL_IMAGE, **service} for name, service in services.items()}
        return Stack(
            name="onegig-test",
            directory=str(tmp_path),
            files=(),
            services=tuple(
                plain_service(
                    name,
                    service["image"],
                    has_healthcheck="healthcheck" in service,
                    depends_on=tuple(service.get("depends_on", ())),
                    memory_limit_bytes=int(service.get("mem_limit", 0)) or None,
                )
                for name, service in resolved.items()
            ),
            config_json=json.dumps({"name": "onegig-test", "services": resolved}),
        )

    return make


@pytest.fixture
def cli(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run onegig in the `project` of the test, with more variables if named."""

    def invoke(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "onegig.cli", *arguments],
            cwd=project,
            capture_output=True,
            text=True,
            env={**os.environ, "GITHUB_TOKEN": "", **environment},
            timeout=300,
            check=False,
        )

    return invoke


@pytest.fixture
def machine(client: DockerClient) -> Callable[[], set[str]]:
    """Everything on the machine that could be ours: names of objects, mounts and cgroups."""

    def look() -> set[str]:
        result = {f"container {entry.name}" for entry in client.containers.list(all=True)}
        result |= {f"volume {entry.name}" for entry in client.volumes.list()}
        result |= {f"network {entry.name}" for entry in client.networks.list()}
        images = client.api.images()  # in one request: others may remove some meanwhile
        result |= {f"image {tag}" for entry in images for tag in entry["RepoTags"] or ()}
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        result |= {f"mount {path}" for path in mounts if "docker" in path or "onegig" in path}
        for root, _, _ in os.walk("/sys/fs/cgroup"):
            if "docker" in root:
                result.add(f"cgroup {root}")
        return {thing for thing in result if "buildkit" not in thing}

    return look
