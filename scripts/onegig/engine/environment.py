"""Reading the machine and the engine a measurement runs on."""

import os
import platform
from collections.abc import Iterable
from typing import Any

import psutil
from docker import DockerClient

from onegig import __version__
from onegig.model.measured import Environment

BASE_LABEL = "onegig.base"
FROM_REGISTRY = "official"


def read_environment(client: DockerClient, images: Iterable[str]) -> Environment:
    """The environment of a run; `images` tell which bases they were built on."""
    info: dict[str, Any] = client.info()
    return Environment(
        onegig_version=__version__,
        os=info.get("OperatingSystem", platform.platform()),
        kernel=info.get("KernelVersion", platform.release()),
        architecture=info.get("Architecture", platform.machine()),
        cpus=info.get("NCPU", os.cpu_count() or 1),
        memory_bytes=info.get("MemTotal", 0),
        engine_version=info.get("ServerVersion", "unknown"),
        cgroup_version=int(info.get("CgroupVersion", 1)),
        cgroup_driver=info.get("CgroupDriver", "unknown"),
        storage_driver=info.get("Driver", "unknown"),
        runner=_runner(),
        bases=_bases(client, images),
    )


def without_engine(bases: str) -> Environment:
    """The environment of images read from an archive: no engine has a part in it."""
    return Environment(
        onegig_version=__version__,
        os=platform.platform(),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpus=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        engine_version="none",
        cgroup_version=1,
        cgroup_driver="none",
        storage_driver="archive",
        runner=_runner(),
        bases=bases,
    )


def _runner() -> str:
    """GitHub names its runner images in ImageOS and ImageVersion."""
    name = os.environ.get("ImageOS")  # noqa: SIM112 - as GitHub writes it
    version = os.environ.get("ImageVersion")  # noqa: SIM112
    return f"{name} {version}" if name and version else "local"


def _bases(client: DockerClient, images: Iterable[str]) -> str:
    wanted = {name if ":" in name.rpartition("/")[2] else f"{name}:latest" for name in images}
    found = {
        (image.labels or {}).get(BASE_LABEL, FROM_REGISTRY)
        for image in client.images.list()
        if wanted.intersection(image.tags)
    }
    return ", ".join(sorted(found)) or FROM_REGISTRY
