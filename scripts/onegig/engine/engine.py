"""A Docker Engine, this machine's or a nested one, and what onegig does with it.

Nothing outside this room speaks to an engine. Methods raise EngineError when it does not answer.
"""

import os
import platform
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from typing import Any

import docker
import psutil
from docker import DockerClient
from docker.tls import TLSConfig
from docker.types import IPAMConfig, IPAMPool

from onegig import __version__
from onegig.engine.images import ENGINE_FAULTS, Images, typed_errors
from onegig.errors import EngineError
from onegig.model.measured import Environment
from onegig.process import spawn

OLDEST_ENGINE = 24
CALL_SECONDS = 120
NESTED_CALL_SECONDS = 15  # an engine short of memory may answer late, or never
POLL_SECONDS = 0.25
START_INTERVAL_API = (1, 44)  # Docker Engine 25; docker compose refuses the key for older ones
DATA_ROOT = "/var/lib/docker"  # of an engine that is not set up otherwise
CERTIFICATES = ("cert.pem", "key.pem", "ca.pem")


class Engine:
    """An engine; `environment` makes the docker command speak to it."""

    def __init__(self, client: DockerClient, environment: Mapping[str, str] | None = None) -> None:
        self.client = client
        self.environment = dict(environment or {})
        self.images = Images(client, self.environment)

    @property
    def architecture(self) -> str:
        """Return "amd64", "arm64" and so on."""
        with typed_errors("docker version"):
            return str(self.client.version()["Arch"])

    @property
    def version(self) -> str:
        """Return the engine's version, "28.2.2"."""
        with typed_errors("docker version"):
            return str(self.client.version().get("Version", "unknown"))

    @property
    def has_start_interval(self) -> bool:
        """Return whether health checks can have an interval of their own while they start."""
        number = str(self.client.api.api_version)
        return tuple(map(int, number.split("."))) >= START_INTERVAL_API

    @property
    def data_root(self) -> str:
        """Return the folder in which the engine keeps its data."""
        with typed_errors("docker info"):
            return str(self.client.info().get("DockerRootDir") or DATA_ROOT)

    @property
    def processors(self) -> int:
        """Return the number of processors that the engine's containers may run on."""
        with typed_errors("docker info"):
            return int(self.client.info().get("NCPU") or os.cpu_count() or 1)

    def describe(self, images: Iterable[str]) -> Environment:
        """Return the environment of a run; `images` tell which bases they were built on."""
        with typed_errors("docker info"):
            info: dict[str, Any] = self.client.info()
        here = without_engine(self.images.bases(images))
        return replace(
            here,
            os=info.get("OperatingSystem", here.os),
            kernel=info.get("KernelVersion", here.kernel),
            architecture=info.get("Architecture", here.architecture),
            cpus=info.get("NCPU", here.cpus),
            memory_bytes=info.get("MemTotal", 0),
            engine_version=info.get("ServerVersion", "unknown"),
            cgroup_version=int(info.get("CgroupVersion", 1)),
            cgroup_driver=info.get("CgroupDriver", "unknown"),
            storage_driver=info.get("Driver", "unknown"),
        )

    def allow(self, seconds: int) -> None:
        """Set the time limit of every call."""
        self.client.api.timeout = seconds

    def run(self, name: str, options: Sequence[str], **streams: Any) -> Popen[bytes]:
        """Start `docker run` as a child process; `options` end with the image and its command."""
        command = ["docker", "run", "--rm", "--name", name, *options]
        return spawn(command, env=self.environment, **streams)

    def start(self, image: str, command: Sequence[str], name: str, **options: Any) -> str:
        """Start a container in the background and return its id."""
        with typed_errors("docker run --detach"):
            container = self.client.containers.run(
                image, list(command), name=name, entrypoint=[], detach=True, **options
            )
        return str(container.id)

    def inspect(self, *labels: str) -> list[dict[str, Any]]:
        """Return what `docker inspect` says of every container with these labels."""
        with typed_errors("docker inspect"):
            listed = self.client.api.containers(all=True, filters={"label": list(labels)})
            return [self.client.api.inspect_container(container["Id"]) for container in listed]

    def pid(self, container: str) -> int:
        """Return the number of a container's first process."""
        with typed_errors(f"docker inspect {container}"):
            return int(self.client.api.inspect_container(container)["State"]["Pid"])

    def processes(self, container: str) -> tuple[int, ...]:
        """Return the numbers of a container's processes."""
        with typed_errors(f"docker top {container}"):
            top = self.client.api.top(container)
        place = top["Titles"].index("PID")
        return tuple(int(row[place]) for row in top["Processes"])

    def published_port(self, container: str, port: int) -> str | None:
        """Return the port of this machine that leads to a container's; None while none does."""
        with typed_errors(f"docker port {container}"):
            ports = self.client.containers.get(container).ports.get(f"{port}/tcp")
        return ports[0]["HostPort"] if ports else None

    def log(self, container: str, lines: int) -> str:
        """Return the last lines that a container printed."""
        with typed_errors(f"docker logs {container}"):
            raw: bytes = self.client.api.logs(container, tail=lines)
        return raw.decode(errors="replace").rstrip()

    def wait(self, container: str) -> int:
        """Wait until a container ends; return its exit code. EngineError if it takes too long."""
        with typed_errors(f"docker wait {container}"):
            seconds = self.client.api.timeout
            return int(self.client.api.wait(container, timeout=seconds)["StatusCode"])

    def start_again(self, container: str) -> None:
        """Start a container that has ended; ignore one that runs."""
        with typed_errors(f"docker start {container}"):
            self.client.api.start(container)

    def limit(self, container: str, limit_bytes: int, cpu_quota: int = 0) -> None:
        """Cap a running container's memory, swap off; 0: no change.

        `cpu_quota` is in microseconds of the container's period: -1 for no limit, 0 for no change.
        """
        with typed_errors(f"docker update {container}"):
            self.client.api.update_container(
                container, mem_limit=limit_bytes, memswap_limit=limit_bytes, cpu_quota=cpu_quota
            )

    def restart(self, container: str) -> None:
        """Kill a container's program, if it runs, and start it again at once."""
        with typed_errors(f"docker restart {container}"):
            self.client.api.restart(container, timeout=0)

    def remove(self, container: str) -> None:
        """Remove a container and its anonymous volumes; ignore one that is gone."""
        with suppress(*ENGINE_FAULTS):
            self.client.api.remove_container(container, force=True, v=True)

    def remove_all(self, seconds: float) -> None:
        """Remove every container; ask an engine that is stuck again until the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(*ENGINE_FAULTS):
                containers = self.client.api.containers(all=True, quiet=True)
                if not containers:
                    return
                for container in containers:
                    if time.monotonic() >= deadline:
                        return
                    with suppress(*ENGINE_FAULTS):
                        self.client.api.remove_container(container["Id"], force=True, v=False)
            time.sleep(POLL_SECONDS)

    def create_network(
        self, name: str, pools: Iterable[tuple[str, str | None, str]], *, ipv6: bool
    ) -> None:
        """Create a bridge; each pool has a subnet, a range for new addresses, and a gateway."""
        configs = [IPAMPool(*pool) for pool in pools]
        with typed_errors(f"docker network create {name}"):
            self.client.networks.create(
                name,
                driver="bridge",
                ipam=IPAMConfig(pool_configs=configs) if configs else None,
                enable_ipv6=ipv6,
            )

    def create_volume(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Create a volume."""
        with typed_errors(f"docker volume create {name}"):
            self.client.volumes.create(name, labels=dict(labels or {}))

    def remove_volume(self, name: str) -> None:
        """Remove a volume; ignore one that is gone."""
        with suppress(*ENGINE_FAULTS):
            self.client.volumes.get(name).remove(force=True)


@contextmanager
def connect() -> Iterator[Engine]:
    """Yield the engine that DOCKER_HOST or the default socket names.

    Raises EngineError when none answers, when this user may not ask it, or when it is too old.
    """
    try:
        client = docker.from_env(timeout=CALL_SECONDS)
        version = str(client.version().get("Version", "0"))
    except (*ENGINE_FAULTS, ValueError) as error:  # ValueError: DOCKER_HOST is not an address
        message, detail = "no Docker Engine answers", str(error)
        advice = (
            "start one (`sudo systemctl start docker`), point DOCKER_HOST at one, or run "
            "scripts/check as root on Debian or Ubuntu to have one installed"
        )
        if "Permission denied" in detail or "PermissionError" in detail:
            message, detail = "this user is not allowed to use the Docker Engine", ""
            advice = (
                "add the user to the docker group (`sudo usermod -aG docker $USER`, then log in "
                "again) or run as root"
            )
        command = "docker version"
        raise EngineError(message, command=command, advice=advice, detail=detail) from error
    try:
        number = re.match(r"v?(\d+)", version)  # "dev" is one that somebody has built
        if number and int(number[1]) < OLDEST_ENGINE:
            raise EngineError(
                f"Docker Engine {version} is too old: onegig needs {OLDEST_ENGINE} or later",
                command="docker version",
                advice="upgrade the engine, or run scripts/check as root on Debian or Ubuntu",
            )
        yield Engine(client)
    finally:
        client.close()


def reach(
    address: str,
    certificates: Path | None = None,
    version: str = "auto",
    seconds: int = CALL_SECONDS,
) -> Engine:
    """Return the engine at an address like unix://PATH or tcp://HOST:PORT once it answers.

    `certificates` is a folder with a client's certificate, key and authority, `seconds` the time
    limit of a call. EngineError while nothing answers.
    """
    environment, tls = {"DOCKER_HOST": address}, None
    with typed_errors("docker version"):
        if certificates is not None:
            cert, key, authority = (str(certificates / name) for name in CERTIFICATES)
            tls = TLSConfig(client_cert=(cert, key), ca_cert=authority, verify=True)
            environment |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
        client = DockerClient(
            base_url=address.replace("tcp:", "https:"),
            version=version,
            timeout=seconds,
            tls=tls or False,
        )
        client.api.trust_env = False  # REQUESTS_CA_BUNDLE would overrule our certificates
        client.ping()
    return Engine(client, environment)


def without_engine(bases: str) -> Environment:
    """Return the environment of images read from an archive, in which no engine has a part."""
    name = os.environ.get("ImageOS")  # noqa: SIM112 - as GitHub writes it, for its runner images
    version = os.environ.get("ImageVersion")  # noqa: SIM112
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
        runner=f"{name} {version}" if name and version else "local",
        bases=bases,
    )
