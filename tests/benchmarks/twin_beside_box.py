"""The real cost of the same stacks in a box and on a twin: how far apart, and where it lies.

    PYTHONPATH=tests python tests/benchmarks/twin_beside_box.py [--kind big] [--box-only]

Each part has a row: engine and stack by PSS, shared memory, the kernel's own. `quiet` is the least
total of the window, where no health check runs, `lost` what the twin's available memory fell by.
One process with much heap, forty tiny containers, a page cache, a full tmpfs; the reference stack
is measured by `onegig measure --on twin` beside `--on box`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from eaters import MIB, Bench, eater_image, make_stack
from onegig.engine.engine import connect
from onegig.errors import OnegigError
from onegig.model.memory import MemoryReport
from onegig.model.service import READY
from onegig.model.stack import Stack
from onegig.model.tiers import find_tier
from onegig.model.twin import TwinMemory

PARALLEL = 3  # forty at once fill the machine by their start
STACKS = {"big": 300, "forty": 60, "cache": 100, "tmpfs": 250}  # MB that each holds
KINDS = ("dockerd", "containerd", "shim", "runc")
PARTS = ("cost", *KINDS, "stack", "shared", "kernel", "quiet", "lost")


def parts(report: MemoryReport) -> dict[str, float]:
    """MB of each part at the peak of the window."""
    box, twin = report.box, report.twin
    sizes = {
        "cost": box.cost_bytes,
        **dict.fromkeys(KINDS, 0),
        **{part.name: part.pss_bytes for part in report.engine},
        "stack": box.total_pss_bytes,
        "shared": box.shmem_bytes,
        "kernel": box.kernel_bytes,
    }
    if isinstance(twin, TwinMemory):
        sizes |= {"cost": twin.counted_bytes, "lost": twin.fell_bytes}
    sizes["quiet"] = min(sample.total_bytes for sample in report.samples)
    return {name: size / MIB for name, size in sizes.items()}


def print_rows(kind: str, box: dict[str, float], twin: dict[str, float]) -> None:
    """Print the parts of both, and how much more the twin has."""
    for name in PARTS:
        here, there = box.get(name, box["cost"]), twin.get(name)
        if there is None:
            print(f"| {kind} | {name} | {here:.1f} | - | - |")
        else:
            more = f"{(there - here) / here:+.1%}" if here else "-"
            print(f"| {kind} | {name} | {here:.1f} | {there:.1f} | {more} |", flush=True)


def twin_parts(bench: Bench, stack: Stack) -> dict[str, float]:
    """The parts as a twin has them; none where it did not come up."""
    try:
        report = bench.measure(stack, squeezed=False, twin=True, parallel=PARALLEL)
    except OnegigError as error:
        print(f"  {error.message}: {error.detail}", file=sys.stderr)
        return {}
    for service in report.services:
        if service.state not in READY:
            print(f"  {service.name} {service.state}: {service.reason}", file=sys.stderr)
    return parts(report)


def main() -> None:
    """Print a table of all stacks that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=STACKS)
    parser.add_argument("--tier", default="aws-t2-micro")
    parser.add_argument("--box-only", action="store_true")
    options = parser.parse_args()
    print("| stack | part | box, MB | twin, MB | more |\n|---|---|--:|--:|--:|", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        connect() as engine,
        eater_image(engine, Path(folder)) as image,
    ):
        tier = find_tier(options.tier)
        bench = Bench(
            engine,
            image,
            tier,
            lambda line: print(f"  {line}", file=sys.stderr),
            healthy_timeout_seconds=600,
        )
        for kind in options.kind or STACKS:
            stack = make_stack(image, kind, STACKS[kind], "/")
            report = bench.measure(stack, squeezed=False, parallel=PARALLEL)
            box, twin = parts(report), dict[str, float]()
            if not options.box_only:
                twin = twin_parts(bench, stack)
            print_rows(kind, box, twin)


if __name__ == "__main__":
    main()
