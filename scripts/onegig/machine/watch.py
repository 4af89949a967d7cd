"""Runs the sampler as a process outside the box and collects its passes."""

import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from threading import Thread

from pydantic import TypeAdapter, ValidationError

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import MeasureError
from onegig.machine.breakdown import Parts
from onegig.machine.nesting import system_folders
from onegig.machine.recording import Recording
from onegig.machine.sampler import Pass
from onegig.process import close, kill, spawn, tail

PACKAGE_ROOT = Path(__file__).parents[2]
FIRST_PASS_SECONDS = 300.0  # a container starts first without root; what fails ends at once
PYTHON = os.environ.get(  # where the host's own interpreter is out of reach
    "PYTHON_IMAGE",
    "python:3.13-alpine@sha256:399babc8b49529dabfd9c922f2b5eea81d611e4512e3ed250d75bd2e7683f4b0",
)
PARTS_SECONDS = 120.0  # with a container that is started for it
_PASS = TypeAdapter(Pass)
_PARTS = TypeAdapter(dict[str, Parts])


@dataclass(slots=True)
class Watch:
    """The passes so far, but for those taken while the watch was paused."""

    passes: Recording = field(default_factory=Recording)
    pauses: list[tuple[float, float]] = field(default_factory=list)
    # where the memory of each container's processes goes just now; empty where nobody can tell
    read_parts: Callable[[], Mapping[str, Parts]] = dict

    def add(self, sample: Pass) -> None:
        """Store a pass, unless it was taken in a pause."""
        if not any(paused <= sample.time <= resumed for paused, resumed in self.pauses):
            self.passes.add(sample)

    def between(self, start: float, end: float) -> Sequence[Pass]:
        """Return the passes of a window, by the monotonic clock."""
        return self.passes.between(start, end)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Ignore passes within this block, because the box is not in its normal state."""
        paused = time.monotonic()
        self.pauses.append((paused, math.inf))
        try:
            yield
        finally:
            self.pauses[-1] = (paused, time.monotonic())


@contextmanager
def watch_box(
    outer: Engine, run: Run, *, pid: int, hz: float, host_programs: bool
) -> Iterator[Watch]:
    """Sample the box of that first process until the end of the block.

    Raises MeasureError when no pass comes.
    """
    start = partial(_start, outer, run, host_programs=host_programs)
    child = start("sampler", "--pid", str(pid), "--hz", str(hz))
    watch = Watch(read_parts=lambda: _read_parts(start("breakdown", "--pid", str(pid))))
    reader = Thread(target=_collect, args=(child, watch), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + FIRST_PASS_SECONDS
        while not watch.passes:
            if child.poll() is not None or time.monotonic() > deadline:
                raise _silent(child)
            time.sleep(0.02)
        yield watch
    finally:
        kill(child)
        reader.join()
        close(child)


def _start(
    outer: Engine, run: Run, name: str, *arguments: str, host_programs: bool
) -> Popen[bytes]:
    """Start a module of machine/ as root; through the engine if that is not who we are."""
    module = ["-P", "-m", f"onegig.machine.{name}", *arguments]
    linux = platform.system() == "Linux"
    if linux and os.geteuid() == 0:
        return spawn([sys.executable, *module], env={"PYTHONPATH": str(PACKAGE_ROOT)})
    options = [
        *("--privileged", "--pid", "host", "--cgroupns", "host", "--network", "none"),
        *(*run.label_options, "--env", "PYTHONDONTWRITEBYTECODE=1"),
    ]
    if linux and host_programs:
        options += [
            *system_folders(),
            *("--volume", "/:/host:ro", "--env", f"PYTHONPATH={PACKAGE_ROOT}"),
            *(f"{run.name}:box", "/usr/sbin/chroot", "/host", sys.executable, *module),
        ]
    else:
        options += [
            *("--volume", f"{PACKAGE_ROOT}:/onegig:ro", "--env", "PYTHONPATH=/onegig"),
            *(PYTHON, "python3", *module),
        ]
    return outer.run(f"{run.name}-{name}", options)


def _collect(child: Popen[bytes], watch: Watch) -> None:
    assert child.stdout is not None  # noqa: S101 - spawn makes a pipe
    for line in child.stdout:
        if line.endswith(b"\n"):
            watch.add(_PASS.validate_json(line))


def _read_parts(child: Popen[bytes]) -> Mapping[str, Parts]:
    """Return the child's output by container id, or nothing if it fails or is late."""
    try:
        output, _ = child.communicate(timeout=PARTS_SECONDS)
        return _PARTS.validate_json(output)
    except (TimeoutExpired, ValidationError):
        return {}
    finally:
        kill(child)
        close(child)


def _silent(child: Popen[bytes]) -> MeasureError:
    kill(child)
    error = child.stderr.read().decode(errors="replace") if child.stderr else ""
    return MeasureError(
        "the sampler could not read the box's memory",
        command="python -m onegig.machine.sampler",
        advice="the box's cgroup must be readable from this host, so the engine must be local",
        detail=tail(error),
    )
