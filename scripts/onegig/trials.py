"""Trials of a plan: its stack read anew with the plan's changes, booted and judged.

A trial is a boot like the one that the plan was made of: the same kind of machine, load and window.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from onegig import pipeline
from onegig.config.stack import load_stack
from onegig.errors import OnegigError
from onegig.files import absolute
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.stack import Stack
from onegig.model.tiers import find_tier
from onegig.pipeline import Options
from onegig.plan.edit import override_text
from onegig.plan.verify import Bench, Trial, verify
from onegig.planning import read_case
from onegig.progress import Progress

if TYPE_CHECKING:
    from onegig.engine.engine import Engine
    from onegig.engine.owned import Run
    from onegig.machine.machine import BootPlan

OVERRIDE = "trial.yml"


def try_plan(report: Report, options: Options, progress: Progress) -> Report:
    """Return a report just made, its plan tried if `options` ask for it; errors become notes."""
    if not options.verify or isinstance(report.plan, Missing):
        return report
    try:
        return verify_report(report, options, progress, is_built=True)
    except OnegigError as error:
        note = f"the plan could not be tried: {error.message}"
        return replace(report, plan=replace(report.plan, notes=(*report.plan.notes, note)))


def verify_report(
    report: Report, options: Options, progress: Progress, *, is_built: bool
) -> Report:
    """Return the report with what `options.verify` names of its plan tried.

    Images are built first where `is_built` is false. Without a plan the report stays as it is.
    Raises OnegigError where nothing can be tried.
    """
    if isinstance(report.plan, Missing) or isinstance(report.memory, Missing):
        return report
    budgets, stack = pipeline.load(options)
    budgets = _as_measured(budgets, report.memory)
    if _describe_load(budgets) != report.memory.window.load:
        progress.note("the load of budgets.yml is not the one that was measured with")
    case = read_case(report, budgets, stack, datetime.fromisoformat(report.created).date())
    if isinstance(case, Missing):
        return report
    with pipeline.session(progress) as (engine, run):
        if not is_built:
            pipeline.build(stack, budgets, run, progress)
        trials = _Trials(options, budgets, stack, report, engine, run, progress)
        bench = Bench(boot=trials.boot, judge_for=trials.judge_for)
        return replace(report, plan=verify(report.plan, case, options.verify, bench))


@dataclass(frozen=True, slots=True)
class _Trials:
    """The effects that plan/verify.py asks for."""

    options: Options
    budgets: Budgets
    stack: Stack
    report: Report
    engine: "Engine"
    run: "Run"
    progress: Progress

    def boot(self, trial: Trial) -> Report:
        """Boot the stack as a trial changes it, and return what it takes, judged."""
        with self.progress.step(f"read the stack as plan {trial.name} changes it"):
            stack = self._read_stack(trial)
        budgets = _with_swap(self.budgets, trial)
        memory = pipeline.measure_stack(
            self.engine, stack, budgets, self.run, self.progress, partial(_adapt, trial=trial)
        )
        return self._judge(budgets, memory)

    def judge_for(self, tier: str) -> Report:
        """Judge today's measurement for a tier instead of the budget's machine."""
        limit = find_tier(tier).memory_bytes
        memory = replace(self.budgets.memory, limit_bytes=limit)
        return self._judge(
            replace(self.budgets, tier_names=(tier,), memory=memory), self.report.memory
        )

    def _judge(self, budgets: Budgets, memory: MemoryReport | Missing) -> Report:
        return pipeline.judge_reports(self.options, budgets, self.report.images, memory)

    def _read_stack(self, trial: Trial) -> Stack:
        """Return the stack with the trial's changes in one more compose file, read last.

        What budgets.yml says of services that are gone does not count.
        """
        file = self.run.directory / OVERRIDE
        file.touch(mode=0o600)
        file.write_text(override_text(trial.override))
        files = (*map(absolute, map(Path, self.stack.files)), file)
        return load_stack(
            files if trial.override else files[:-1],
            folder=Path(self.stack.working_directory),
            profiles=self.options.profiles or self.budgets.profiles,
            env=pipeline.load_environment(self.budgets),
        )


def _as_measured(budgets: Budgets, memory: MemoryReport) -> Budgets:
    """Return the budgets with the machine and window of a report; trials are booted once."""
    window = memory.window
    measure = replace(
        budgets.measure,
        window_seconds=window.seconds,
        settle_seconds=window.settle_seconds,
        repeats=1,
        throttled=False,
        reboot=False,
    )
    return replace(budgets, machine=memory.machine, measure=measure)


def _describe_load(budgets: Budgets) -> str:
    load = budgets.load
    return f"{load.service}: {' '.join(load.words)}" if load else ""


def _with_swap(budgets: Budgets, trial: Trial) -> Budgets:
    if not (trial.swap_bytes or trial.zram_bytes):
        return budgets
    return replace(
        budgets, swap_bytes=trial.swap_bytes or None, zram_bytes=trial.zram_bytes or None
    )


def _adapt(plan: "BootPlan", trial: Trial) -> "BootPlan":
    """Return the boot with the trial's settings of the machine."""
    settings = replace(plan.settings, thp=trial.thp) if trial.thp else plan.settings
    return replace(plan, settings=settings, parallel=trial.parallel)
