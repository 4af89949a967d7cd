"""The box: a fresh Docker Engine inside one container capped at the tier's memory, swap off.

Two containers one after the other share a volume. The first has no cap: it takes the images and
the engine's programs in, and hands back the page cache that this filled. The second is the box:
capped from its first page on, so that the kernel's own high-water mark is that of engine and stack.
"""

import io
import os
import platform
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, DockerException

from onegig.errors import BootError, EngineError
from onegig.owned import Run
from onegig.process import kill, run, spawn, tail

REQUIRED = ("dockerd", "containerd", "containerd-shim-runc-v2", "runc")
USEFUL = ("docker-proxy", "docker-init")
SEARCH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/usr/libexec/docker")
ENTRY_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr")
DIND_IMAGE = "docker:28.5.2-dind"
READY_SECONDS = 60.0
ROOM_BYTES = 8 * 1024**3
CALL_SECONDS = 15  # an engine short of memory may answer late, or never
STOP_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A running box: its engine, the container that holds it, and that container's first process."""

    client: DockerClient
    socket: str  # of the nested engine, for the docker command
    container: str  # name of the container on the outer engine
    pid: int  # first process of the container, as the outer engine numbers it
    mode: str
    log: Path

    def lift_cap(self, outer: DockerClient) -> None:
        """Give the box room once the measurement is over, so that its engine can tell what happened."""
        with suppress(DockerException):
            outer.api.update_container(
                self.container, mem_limit=ROOM_BYTES, memswap_limit=ROOM_BYTES
            )

    @property
    def url(self) -> str:
        """What DOCKER_HOST must be to reach the nested engine."""
        return f"unix://{self.socket}"


@contextmanager
def open_box(
    client: DockerClient,
    run_: Run,
    *,
    images: Sequence[str],
    project: str,
    cap_bytes: int,
    say: Callable[[str], None],
) -> Iterator[Box]:
    """A box with the images loaded; removed at the end whatever happened inside.

    Raises EngineError when the engine cannot be nested here and BootError when the nested engine
    does not come up.
    """
    maker = _Maker(client, run_, project, _programs())
    maker.prepare()
    try:
        say(f"loading {len(images)} images into the box")
        with maker.engine("load", cap_bytes=None, copy_programs=True) as loader:
            _load(images, loader)
        say(f"starting the box: {cap_bytes // 1024**2:,} MB, no swap")
        with maker.engine("box", cap_bytes=cap_bytes, copy_programs=False) as box:
            yield box
    finally:
        maker.remove()


class _Maker:
    """Starts and stops the two containers of one box."""

    def __init__(
        self, client: DockerClient, run_: Run, project: str, programs: tuple[str, ...]
    ) -> None:
        self.client = client
        self.run = run_
        self.project = project
        self.programs = programs
        self.image = f"{run_.name}:box"
        self.volume = f"{run_.name}-data"
        self.sockets = run_.directory / "sock"

    def prepare(self) -> None:
        """The volume and an empty image: every program the box runs is the host's."""
        self.sockets.mkdir(exist_ok=True)
        self.client.volumes.create(self.volume, labels=self.run.labels)
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w").close()
        repository, tag = self.image.split(":")
        changes = [f"LABEL {key}={value}" for key, value in self.run.labels.items()]
        self.client.api.import_image_from_data(
            empty.getvalue(), repository=repository, tag=tag, changes=changes
        )

    def remove(self) -> None:
        """Take volume and image away; the containers remove themselves."""
        with suppress(DockerException):
            self.client.volumes.get(self.volume).remove(force=True)
        with suppress(DockerException):
            self.client.images.remove(self.image, force=True)

    @contextmanager
    def engine(self, role: str, *, cap_bytes: int | None, copy_programs: bool) -> Iterator[Box]:
        """A nested engine that answers; stopped in order at the end, or killed."""
        name = f"{self.run.name}-{role}"
        log = self.run.directory / f"{role}.log"
        socket = self.sockets / "docker.sock"
        socket.unlink(missing_ok=True)
        with log.open("wb") as output:
            child = spawn(
                self._command(name, cap_bytes, copy_programs),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        try:
            nested = self._await(child, socket, log)
            pid = int(self.client.api.inspect_container(name)["State"]["Pid"])
            yield Box(
                client=nested,
                socket=str(socket),
                container=name,
                pid=pid,
                mode="host engine",
                log=log,
            )
            nested.close()
        finally:
            self._stop(child, name, in_order=cap_bytes is None)

    def _command(self, name: str, cap_bytes: int | None, copy_programs: bool) -> list[str]:
        entry = files("onegig.memory").joinpath("box.sh").read_text(encoding="utf-8")
        folders = [folder for folder in ENTRY_FOLDERS if Path(folder).is_dir()]
        programs = " ".join(self.programs) if copy_programs else ""
        memory = ["--memory", str(cap_bytes), "--memory-swap", str(cap_bytes)] if cap_bytes else []
        return [
            *("docker", "run", "--rm", "--interactive", "--name", name, *self.run.label_options),
            *("--privileged", "--cgroupns", "private", *memory),
            *(f"--volume={folder}:{folder}:ro" for folder in folders),
            *("--volume", "/:/host:ro", "--volume", f"{self.volume}:/host/mnt"),
            *("--volume", f"{self.sockets}:/host/mnt/sock"),
            *("--volume", f"{self.project}:/project:ro", "--env", f"PROJECT={self.project}"),
            *("--env", f"PROGRAMS={programs}", "--env", f"SOCKET_GROUP={os.getgid()}"),
            *(self.image, "/bin/sh", "-c", entry),
        ]

    def _await(self, child: subprocess.Popen[bytes], socket: Path, log: Path) -> DockerClient:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and child.poll() is None:
            if socket.exists():
                try:
                    nested = DockerClient(
                        base_url=f"unix://{socket}", version="auto", timeout=CALL_SECONDS
                    )
                    nested.ping()
                    return nested
                except (DockerException, OSError):
                    pass
            time.sleep(0.05)
        raise BootError(
            "the engine inside the box did not come up",
            command="docker run --privileged ... dockerd",
            advice="is the engine local and allowed to run privileged containers? its log:",
            detail=tail(log.read_text(errors="replace")),
        )

    def _stop(self, child: subprocess.Popen[bytes], name: str, *, in_order: bool) -> None:
        """Let go of the tether; without hurry only where the engine's data is still needed."""
        if in_order:
            with suppress(OSError, subprocess.TimeoutExpired):
                child.communicate(timeout=STOP_SECONDS)
        with suppress(APIError, DockerException):
            self.client.api.kill(name)
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=STOP_SECONDS)
        kill(child)
        with suppress(APIError, DockerException):
            self.client.api.remove_container(name, force=True, v=True)


def _programs() -> tuple[str, ...]:
    """The engine's programs on this host; EngineError when they are not here."""
    if platform.system() != "Linux":
        raise EngineError(
            f"the box needs the engine's own programs, which {platform.system()} keeps in a VM",
            advice="run onegig on Linux, or in a workflow on ubuntu-24.04",
        )
    path = os.pathsep.join((*SEARCH, os.environ.get("PATH", "")))
    found = {name: shutil.which(name, path=path) for name in (*REQUIRED, *USEFUL)}
    missing = [name for name in REQUIRED if not found[name]]
    if missing:
        raise EngineError(
            f"{', '.join(missing)} not found on this host: the box runs the host's own engine",
            advice="install Docker Engine here (a remote or desktop engine cannot be nested)",
        )
    return tuple(path for path in found.values() if path)


def _load(images: Sequence[str], box: Box) -> None:
    """Copy images from the outer engine into the box's, shared layers once."""
    saver = spawn(["docker", "save", *images])
    assert saver.stdout is not None
    try:
        run(
            ["docker", "--host", box.url, "load", "--quiet"],
            stdin=saver.stdout,
            timeout_seconds=1800,
        )
        error = saver.stderr.read().decode(errors="replace") if saver.stderr else ""
        if saver.wait() != 0:
            raise BootError(
                "the stack's images could not be copied into the box",
                command=f"docker save {' '.join(images)}",
                advice="onegig build builds them",
                detail=tail(error),
            )
    finally:
        kill(saver)
