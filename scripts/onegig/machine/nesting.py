"""Two ways to nest an engine: the host's own programs, or the official dind image."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from onegig.engine.build_plan import csv_fields
from onegig.engine.engine import CERTIFICATES, Engine, reach
from onegig.engine.owned import Run
from onegig.errors import EngineError
from onegig.machine.project import BoxProject
from onegig.model.engines import EngineKind, engine_environment, engine_options
from onegig.variables import search_path

REQUIRED = ("dockerd", "containerd", "containerd-shim-runc-v2", "runc")
USEFUL = ("docker-proxy", "docker-init")
SEARCH = (  # before PATH, which often lacks the administrator's programs
    *("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"),
    "/usr/libexec/docker",
)
DIND_IMAGE = os.environ.get(
    "ONEGIG_DIND_IMAGE",
    "docker:28.5.2-dind@sha256:2a232a42256f70d78e3cc5d2b5d6b3276710a0de0596c145f627ecfae90282ac",
)
DIND_PORT = 2376
DIND_API = "1.44"  # asking for the version would come before the certificates are settled


class _Nesting:
    """Base of all ways to nest an engine. `engine` is the outer one."""

    def __init__(self, engine: Engine, run: Run, project: BoxProject) -> None:
        self.engine = engine
        self.run = run
        self.project = project
        self.volume = f"{run.name}-data"  # with the nested engine's data
        self.image_name = f"{run.name}:box"
        self.remarks: tuple[str, ...] = ()  # what this way cannot offer the project
        self.kind = EngineKind.DOCKER  # of the nested engine

    def variables(self, more: Mapping[str, str]) -> Iterator[str]:
        """Yield options with the variables that the entry script needs."""
        variables = {
            "BRIDGE": self.project.addresses.bridge,
            "POOL": self.project.addresses.pool,
            "MEMINFO": self.project.meminfo,
            "KEEP_DISKS": "yes" if asks_for_disk(self.project) else "",
            "ENGINE_OPTIONS": " ".join(engine_options(self.kind)),
            **engine_environment(self.kind),
        }
        return (f"--env={name}={value}" for name, value in {**variables, **more}.items())


class HostPrograms(_Nesting):
    """The host's dockerd, containerd and runc, in a container with the host's root as its own."""

    mode = "host engine"

    def __init__(self, engine: Engine, run: Run, project: BoxProject) -> None:
        super().__init__(engine, run, project)
        self.programs = host_programs()
        self.sockets = run.directory / "sock"
        self._bound_socket = self.sockets / "docker.sock"
        self._socket = run.directory / "engine.sock"

    def prepare(self) -> None:
        """Create an empty image: every program in the box is the host's."""
        self.sockets.mkdir(exist_ok=True)
        self.engine.images.import_empty(self.image_name, self.run.labels)

    def arguments(self, *, first: bool) -> list[str]:
        """Return arguments of `docker run` after name, labels and cap.

        Programs are copied at the first start and stay in the volume.
        """
        for socket in (self._bound_socket, self._socket):
            socket.unlink(missing_ok=True)
        script = read_script("read_only.sh") + read_script("box.sh")
        project = self.project
        paths = (*project.folders, *project.files)
        variables = {
            "SOURCES": "\n".join(dict.fromkeys((*paths, *map(os.path.realpath, paths)))),
            "FOLDERS": "\n".join(project.folders),
            "HOST_SOCKETS": "\n".join(read_sockets()),
            "ENGINE_ROOT": self.engine.data_root,
            "SOCKET_GROUP": str(os.getgid()),
            "PROGRAMS": " ".join(self.programs) if first else "",
        }
        return [
            *system_folders(),
            *("--volume", "/:/host:ro", "--volume", f"{self.volume}:/box"),
            *("--mount", bind_option(str(self.sockets), "/box/sock")),
            *self.variables(variables),
            *(self.image_name, "/bin/sh", "-c", script),
        ]

    def dial(self, name: str) -> Engine | None:
        """Return the engine behind the socket, after moving it out of the folder that the box sees.

        A stack that reaches the folder could put a link to this machine's own engine in its place.
        """
        if not self._socket.exists():
            if not self._bound_socket.exists():
                return None
            reach(f"unix://{self._bound_socket}").client.close()
            self._bound_socket.rename(self._socket)
        return reach(f"unix://{self._socket}")


class Dind(_Nesting):
    """The official docker:dind image, over TLS on a loopback port; bind mounts are read-only."""

    mode = "dind"

    def __init__(self, engine: Engine, run: Run, project: BoxProject) -> None:
        super().__init__(engine, run, project)
        self.certificates: Path  # of the container that was started last
        self.remarks = tuple(
            f"{path} is missing in the box: the dind image can only see the project's folder."
            for path in (*project.folders, *project.files)
            if not Path(path).is_relative_to(project.directory)
        )

    def prepare(self) -> None:
        """Pull the image if it is missing; EngineError when it cannot be pulled."""
        try:
            self.engine.images.pull_missing(DIND_IMAGE)
        except EngineError as error:
            raise EngineError(
                "this machine's engine cannot be nested, and the dind image cannot be pulled",
                command=f"docker pull {DIND_IMAGE}",
                advice="run onegig on Linux with Docker Engine installed from packages",
                detail=error.detail or error.message,
            ) from error

    def arguments(self, *, first: bool) -> list[str]:
        """Return arguments of `docker run` likewise; dind's entrypoint makes the certificates.

        Root writes them, but into folders of this user, who can remove them with the run's.
        """
        directory = self.project.directory
        self.certificates = Path(tempfile.mkdtemp(prefix="certs-", dir=self.run.directory))
        for name in ("ca", "server", "client"):
            (self.certificates / name).mkdir()
        return [
            *("--volume", f"{self.volume}:/var/lib/docker"),
            *("--volume", f"{self.certificates}:/certs"),
            *("--mount", bind_option(directory, directory, read_only=True)),
            *self.variables({"DOCKER_TLS_CERTDIR": "/certs", "PROJECT": directory}),
            *("--publish", f"127.0.0.1::{DIND_PORT}"),
            *(DIND_IMAGE, "sh", "-c", read_script("read_only.sh") + read_script("dind.sh")),
        ]

    def dial(self, name: str) -> Engine | None:
        """Return the engine behind the published port, by the client's certificate."""
        certificates = self.certificates / "client"
        if not all((certificates / file).exists() for file in CERTIFICATES):
            return None
        port = self.engine.published_port(name, DIND_PORT)
        return reach(f"tcp://127.0.0.1:{port}", certificates, DIND_API) if port else None


Nesting = HostPrograms | Dind


def ways(engine: Engine, run: Run, project: BoxProject) -> tuple[Nesting, ...]:
    """Return the ways to try here, best first. ONEGIG_BOX=dind leaves only the image."""
    dind = Dind(engine, run, project)
    if os.environ.get("ONEGIG_BOX") == "dind" or platform.system() != "Linux":
        return (dind,)
    try:
        return HostPrograms(engine, run, project), dind
    except EngineError:
        return (dind,)


def asks_for_disk(project: BoxProject) -> bool:
    """Return whether a service has a disk of this machine as a device or mounts it."""
    services = project.config.get("services", {}).values()
    devices = [device for service in services for device in service.get("devices") or ()]
    paths = [str(d["source"] if isinstance(d, dict) else d.split(":")[0]) for d in devices]
    return any(Path(path).is_block_device() for path in (*paths, *project.folders))


def system_folders() -> tuple[str, ...]:
    """Return options that mount the host's programs and libraries at their places."""
    folders = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr")
    return tuple(f"--volume={f}:{f}:ro" for f in folders if Path(f).is_dir())


def read_script(name: str) -> str:
    """Return the text of a shell script of this package."""
    return files("onegig.machine").joinpath(name).read_text(encoding="utf-8")


def host_programs() -> tuple[str, ...]:
    """Return the engine's programs on this host; EngineError when they are not here."""
    path = search_path(SEARCH)
    paths = {name: shutil.which(name, path=path) for name in (*REQUIRED, *USEFUL)}
    missing = [name for name in REQUIRED if not paths[name]]
    if missing:
        raise EngineError(
            f"{', '.join(missing)} not found on this host: the box runs the host's own engine",
            advice="install Docker Engine here (a remote or desktop engine cannot be nested)",
        )
    return tuple(program for program in paths.values() if program)


def bind_option(source: str, target: str, *, read_only: bool = False) -> str:
    """Return a bind mount for `docker run --mount`; its paths may hold colons and commas."""
    fields = ["type=bind", f"source={source}", f"target={target}"]
    return csv_fields([*fields, "readonly"] if read_only else fields)


def read_sockets(table: Path = Path("/proc/net/unix")) -> tuple[str, ...]:
    """Return the files of this host's unix sockets, as the box has to hide them."""
    if not table.exists():
        return ()
    lines = [line.split(maxsplit=7) for line in table.read_text(errors="replace").splitlines()[1:]]
    paths = {fields[7] for fields in lines if len(fields) == 8 and fields[7].startswith("/")}
    return tuple(sorted(paths))
