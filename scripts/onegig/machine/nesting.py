"""Two ways to nest an engine: the host's own programs, or the official dind image."""

import csv
import io
import os
import platform
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from docker import DockerClient
from docker.errors import DockerException
from docker.tls import TLSConfig

from onegig.engine.owned import Run
from onegig.errors import EngineError
from onegig.machine.project import BoxProject
from onegig.variables import search_path

REQUIRED = ("dockerd", "containerd", "containerd-shim-runc-v2", "runc")
USEFUL = ("docker-proxy", "docker-init")
SEARCH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/usr/libexec/docker")
ENTRY_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr")
DATA_ROOT = "/var/lib/docker"  # of an engine that is not set up otherwise
DIND_IMAGE = os.environ.get(
    "ONEGIG_DIND_IMAGE",
    "docker:28.5.2-dind@sha256:2a232a42256f70d78e3cc5d2b5d6b3276710a0de0596c145f627ecfae90282ac",
)
DIND_PORT = 2376
DIND_API = "1.44"  # asking for the version would come before the certificates are settled
CALL_SECONDS = 15  # an engine short of memory may answer late, or never
_DIND_ENTRY = """\
make_read_only "$PROJECT"
protect_kernel
[ -n "$KEEP_DISKS" ] || hide_disks
mkdir -p /.onegig
printf '%s' "$MEMINFO" >/.onegig/meminfo
echo -500 2>/dev/null >/proc/self/oom_score_adj || :
dockerd-entrypoint.sh --bip "$BRIDGE" --default-address-pool "base=$POOL,size=24" \
    --log-level warn </dev/null &
engine=$!
read -r _ && read -r _ || :
kill "$engine" 2>/dev/null || :
wait "$engine" || :
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What both ways need to know of a run: its project, its volume, the box's container names."""

    client: DockerClient
    run: Run
    project: BoxProject

    @property
    def volume(self) -> str:
        """The volume with the nested engine's data."""
        return f"{self.run.name}-data"

    @property
    def options(self) -> tuple[str, ...]:
        """Options of `docker run` that both ways have in common."""
        addresses = self.project.addresses
        return (
            *("--env", f"BRIDGE={addresses.bridge}", "--env", f"POOL={addresses.pool}"),
            *("--env", f"MEMINFO={self.project.meminfo}"),
            *("--env", f"KEEP_DISKS={'yes' if asks_for_disk(self.project) else ''}"),
        )


class Nesting(Protocol):
    """One way to nest an engine."""

    mode: str

    @property
    def remarks(self) -> tuple[str, ...]:
        """What this way cannot offer the project."""

    def prepare(self) -> None:
        """Whatever both containers share, before the first of them starts."""

    def arguments(self, name: str, *, first: bool) -> list[str]:
        """Arguments of `docker run`, after name, labels and cap, to image and command."""

    def dial(self, name: str) -> tuple[DockerClient, Mapping[str, str]] | None:
        """Return a client and the docker command's environment; None while nothing answers."""


class HostPrograms:
    """The host's dockerd, containerd and runc, in a container with the host's root as its own."""

    mode = "host engine"
    remarks = ()

    def __init__(self, place: Place) -> None:
        self.place = place
        self.programs = host_programs()
        self.image = f"{place.run.name}:box"
        self.sockets = place.run.directory / "sock"

    def prepare(self) -> None:
        """Return an empty image: every program the box runs is the host's."""
        self.sockets.mkdir(exist_ok=True)
        import_empty_image(self.place.client, self.place.run)

    def arguments(self, name: str, *, first: bool) -> list[str]:
        """Programs are copied at the first start only, and stay in the volume."""
        entry = read_script("box.sh")
        system = [folder for folder in ENTRY_FOLDERS if Path(folder).is_dir()]
        for socket in (self._bound_socket, self._socket):
            socket.unlink(missing_ok=True)
        return [
            *(f"--volume={folder}:{folder}:ro" for folder in system),
            *("--volume", "/:/host:ro", "--volume", f"{self.place.volume}:/box"),
            *("--mount", bind_option(str(self.sockets), "/box/sock")),
            *(*self.place.options, *self._lists()),
            *("--env", f"SOCKET_GROUP={os.getgid()}"),
            *("--env", f"PROGRAMS={' '.join(self.programs) if first else ''}"),
            *(self.image, "/bin/sh", "-c", read_script("read_only.sh") + entry),
        ]

    def _lists(self) -> Iterator[str]:
        """Options with what box.sh needs to know of the host's files."""
        folders = self.place.project.folders
        paths = (*folders, *self.place.project.files)
        engine_root = str(self.place.client.info().get("DockerRootDir") or DATA_ROOT)
        lists = {
            "SOURCES": dict.fromkeys((*paths, *map(os.path.realpath, paths))),
            "FOLDERS": folders,
            "HOST_SOCKETS": read_sockets(),
            "ENGINE_ROOT": (engine_root,),
        }
        for name, entries in lists.items():
            lines = "\n".join(entries)
            yield f"--env={name}={lines}"

    def dial(self, name: str) -> tuple[DockerClient, Mapping[str, str]] | None:
        """Through the socket, which leaves the folder that the box sees once it answers.

        A stack that reaches the folder could put a link to this machine's own engine in its place.
        """
        if not self._socket.exists():
            if not self._bound_socket.exists():
                return None
            _answering(f"unix://{self._bound_socket}", None).close()
            self._bound_socket.rename(self._socket)
        url = f"unix://{self._socket}"
        return _answering(url, None), {"DOCKER_HOST": url}

    @property
    def _socket(self) -> Path:
        return self.place.run.directory / "engine.sock"

    @property
    def _bound_socket(self) -> Path:
        return self.sockets / "docker.sock"


class Dind:
    """The official docker:dind image, over TLS on a loopback port; bind mounts are read-only."""

    mode = "dind"

    def __init__(self, place: Place) -> None:
        self.place = place
        self.certificates = place.run.directory / "certs"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Name the folders that the image's engine cannot see."""
        project = self.place.project
        inside = Path(project.directory)
        outside = [
            f
            for f in (*project.folders, *project.files)
            if inside not in (Path(f), *Path(f).parents)
        ]
        return tuple(
            f"{path} is missing in the box: the dind image sees the project's folder only."
            for path in outside
        )

    def prepare(self) -> None:
        """Return the image, pulled where it is not there; EngineError when it cannot be had."""
        self.certificates.mkdir(exist_ok=True)
        try:
            self.place.client.images.get(DIND_IMAGE)
        except DockerException:
            try:
                self.place.client.images.pull(DIND_IMAGE)
            except DockerException as error:
                raise EngineError(
                    "this machine's engine cannot be nested, and the dind image cannot be pulled",
                    command=f"docker pull {DIND_IMAGE}",
                    advice="run onegig on Linux with Docker Engine installed from packages",
                    detail=str(error),
                ) from error

    def arguments(self, name: str, *, first: bool) -> list[str]:
        """dind's own entrypoint makes the certificates."""
        directory = self.place.project.directory
        shutil.rmtree(self.certificates, ignore_errors=True)
        self.certificates.mkdir()
        return [
            *("--volume", f"{self.place.volume}:/var/lib/docker"),
            *("--volume", f"{self.certificates}:/certs", "--env", "DOCKER_TLS_CERTDIR=/certs"),
            *("--mount", bind_option(directory, directory, read_only=True), *self.place.options),
            *("--publish", f"127.0.0.1::{DIND_PORT}"),
            *("--env", f"PROJECT={directory}"),
            *(DIND_IMAGE, "sh", "-c", read_script("read_only.sh") + _DIND_ENTRY),
        ]

    def dial(self, name: str) -> tuple[DockerClient, Mapping[str, str]] | None:
        """Through the published port, with the client certificate."""
        client_certificates = self.certificates / "client"
        names = [client_certificates / f"{part}.pem" for part in ("cert", "key", "ca")]
        if not all(path.exists() for path in names):
            return None
        ports = self.place.client.containers.get(name).ports.get(f"{DIND_PORT}/tcp")
        if not ports:
            return None
        address = f"127.0.0.1:{ports[0]['HostPort']}"
        cert, key, authority = map(str, names)
        tls = TLSConfig(client_cert=(cert, key), ca_cert=authority, verify=True)
        environment = {
            "DOCKER_HOST": f"tcp://{address}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(client_certificates),
        }
        return _answering(f"https://{address}", tls, DIND_API), environment


def ways(place: Place) -> tuple[Nesting, ...]:
    """Return the ways to try here, best first. ONEGIG_BOX=dind leaves only the image."""
    if os.environ.get("ONEGIG_BOX") == "dind" or platform.system() != "Linux":
        return (Dind(place),)
    try:
        return HostPrograms(place), Dind(place)
    except EngineError:
        return (Dind(place),)


def asks_for_disk(project: BoxProject) -> bool:
    """Return whether a service has a disk of this machine as a device or mounts it."""
    services = project.config.get("services", {}).values()
    devices = [device for service in services for device in service.get("devices") or ()]
    paths = [str(d["source"] if isinstance(d, dict) else d.split(":")[0]) for d in devices]
    return any(Path(path).is_block_device() for path in (*paths, *project.folders))


def read_script(name: str) -> str:
    """Return the text of a shell script of this package."""
    return files("onegig.machine").joinpath(name).read_text(encoding="utf-8")


def host_programs() -> tuple[str, ...]:
    """Return the engine's programs on this host; EngineError when they are not here."""
    found = {name: shutil.which(name, path=search_path(SEARCH)) for name in (*REQUIRED, *USEFUL)}
    missing = [name for name in REQUIRED if not found[name]]
    if missing:
        raise EngineError(
            f"{', '.join(missing)} not found on this host: the box runs the host's own engine",
            advice="install Docker Engine here (a remote or desktop engine cannot be nested)",
        )
    return tuple(program for program in found.values() if program)


def bind_option(source: str, target: str, *, read_only: bool = False) -> str:
    """Return a bind mount for `docker run --mount`; its paths may hold colons and commas."""
    line = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}"]
    csv.writer(line, lineterminator="").writerow([*fields, *(["readonly"] if read_only else [])])
    return line.getvalue()


def read_sockets(table: Path = Path("/proc/net/unix")) -> tuple[str, ...]:
    """Return the files of this host's unix sockets, as the box has to hide them."""
    if not table.exists():
        return ()
    lines = [line.split(maxsplit=7) for line in table.read_text(errors="replace").splitlines()[1:]]
    paths = {fields[7] for fields in lines if len(fields) == 8 and fields[7].startswith("/")}
    return tuple(sorted(paths))


def import_empty_image(client: DockerClient, run: Run) -> None:
    """Return an image of no bytes, for containers whose programs all come from the host."""
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    changes = [f"LABEL {key}={value}" for key, value in run.labels.items()]
    client.api.import_image_from_data(
        empty.getvalue(), repository=run.name, tag="box", changes=changes
    )


def _answering(url: str, tls: TLSConfig | None, version: str = "auto") -> DockerClient:
    """Return a client whose engine answers; DockerException or OSError while it does not."""
    client = DockerClient(base_url=url, version=version, timeout=CALL_SECONDS, tls=tls or False)
    client.api.trust_env = False  # requests would let REQUESTS_CA_BUNDLE overrule our certificates
    client.ping()
    return client
