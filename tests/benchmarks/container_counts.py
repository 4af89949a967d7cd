"""The same tiny container many times: time to start, peak while starting, memory in operation.

    PYTHONPATH=tests python tests/benchmarks/container_counts.py [--counts 15,30] [--cap 4096]

Each stack is booted in a box of `--cap` MB: all containers at once, or as many at a time as
`--parallel` says. The tables have the start, its peak and the quiet stack by part, in MB, and what
each part takes for one container more between two counts; where that changes, the line bends, and
the part that changes most is named. Seconds depend on what else this machine does, those of its
processors do not. `--network host` leaves the networks out, `--shared-shim` all shims but one.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from eaters import MIB, eater_image
from onegig.engine.engine import Engine, connect
from onegig.engine.owned import new_run
from onegig.machine.box import open_machine
from onegig.machine.machine import BootPlan
from onegig.machine.sampler import Pass
from onegig.memory.measure import plan_boot
from onegig.memory.totals import counted_cost
from onegig.model.budgets import Budgets
from onegig.model.measuring import Measure
from onegig.model.stack import Stack
from onegig.plan.shim import GROUP
from stacks import plain_service

KINDS = ("dockerd", "containerd", "shim", "runc")
PARTS = ("total", *KINDS, "stack", "its kernel", "kernel")
BEND = 0.15  # of the line's slope
Parts = dict[str, float]  # MB by PARTS


@dataclass(frozen=True, kw_only=True)
class Boot:
    """One stack, booted."""

    count: int
    seconds: float  # until all ran
    crowded: bool  # they filled the box, and started a few at a time then
    cpu_seconds: float  # of the box until then
    runc: int  # its processes, at most
    high_water: float  # MB of the box, page cache included
    peak: Parts  # at the highest total of the start
    quiet: Parts  # medians of the window


def tiny_stack(image: str, count: int, more: dict[str, Any]) -> Stack:
    """A stack of so many containers with one sleeping process each; `more` keys for each."""
    names = [f"tiny-{number:03}" for number in range(count)]
    service = {"image": image, "command": ["/eat", "idle", "1"], **more}
    config = {"name": "onegig-counts", "services": dict.fromkeys(names, service)}
    return Stack(
        name="onegig-counts",
        directory="/",
        files=(),
        services=tuple(plain_service(name, image) for name in names),
        config_json=json.dumps(config),
    )


def split(sample: Pass) -> Parts:
    """What each part takes; `its kernel` is the stack's, `kernel` that of engine and networks."""
    own = sum(used.account.kernel for used in sample.containers.values())
    sizes = {
        **dict.fromkeys(KINDS, 0),
        **{kind: usage.private for kind, usage in sample.engine.items()},
        "total": counted_cost(sample),
        "stack": sum(used.usage.private for used in sample.containers.values()),
        "its kernel": own,
        "kernel": sample.box.kernel - own,
    }
    return {name: sizes[name] / MIB for name in PARTS}


def boot(plan: BootPlan) -> Boot:
    """Boot a stack and watch it."""
    measured, outer = plan.budgets.measure, plan.engine.client.containers
    with open_machine(plan) as machine:
        container = outer.get(machine.nested.container)
        before = read_cpu_seconds(container)
        start = machine.start_stack()
        spent, up = read_cpu_seconds(container) - before, time.monotonic()
        time.sleep(measured.settle_seconds)
        quiet_at = time.monotonic()
        time.sleep(measured.window_seconds)
        starting = list(machine.watch.between(start.began, up))
        quiet = list(machine.watch.between(quiet_at, time.monotonic()))
    parts = [split(sample) for sample in quiet]
    running = sum(used.usage.processes > 0 for used in quiet[-1].containers.values())
    assert running == len(plan.stack.services), f"{running} run"
    runc = (sample.engine["runc"].processes for sample in starting if "runc" in sample.engine)
    return Boot(
        count=running,
        seconds=start.report.seconds,
        crowded=start.report.crowded > 0,
        cpu_seconds=spent,
        runc=max(runc, default=0),
        high_water=(quiet[-1].box.peak or 0) / MIB,
        peak=split(max(starting, key=counted_cost)),
        quiet={name: median(part[name] for part in parts) for name in PARTS},
    )


def read_cpu_seconds(container: Any) -> float:
    """Seconds of processors that a container has taken."""
    stats = container.stats(stream=False, one_shot=True)
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def plan_tiny(engine: Engine, stack: Stack, run: Any, options: Any, parallel: int) -> BootPlan:
    """The plan of a boot; `options` are those of the command line."""
    measure = Measure(settle_seconds=options.settle, window_seconds=8, healthy_timeout_seconds=1200)
    budgets = Budgets(
        path="budgets.yml", compose="compose.yml", tier_names=("none",), measure=measure
    )
    cap = options.cap * MIB
    plan = plan_boot(engine, stack, budgets, run, say, engine.architecture)
    return replace(plan, parallel=parallel, cap_bytes=cap, memtotal_bytes=cap, sold_bytes=cap)


def say(line: str) -> None:
    """Print progress."""
    print(f"  {line}", file=sys.stderr)


def print_boots(boots: Sequence[Boot], limit: str) -> None:
    """Print one table of the start and one of the quiet stack."""
    heads = ("containers", "s", "processor s", "runc's processes", "high water")
    print(f"\n{limit}: start\n\n| {' | '.join((*heads, *PARTS))} |")
    print("|--:" * (len(heads) + len(PARTS)) + "|")
    for each in boots:
        count = f"{each.count}{' (box full)' if each.crowded else ''}"
        first = f"{count} | {each.seconds:.0f} | {each.cpu_seconds:.1f} | {each.runc}"
        print(f"| {first} | {each.high_water:.0f} | {' | '.join(cells(each.peak))} |")
    print(f"\n{limit}: in operation\n\n| containers | {' | '.join(PARTS)} |")
    print("|--:" * (1 + len(PARTS)) + "|")
    for each in boots:
        print(f"| {each.count} | {' | '.join(cells(each.quiet))} |")


def cells(parts: Parts) -> Iterator[str]:
    """Sizes as text."""
    return (f"{parts[name]:.1f}" for name in PARTS)


def print_slopes(boots: Sequence[Boot], title: str, read: Callable[[Boot], Parts]) -> None:
    """Print what one container more takes between each two counts, and where the line bends."""
    counts = [each.count for each in boots]
    lines = {
        name: linear_regression(counts, [read(each)[name] for each in boots]) for name in PARTS
    }
    print(f"\n{title}: MB for one container more\n\n| containers | {' | '.join(PARTS)} |")
    print("|---" + "|--:" * len(PARTS) + "|")
    steps = [
        {n: (read(b)[n] - read(a)[n]) / (b.count - a.count) for n in PARTS}
        for a, b in pairwise(boots)
    ]
    for (a, b), step in zip(pairwise(counts), steps, strict=True):
        print(f"| {a} to {b} | {' | '.join(f'{step[name]:.2f}' for name in PARTS)} |")
    print(f"| line | {' | '.join(f'{lines[name].slope:.2f}' for name in PARTS)} |")
    print(f"| line at 0 | {' | '.join(f'{lines[name].intercept:.1f}' for name in PARTS)} |")
    print(f"\n{describe_bend(counts, steps, lines['total'].slope)}")


def describe_bend(counts: Sequence[int], steps: Sequence[Parts], slope: float) -> str:
    """Say at which count the line bends most, and which part bends it."""
    bends = [
        (after["total"] - before["total"], at) for at, (before, after) in enumerate(pairwise(steps))
    ]
    change, at = max(bends, key=lambda bend: abs(bend[0]), default=(0.0, 0))
    if abs(change) <= BEND * slope:
        return "It is straight."
    before, after = steps[at], steps[at + 1]
    part = max(PARTS[1:], key=lambda name: (after[name] - before[name]) * change)
    return (
        f"It bends at {counts[at + 1]}: {before['total']:.2f} MB for one container more before, "
        f"{after['total']:.2f} after; of {part} {before[part]:.2f} and {after[part]:.2f}."
    )


def main() -> None:
    """Boot every stack asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="15,30,60,100")
    parser.add_argument("--parallel", default="0,3", help="containers started at once; 0: all")
    parser.add_argument("--cap", type=int, default=4096)
    parser.add_argument("--settle", type=float, default=10)
    parser.add_argument("--network", default="", help="network_mode of each")
    parser.add_argument("--shared-shim", action="store_true")
    options = parser.parse_args()
    more: dict[str, Any] = {"network_mode": options.network} if options.network else {}
    if options.shared_shim:
        more["annotations"] = {GROUP: "tiny"}
    with (
        tempfile.TemporaryDirectory() as folder,
        connect() as engine,
        eater_image(engine, Path(folder)) as image,
    ):
        for parallel in map(int, options.parallel.split(",")):
            limit, boots = f"{parallel} at a time" if parallel else "all at once", list[Boot]()
            for count in map(int, options.counts.split(",")):
                with new_run() as run:
                    stack = tiny_stack(image, count, more)
                    boots.append(boot(plan_tiny(engine, stack, run, options, parallel)))
            print_boots(boots, limit)
            print_slopes(boots, f"{limit}: peak of the start", lambda each: each.peak)
            print_slopes(boots, f"{limit}: in operation", lambda each: each.quiet)


if __name__ == "__main__":
    main()
