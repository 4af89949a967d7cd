"""`build --measure`: the stack's images built from scratch on a machine of the budgets' size."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread

import psutil

from onegig.engine.bake import build_on
from onegig.engine.build_steps import Timeline
from onegig.errors import BuildError, MeasureError
from onegig.machine.machine import BootPlan, Machine, names_inside, open_machine
from onegig.machine.processes import read_memory
from onegig.machine.sampler import BUILDKIT, Pass
from onegig.memory.summary import ENGINE_ORDER
from onegig.memory.totals import peak_pass, share_of, total_of
from onegig.model.budgets import Metric
from onegig.model.build import BuildMemory
from onegig.model.measured import Unknown
from onegig.model.memory import EnginePart
from onegig.model.stack import BuildInputs, Service, Stack, dump_config

CLIENT_SECONDS = 0.2  # between two looks at the client's processes
LATE_SECONDS = 5.0  # for a pass that was taken after the build
FULL_SHARE = 0.95  # of the cap: what fails then fails for lack of memory


@dataclass(slots=True)
class _Client:
    """The highest memory of the programs that this process has started, in bytes."""

    highest: int = 0


def measure_build(plan: BootPlan, inputs: BuildInputs, bases: Sequence[str]) -> BuildMemory:
    """Build every image of the plan's stack on the planned machine, in which only `bases` are.

    A build that fails because the kernel killed something, or while memory was full (its engine is
    gone then), is a result. Raises BuildError for any other failure, MeasureError when nothing was
    sampled.
    """
    stack, budgets = plan.stack, replace(plan.budgets, load=None)
    timeline, error = Timeline(), None
    machine_plan = replace(plan, stack=_only_bases(stack, bases), budgets=budgets)
    with open_machine(machine_plan) as machine:
        began = time.monotonic()
        plan.say(f"building {sum(service.builds for service in stack.services)} images there")
        with _watch_client() as client:
            try:
                build_on(
                    machine.engine,
                    stack,
                    plan.run,
                    say=plan.say,
                    inputs=inputs,
                    names=names_inside(bases),
                    on_line=timeline.read,
                )
            except BuildError as caught:
                error = caught
        ended = time.monotonic()
        _await_pass(machine, ended)
        memory = _summarise(machine, stack, timeline, began, ended)
    if error and not (memory.oom_kills or memory.held_bytes >= FULL_SHARE * memory.cap_bytes):
        raise error
    failure = error.message if error else ""
    return replace(memory, client_bytes=client.highest, error=failure)


def _only_bases(stack: Stack, bases: Sequence[str]) -> Stack:
    """Return a stack of nothing but images to be there before the build."""
    services = tuple(
        Service(
            name=base,
            image=base,
            builds=False,
            dockerfile=None,
            replicas=0,
            has_healthcheck=False,
            depends_on=(),
            optional=False,
            criticality="",
            memory_limit_bytes=None,
        )
        for base in bases
    )
    config = dump_config({"name": stack.name, "services": {}})
    return replace(stack, services=services, config_json=config, host_access=())


@contextmanager
def _watch_client() -> Iterator[_Client]:
    """Watch the processes that are started within this block."""
    client, over, own = _Client(), Event(), psutil.Process()
    before = {child.pid for child in own.children(recursive=True)}

    def look() -> None:
        while not over.wait(CLIENT_SECONDS):
            pids = (child.pid for child in own.children(recursive=True))
            sizes = [read_memory(pid) for pid in pids if pid not in before]
            client.highest = max(client.highest, sum(size[1] for size in sizes if size))

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield client
    finally:
        over.set()
        thread.join()


def _await_pass(machine: Machine, after: float) -> None:
    """Wait for a pass after that moment, which includes the kernel's kills until then."""
    while not machine.watch.between(after, time.monotonic()):
        if time.monotonic() > after + LATE_SECONDS:
            return
        time.sleep(1 / 20)


def _summarise(
    machine: Machine, stack: Stack, timeline: Timeline, began: float, ended: float
) -> BuildMemory:
    passes = machine.watch.between(began, time.monotonic())
    if not passes:
        raise MeasureError(
            "the box was gone before the build could be measured",
            advice="the box's own log:",
            detail=machine.log(),
        )
    peak = peak_pass(passes, Metric.COST)
    steps = peak.containers.get(BUILDKIT)
    marks = [sample.box.peak for sample in passes if sample.box.peak is not None]
    return BuildMemory(
        images=tuple(dict.fromkeys(s.image for s in stack.services if s.builds)),
        seconds=round(ended - began, 1),
        cap_bytes=machine.cap_bytes,
        cost_bytes=total_of(peak, Metric.COST),
        steps_bytes=share_of(steps, Metric.COST) if steps else 0,
        client_bytes=0,
        engine=tuple(
            EnginePart(name=kind, processes=use.processes, rss_bytes=use.rss, pss_bytes=use.pss)
            for kind in ENGINE_ORDER
            if (use := peak.engine.get(kind))
        ),
        peak_seconds=round(peak.time - began, 1),
        running=timeline.running(peak.time),
        held_bytes=max(sample.box.unreclaimable for sample in passes),
        usage_bytes=max(marks) if marks else Unknown(reason="kernel older than 5.19"),
        oom_kills=_count_kills(passes),
        failed=timeline.failed,
        settings=machine.settings,
        notes=machine.remarks,
    )


def _count_kills(passes: Sequence[Pass]) -> int:
    """Count OOM kills: by the kernel's log, or by the counters if that cannot be read."""
    logged = sum(len(sample.oom_killed) for sample in passes)
    steps = (sample.containers.get(BUILDKIT) for sample in passes)
    counted = (step.account.oom_kills for step in steps if step)
    return logged or max((*counted, *(sample.box.oom_kills for sample in passes)), default=0)
