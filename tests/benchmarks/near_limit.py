"""Stacks just below and above what their machine has: the sum's verdict beside the kernel's answer.

    PYTHONPATH=tests python tests/benchmarks/near_limit.py [--kind big] [--points -50,0,50] [--twin]

Each stack needs so many MB more than its tier has (MemTotal) as the point says. `sum` is the
verdict without a squeeze, `squeeze` the kernel's answer, `verdict` what both give. A GO beside a
kill is a false GO, a NO-GO that ran without pressure a false NO-GO. `--twin` boots each stack in a
virtual machine of that tier as well; what its OS takes is then what the points are counted from.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from eaters import KINDS, MIB, Bench, Case, describe_answer, eater_image
from onegig.engine.engine import connect
from onegig.engine.owned import remove_leftovers
from onegig.errors import OnegigError
from onegig.model.memory import Squeeze
from onegig.model.tiers import find_tier
from onegig.model.twin import TwinMemory


def twin_column(bench: Bench, case: Case) -> str:
    """What a virtual machine did with the same stack."""
    try:
        stack = bench.stack(case.kind, case.hold_mb)
        report = bench.measure(stack, squeezed=False, twin=True)
    except OnegigError as error:
        return f"failed: {error.message}"
    worst = report.services[0].state
    states = "all up" if all(s.state == "healthy" for s in report.services) else worst.value
    stall = getattr(report.box.stall, "some_seconds", None)
    stalled = "" if stall is None else f", stall {stall / report.window.seconds:.1%}"
    return f"{report.box.oom_kills} killed, {states}{stalled}"


def twin_os_bytes(bench: Bench) -> int:
    """What the idle OS of the virtual machine takes."""
    twin = bench.measure(bench.stack("big", 100), squeezed=False, twin=True).twin
    assert isinstance(twin, TwinMemory)
    return twin.os_bytes


def row(case: Case, needed_mb: float, seconds: float, twin: str) -> str:
    """One line of the table."""
    squeeze = case.report.squeeze
    rates = ""
    if isinstance(squeeze, Squeeze) and hasattr(squeeze.faults, "major_per_second"):
        faults = squeeze.faults
        rates = f"{faults.major_per_second:.0f} / {faults.refaults_per_second:,.0f}"
    return (
        f"| {case.kind} | {case.delta_mb:+} | {needed_mb:.0f} | {case.before.state} "
        f"| {describe_answer(case.report)} | {rates} | {case.verdict.state} "
        f"| {twin} | {seconds:.0f} |"
    )


def main() -> None:
    """Print one row for each kind and point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--points", default="-50,0,50")
    parser.add_argument("--tier", default="aws-t2-micro")
    parser.add_argument("--os", type=int, help="MB that the idle OS takes, instead of measuring it")
    parser.add_argument("--twin", action="store_true")
    options = parser.parse_args()
    tier = find_tier(options.tier)
    if options.os:
        tier = replace(tier, os_idle_bytes=options.os * MIB)
    heads = "kind", "MB over", "needed", "sum", "squeeze", "major faults / refaults a second"
    print("|", " | ".join((*heads, "verdict", "twin", "s")), "|")
    print("|" + "--|" * 9, flush=True)
    with tempfile.TemporaryDirectory() as folder, connect() as engine:
        remove_leftovers(engine)
        with eater_image(engine, Path(folder)) as image:
            say = partial(print, file=sys.stderr)
            bench = Bench(engine, image, tier, say)
            if options.twin and not options.os:
                bench.tier = replace(tier, os_idle_bytes=twin_os_bytes(bench))
            for kind in options.kind or KINDS:
                base = bench.base_mb(kind)
                for point in map(int, options.points.split(",")):
                    began = time.monotonic()
                    case = bench.run(kind, bench.hold_mb(base, point), point)
                    twin = twin_column(bench, case) if options.twin else "-"
                    line = row(case, bench.needed_mb(case), time.monotonic() - began, twin)
                    print(line, flush=True)


if __name__ == "__main__":
    main()
