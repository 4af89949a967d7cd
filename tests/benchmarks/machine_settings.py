"""Swap, zram and huge pages on the twin: what a stack takes with each.

    PYTHONPATH=tests python tests/benchmarks/machine_settings.py --with none,swap,zram --hold 700
    PYTHONPATH=tests python tests/benchmarks/machine_settings.py --with always,madvise --kind small

Each is one boot of a stack that holds so many MB (a third of each page does not compress). `needed`
is what system, engine and stack held at most, memory and swap together.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from eaters import COUNTS, KINDS, MIB, Bench, eater_image
from onegig.engine.engine import connect
from onegig.engine.owned import new_run
from onegig.errors import OnegigError
from onegig.memory.measure import measure
from onegig.model.memory import MemoryReport, Stall
from onegig.model.settings import HugePages
from onegig.model.stack import Stack
from onegig.model.tiers import find_tier
from onegig.model.twin import MachineKind, TwinMemory

SETTINGS = {
    "none": {},
    "swap": {"swap_bytes": 1024 * MIB},
    "zram": {"zram_bytes": 512 * MIB},
    "always": {},
    "madvise": {},
}
HEADS = ("with", "total", "needed", "in swap", "available", "shims", "stalled", "killed", "states")


def boot(bench: Bench, stack: Stack, setting: str) -> MemoryReport:
    """Boot the stack once on a twin with that setting."""
    budgets = replace(bench.budgets, machine=MachineKind.TWIN, **SETTINGS[setting])
    thp = HugePages(setting) if setting in list(HugePages) else None
    with new_run() as run:
        return measure(
            bench.engine,
            stack,
            budgets,
            bench.engine.describe([bench.image]),
            run,
            bench.say,
            adapt=lambda plan: (
                replace(plan, settings=replace(plan.settings, thp=thp)) if thp else plan
            ),
        )


def row(setting: str, report: MemoryReport) -> str:
    """One line of the table, in MB."""
    twin, stall = report.twin, report.box.stall
    assert isinstance(twin, TwinMemory)
    system = twin.system_bytes
    shims = sum(part.pss_bytes for part in report.engine if part.name == "shim")
    sizes = (
        system + max(sample.total_bytes for sample in report.samples),
        system + twin.held_bytes,
        twin.swap_peak_bytes,
        twin.peak.available_bytes,
        shims,
    )
    share = f"{stall.some_seconds / report.window.seconds:.1%}" if isinstance(stall, Stall) else "-"
    states = ", ".join(sorted({service.state for service in report.services}))
    figures = " | ".join(f"{size / MIB:.0f}" for size in sizes)
    return f"| {setting} | {figures} | {share} | {report.box.oom_kills} | {states} |"


def main() -> None:
    """Print one row for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--with", dest="settings", default="none,swap,zram")
    parser.add_argument("--kind", choices=KINDS, default="big")
    parser.add_argument("--hold", type=float, default=max(COUNTS.values()), help="MB")
    parser.add_argument("--tier", default="aws-t2-micro")
    options = parser.parse_args()
    print(f"| {' | '.join(HEADS)} |\n|---{'|--:' * (len(HEADS) - 2)}|---|", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        connect() as engine,
        eater_image(engine, Path(folder)) as image,
    ):
        tier = find_tier(options.tier)
        bench = Bench(engine, image, tier, lambda line: print(f"  {line}", file=sys.stderr))
        for setting in options.settings.split(","):
            try:
                report = boot(bench, bench.stack(options.kind, options.hold), setting)
                print(row(setting, report), flush=True)
            except OnegigError as error:
                print(f"| {setting} | failed: {error.message} |", flush=True)


if __name__ == "__main__":
    main()
