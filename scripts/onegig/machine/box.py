"""The box: a fresh Docker Engine inside one container capped at the tier's memory, swap off.

Two containers one after the other share a volume. The first has no cap: it takes the images and
the engine's programs in, and hands back the page cache that this filled. The second is the box:
capped from its first page on, so that the kernel's own high-water mark is that of engine and stack.
"""

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from docker import DockerClient
from docker.errors import DockerException
from requests import RequestException

from onegig.engine.owned import Run
from onegig.errors import BootError, EngineError, OnegigError
from onegig.machine.nesting import Nesting, Place, ways
from onegig.machine.project import BoxProject, box_references
from onegig.process import close, run, spawn, tail

READY_SECONDS = 180.0  # a busy machine takes a minute; an engine that fails ends at once
POLL_SECONDS = 0.2
ROOM_BYTES = 8 * 1024**3
STOP_SECONDS = 30.0
REMARK = "onegig: "
REFUSAL = "onegig refuses: "
ENGINE_SCORE_GAP = 500
# The engine's words when another engine, started with its bridge switched off, has deleted docker0:
# adding interface veth0 to bridge docker0 failed: could not find bridge docker0: route ip+net: …
_NO_BRIDGE = re.compile(r"could not find bridge (?P<name>\S+?):? ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A running box: its engine, and the container on the outer engine that holds it."""

    client: DockerClient
    environment: Mapping[str, str]  # makes the docker command speak to the nested engine
    container: str  # name of the container on the outer engine
    pid: int  # first process of the container, as the outer engine numbers it
    mode: str
    log: Path
    cap_bytes: int  # 0: none
    remarks: tuple[str, ...] = ()  # where the box has something else than the machine would have
    oom_score_shift: int = 0  # for the services, where the engine's own score cannot be lowered

    def lift_cap(self, outer: DockerClient) -> None:
        """Give the box room, so that its engine can say what happened, or clear it away."""
        self._limit(outer, ROOM_BYTES)

    def restore_cap(self, outer: DockerClient) -> None:
        """Take that room away again."""
        self._limit(outer, self.cap_bytes)

    def _limit(self, outer: DockerClient, limit_bytes: int) -> None:
        with suppress(DockerException):
            outer.api.update_container(
                self.container, mem_limit=limit_bytes, memswap_limit=limit_bytes
            )


@contextmanager
def open_box(
    client: DockerClient,
    run_: Run,
    *,
    images: Sequence[str],
    project: BoxProject,
    cap_bytes: int,
    say: Callable[[str], None],
) -> Iterator[Box]:
    """Yield a box with the images loaded; removed at the end whatever happened inside.

    Raises EngineError when the engine cannot be nested here and BootError when the nested engine
    does not come up.
    """
    place = Place(client=client, run=run_, project=project)
    client.volumes.create(place.volume, labels=run_.labels)
    try:
        say(f"loading {len(images)} images into the box")
        nesting = _load_first_that_works(place, images, say)
        say(f"starting the box: {cap_bytes // 1024**2:,} MB, no swap")
        with _engine(place, nesting, "box", cap_bytes=cap_bytes) as box:
            yield box
    finally:
        with suppress(DockerException):
            client.volumes.get(place.volume).remove(force=True)
        with suppress(DockerException):
            client.images.remove(f"{run_.name}:box", force=True)


def _load_first_that_works(
    place: Place, images: Sequence[str], say: Callable[[str], None]
) -> Nesting:
    """Fill the volume through the first way of nesting that comes up here."""
    first, *others = ways(place)
    try:
        _fill(place, first, images)
        return first
    except BootError as error:
        if not others:
            raise
        say(f"{error.message}; trying the dind image")
        try:
            _fill(place, others[0], images)
        except Exception:
            raise error from None
        return others[0]


def _fill(place: Place, nesting: Nesting, images: Sequence[str]) -> None:
    nesting.prepare()
    with _engine(place, nesting, "load", cap_bytes=None) as loader:
        _load(place.client, images, loader)


@contextmanager
def _engine(place: Place, nesting: Nesting, role: str, *, cap_bytes: int | None) -> Iterator[Box]:
    """Yield a nested engine that answers; stopped in order at the end, or killed if capped."""
    name = f"{place.run.name}-{role}"
    log = place.run.directory / f"{role}.log"
    memory = ["--memory", str(cap_bytes), "--memory-swap", str(cap_bytes)] if cap_bytes else []
    command = [
        *("docker", "run", "--rm", "--interactive", "--name", name, *place.run.label_options),
        *("--privileged", "--cgroupns", "private", *memory),
        *nesting.arguments(name, first=cap_bytes is None),
    ]
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        child = spawn(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
        stack.callback(_stop, place, child, name, in_order=cap_bytes is None)
        nested, environment = _await(child, nesting, name, log)
        stack.callback(nested.close)
        assert child.stdin is not None  # noqa: S101 - it was asked for
        with suppress(OSError):  # a box that is gone says so at the next call
            child.stdin.write(b"\n")
            child.stdin.flush()
        pid = int(place.client.api.inspect_container(name)["State"]["Pid"])
        remarks = (
            *place.project.remarks,
            *nesting.remarks,
            *read_remarks(log.read_text(errors="replace")),
        )
        yield Box(
            client=nested,
            environment=environment,
            container=name,
            pid=pid,
            mode=nesting.mode,
            log=log,
            cap_bytes=cap_bytes or 0,
            remarks=remarks,
            oom_score_shift=_oom_score_shift(pid),
        )


def _oom_score_shift(pid: int) -> int:
    """Return what keeps the services' OOM scores 500 above the engine's, as on a machine.

    The box lowers the engine's score by 500, which some virtual machines do not allow.
    """
    with suppress(OSError):
        return ENGINE_SCORE_GAP + int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    return 0


def read_remarks(log: str) -> tuple[str, ...]:
    """Return the remarks that box.sh printed."""
    lines = [line for line in log.splitlines() if line.startswith(REMARK)]
    return tuple(line.removeprefix(REMARK) for line in lines)


def _await(
    child: subprocess.Popen[bytes], nesting: Nesting, name: str, log: Path
) -> tuple[DockerClient, Mapping[str, str]]:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        with suppress(DockerException, RequestException, OSError):
            reached = nesting.dial(name)
            if reached is not None:
                return reached
        time.sleep(POLL_SECONDS)
    raise did_not_come_up(log.read_text(errors="replace"))


def did_not_come_up(log: str) -> OnegigError:
    """Return the error for a box whose container or engine ended with this log."""
    bridge = _NO_BRIDGE.search(log)
    if bridge:
        return EngineError(
            f"the Docker Engine has lost its bridge {bridge['name']}: no container can start",
            command="docker run --privileged ... dockerd",
            advice="restart the engine: `sudo systemctl restart docker`",
            detail=tail(log),
        )
    refusals = [line for line in log.splitlines() if line.startswith(REFUSAL)]
    if refusals:
        return BootError(
            f"the box was not started: {refusals[-1].removeprefix(REFUSAL).rstrip('.')}",
            command="docker run --privileged ... dockerd",
            advice="unmount it, or update the Docker Engine: newer ones keep it read-only",
            detail=tail(log),
        )
    return BootError(
        "the engine inside the box did not come up",
        command="docker run --privileged ... dockerd",
        advice="is the engine local and allowed to run privileged containers? its log is above",
        detail=tail(log),
    )


def _stop(place: Place, child: subprocess.Popen[bytes], name: str, *, in_order: bool) -> None:
    """Let go of the tether; without hurry only where the engine's data is still needed."""
    if in_order:
        with suppress(OSError, subprocess.TimeoutExpired):
            child.communicate(timeout=STOP_SECONDS)
    with suppress(DockerException):
        place.client.api.kill(name)
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=STOP_SECONDS)
    close(child)
    with suppress(DockerException):
        place.client.api.remove_container(name, force=True, v=True)


def _load(outer: DockerClient, images: Sequence[str], box: Box) -> None:
    """Copy images from the outer engine into the box's, shared layers once.

    Images given by digest or id are copied one by one, because `docker save` leaves out any name of
    theirs, and engines with another kind of image store give them another id.
    """
    references = box_references(images)
    named = [image for image in images if image not in references]
    if named:
        _copy(named, box)
    for image, reference in references.items():
        loaded = _copy([_id_of(outer, image)], box).rpartition("Loaded image")[2]
        try:
            box.client.images.get(loaded.partition(": ")[2].strip()).tag(reference)
        except DockerException as error:
            raise _not_copied([image], str(error)) from error


def _copy(images: Sequence[str], box: Box) -> str:
    """Save images of the outer engine and load them into the box's; return what `load` printed."""
    saver = spawn(["docker", "save", *images])
    assert saver.stdout is not None  # noqa: S101 - spawn makes a pipe
    try:
        loaded = run(
            ["docker", "load", "--quiet"],
            env=box.environment,
            stdin=saver.stdout,
            timeout_seconds=1800,
        )
        error = saver.stderr.read().decode(errors="replace") if saver.stderr else ""
        if saver.wait() != 0:
            raise _not_copied(images, tail(error))
        return loaded.stdout
    finally:
        close(saver)


def _id_of(client: DockerClient, image: str) -> str:
    try:
        return str(client.images.get(image).id)
    except DockerException as error:
        raise _not_copied([image], str(error)) from error


def _not_copied(images: Sequence[str], detail: str) -> BootError:
    return BootError(
        "the stack's images could not be copied into the box",
        command=f"docker save {' '.join(images)}",
        advice="onegig build builds them",
        detail=detail,
    )
