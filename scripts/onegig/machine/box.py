"""The box: a fresh Docker Engine inside one container capped at the tier's memory, swap off.

Two containers one after the other share a volume. The first has no cap: it takes the images and
the engine's programs in, and hands back the page cache that this filled. The second is the box:
capped from its first page on, so that the kernel's own high-water mark is that of engine and stack.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BootError, EngineError, MeasureError, OnegigError
from onegig.machine.load import RunningLoad, apply_load
from onegig.machine.machine import BootPlan, Start
from onegig.machine.nesting import HostPrograms, Nesting, ways
from onegig.machine.patience import allow_time, call_seconds
from onegig.machine.project import BoxProject, box_references, prepare_project
from onegig.machine.settings import NO_FIT, BoxFit, fit_box, pins_processors, read_settings
from onegig.machine.start import start_stack
from onegig.machine.watch import Watch, watch_box
from onegig.model.engines import EngineKind
from onegig.model.settings import Settings
from onegig.process import close, tail

READY_SECONDS = 600.0  # a busy machine takes minutes; an engine that fails ends at once
POLL_SECONDS = 0.2
NO_QUOTA = -1  # of processors
ROOM_BYTES = 8 * 1024**3
STOP_SECONDS = 30.0
CLEAR_SECONDS = 60.0
REMARK = "onegig: "
REFUSAL = "onegig refuses: "
# The services' OOM scores are 500 above the engine's, as on a machine: the box lowers the engine's,
# which some virtual machines do not allow; there the services' are raised by the rest.
ENGINE_SCORE_GAP = 500
# The engine's words when another engine, started with its bridge switched off, has deleted docker0:
# adding interface veth0 to bridge docker0 failed: could not find bridge docker0: route ip+net: …
_NO_BRIDGE = re.compile(r"could not find bridge (?P<name>\S+?):? ")


@dataclass(frozen=True, kw_only=True, slots=True)
class NestedEngine:
    """An engine inside a container of the outer engine."""

    engine: Engine
    outer: Engine
    container: str  # its name on the outer engine
    pid: int  # first process of the container, as the outer engine numbers it
    mode: str
    log: Path
    cap_bytes: int  # 0: none
    remarks: tuple[str, ...] = ()  # where the box has something else than the machine would have
    oom_score_shift: int = 0  # for the services, if the engine's own score cannot be lowered
    fit: BoxFit = NO_FIT
    start_seconds: float = 0.0  # that the engine took

    @property
    def settings(self) -> Settings:
        """Return the settings inside the machine."""
        return self.fit.settings_with(self.remarks, host_programs=self.mode == HostPrograms.mode)

    def lift_cap(self) -> None:
        """Give the box room for its engine to report and to clean up, and all processors."""
        with suppress(EngineError):
            quota = NO_QUOTA if self.fit.quota else 0
            self.outer.limit(self.container, ROOM_BYTES, quota)

    def clear(self) -> None:
        """Remove all containers; under its cap a full box's engine could not remove one.

        Raises BootError when the box can't be capped again.
        """
        self.lift_cap()
        self.engine.remove_all(CLEAR_SECONDS)
        try:
            self.outer.limit(self.container, self.cap_bytes, self.fit.quota)
        except EngineError as error:  # with cgroup v1 also if more than that is still in use
            raise BootError(
                "the box could not be cleared after a start that filled its memory",
                command=f"docker update --memory {self.cap_bytes} {self.container}",
                advice="run this again when the machine is less busy, or start fewer services",
                detail=error.message,
            ) from error


@dataclass(kw_only=True)
class Box:
    """A Machine; see open_machine."""

    plan: BootPlan
    project: BoxProject
    nested: NestedEngine
    watch: Watch
    running_load: RunningLoad
    twin: None = None

    def __post_init__(self) -> None:
        self.load, nested = self.running_load.description, self.nested
        self.engine, self.mode = nested.engine, nested.mode
        self.cap_bytes, self.remarks = nested.cap_bytes, nested.remarks
        if not nested.fit.quota:  # slow because it was asked for: whoever plans that gives it time
            self.plan, slow = allow_time(self.plan, nested.start_seconds)
            self.remarks = (*self.remarks, *slow)
        self.settings = nested.settings
        self.lift_cap = nested.lift_cap

    def start_stack(self) -> Start:
        """Start the stack and wait until it is ready; BootError when nothing could start."""
        start = start_stack(self.plan, self.project, self.nested, self.watch)
        self.running_load.resume(self.plan.engine)
        return start

    def rest(self) -> None:
        """Do nothing: the engine's processes stay."""

    def reboot(self) -> tuple[float, float]:
        """Raise MeasureError: a box has no operating system to boot."""
        raise MeasureError("a box cannot be rebooted", advice="measure with --on twin")

    def log(self) -> str:
        """Return the box's own log."""
        return self.nested.log.read_text(errors="replace")

    def load_problem(self) -> str:
        """Return why the load did not do its work, or "" if it did."""
        return self.running_load.failure


@contextmanager
def open_machine(plan: BootPlan) -> Iterator[Box]:
    """Yield a box in which the stack's images are, sampled and under load; gone afterwards.

    Raises BootError and EngineError if no engine can be nested, ConfigError for a load whose
    service is not in the stack.
    """
    project = prepare_project(
        json.loads(plan.stack.config_json),
        directory=plan.stack.directory,
        machine_bytes=plan.memtotal_bytes,
        architecture=plan.engine.architecture,
    )
    outer, run, hz = plan.engine, plan.run, plan.budgets.measure.hz
    images, cap_bytes = plan.stack.images, plan.cap_bytes
    fit = fit_box(
        vcpus=plan.vcpus,
        cpus=plan.cpus,
        wanted=plan.settings,
        processors=outer.processors,
        here=read_settings(),
        turn=0 if pins_processors(project.config) else os.getpid(),
    )
    with (
        open_nested(
            outer,
            run,
            images=images,
            project=project,
            cap_bytes=cap_bytes,
            say=plan.say,
            fit=fit,
            kind=plan.budgets.engine,
        ) as nested,
        watch_box(
            outer, run, pid=nested.pid, hz=hz, host_programs=nested.mode == HostPrograms.mode
        ) as watch,
        apply_load(plan, nested.container) as load,
    ):
        yield Box(plan=plan, project=project, nested=nested, watch=watch, running_load=load)


@contextmanager
def open_nested(
    outer: Engine,
    run: Run,
    *,
    images: Sequence[str],
    project: BoxProject,
    cap_bytes: int,
    say: Callable[[str], None],
    fit: BoxFit = NO_FIT,
    kind: EngineKind = EngineKind.DOCKER,
) -> Iterator[NestedEngine]:
    """Yield a nested engine with the images loaded; removed at the end whatever happened inside.

    Raises EngineError when the engine cannot be nested here and BootError when the nested engine
    does not come up.
    """
    with fill_volume(outer, run, images=images, project=project, say=say) as nesting:
        say(f"starting the box: {cap_bytes // 1024**2:,} MB, no swap{_describe_processors(fit)}")
        nesting.kind = kind
        with _start(nesting, "box", cap_bytes, fit) as box:
            yield box


@contextmanager
def fill_volume(
    outer: Engine,
    run: Run,
    *,
    images: Sequence[str],
    project: BoxProject,
    say: Callable[[str], None],
) -> Iterator[Nesting]:
    """Yield a working way to nest an engine, with its volume filled with the images.

    The volume is gone afterwards. Raises as `open_nested`.
    """
    first, *others = ways(outer, run, project)
    outer.create_volume(first.volume, run.labels)
    try:
        if images:
            say(f"loading {len(images)} images")
        nesting = first
        try:
            _fill(first, images)
        except BootError as error:
            if not others:
                raise
            say(f"{error.message}; trying the dind image")
            nesting = others[0]
            try:
                _fill(nesting, images)
            except Exception:
                raise error from None
        yield nesting
    finally:
        outer.remove_volume(first.volume)
        outer.images.remove(first.image_name)


def _describe_processors(fit: BoxFit) -> str:
    cpus = fit.settings.cpus
    return f", {cpus:g} CPU{'' if cpus == 1 else 's'}" if cpus else ""


def _fill(nesting: Nesting, images: Sequence[str]) -> None:
    nesting.prepare()
    outer, tags = nesting.engine.images, box_references(images)
    with _start(nesting, "load", 0) as loader:
        named = [image for image in images if image not in tags]
        if named:
            outer.copy(named, loader.engine.images)
        for image, tag in tags.items():
            outer.copy_as(image, tag, loader.engine.images)


@contextmanager
def _start(
    nesting: Nesting,
    role: str,
    cap_bytes: int,
    fit: BoxFit = NO_FIT,
) -> Iterator[NestedEngine]:
    """Yield a nested engine that answers; stopped in order at the end, or killed if capped."""
    outer, run = nesting.engine, nesting.run
    name, log = f"{run.name}-{role}", run.directory / f"{role}.log"
    options = ["--interactive", *run.label_options, "--privileged", "--cgroupns", "private"]
    if cap_bytes:
        options += ["--memory", str(cap_bytes), "--memory-swap", str(cap_bytes)]
    options += [*fit.options, *nesting.arguments(first=not cap_bytes)]
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        began = time.monotonic()
        child = outer.run(name, options, stdin=subprocess.PIPE, stdout=output, stderr=output)
        stack.callback(_stop, outer, child, name, in_order=not cap_bytes)
        nested = _await(child, nesting, name, log)
        stack.callback(nested.client.close)
        start_seconds = time.monotonic() - began
        nested.allow(call_seconds(start_seconds))
        assert child.stdin is not None  # noqa: S101 - it was asked for
        with suppress(OSError):  # a box that is gone says so at the next call
            child.stdin.write(b"\n")
            child.stdin.flush()
        pid, shift = outer.pid(name), 0
        with suppress(OSError):
            shift = ENGINE_SCORE_GAP + int(Path(f"/proc/{pid}/oom_score_adj").read_text())
        printed = read_remarks(log.read_text(errors="replace"))
        yield NestedEngine(
            engine=nested,
            outer=outer,
            container=name,
            pid=pid,
            mode=nesting.mode,
            log=log,
            cap_bytes=cap_bytes,
            remarks=(*fit.remarks, *nesting.project.remarks, *nesting.remarks, *printed),
            oom_score_shift=shift,
            fit=fit,
            start_seconds=start_seconds,
        )


def read_remarks(log: str) -> tuple[str, ...]:
    """Return the remarks that box.sh printed."""
    lines = [line for line in log.splitlines() if line.startswith(REMARK)]
    return tuple(line.removeprefix(REMARK) for line in lines)


def _await(child: subprocess.Popen[bytes], nesting: Nesting, name: str, log: Path) -> Engine:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        with suppress(EngineError, OSError):
            nested = nesting.dial(name)
            if nested is not None:
                return nested
        time.sleep(POLL_SECONDS)
    raise did_not_come_up(log.read_text(errors="replace"))


def did_not_come_up(log: str) -> OnegigError:
    """Return the error for a box whose container or engine ended with this log."""
    kind: type[OnegigError] = BootError
    message = "the engine inside the box did not start"
    advice = (
        "check its log above; the engine must be local and allowed to run privileged containers"
    )
    refusals = [line for line in log.splitlines() if line.startswith(REFUSAL)]
    if bridge := _NO_BRIDGE.search(log):
        kind = EngineError
        message = f"the Docker Engine has lost its bridge {bridge['name']}: no container can start"
        advice = "restart the engine: `sudo systemctl restart docker`"
    elif refusals:
        message = f"the box was not started: {refusals[-1].removeprefix(REFUSAL).rstrip('.')}"
        advice = "unmount it, or update the Docker Engine; newer versions mount it read-only"
    command = "docker run --privileged ... dockerd"
    return kind(message, command=command, advice=advice, detail=tail(log))


def _stop(outer: Engine, child: subprocess.Popen[bytes], name: str, *, in_order: bool) -> None:
    """Release the tether; wait for the engine only if its data is still needed."""
    if in_order:
        with suppress(OSError, subprocess.TimeoutExpired):
            child.communicate(timeout=STOP_SECONDS)
    outer.remove(name)
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=STOP_SECONDS)
    close(child)
