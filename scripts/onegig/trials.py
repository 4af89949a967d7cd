"""Trials of a plan: its stack read anew with the plan's changes, booted and judged.

A trial is a boot like the one that the plan was made of: the same kind of machine, load and window.

On a box that is nearly full the kernel pushes pages of programs out, the engine's first: what was
measured there is less than the stack holds where it may, and says little of what an action saves.
So then the stack is booted again with room, the plan is made of that, and trials get the same room;
near a limit a squeeze asks whether they fit without it.
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
from onegig.model.options import Options
from onegig.model.report import Report
from onegig.model.stack import Stack
from onegig.model.tiers import find_tier
from onegig.plan.edit import override_text
from onegig.plan.need import is_nearly_full
from onegig.plan.options import make_plan
from onegig.plan.verify import Bench, Trial, verify
from onegig.planning import check_same_stack, read_case
from onegig.progress import Progress

if TYPE_CHECKING:
    from onegig.engine.engine import Engine
    from onegig.engine.owned import Run
    from onegig.machine.machine import BootPlan

OVERRIDE = "trial.yml"
TODAY = "the stack as it is"
ROOM = 2  # times the cap of a box that was nearly full
WITH_ROOM = "the machine was nearly full: these figures are of another boot, with room"


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
    check_same_stack(report, stack)
    budgets = _as_measured(budgets, report.memory)
    if _describe_load(budgets) != report.memory.window.load:
        progress.note("the load of budgets.yml is not the one that was measured with")
    with pipeline.session(progress) as (engine, run):
        if not is_built:
            pipeline.build(stack, budgets, run, progress)
        cap = _cap_bytes(budgets, report.memory)
        trials = _Trials(options, budgets, stack, report, engine, run, progress, cap)
        base = report
        if cap > report.memory.box.cap_bytes:
            base = trials.boot(Trial(name=TODAY))
        case = read_case(base, budgets, stack, datetime.fromisoformat(report.created).date())
        plan = report.plan if isinstance(case, Missing) or base is report else make_plan(case)
        if isinstance(case, Missing) or isinstance(plan, Missing):
            return report
        if base is not report:
            plan = replace(plan, notes=(*plan.notes, WITH_ROOM))
        trials = replace(trials, report=base)
        bench = Bench(boot=trials.boot, judge_for=trials.judge_for)
        return replace(report, plan=verify(plan, case, options.verify, bench))


def _cap_bytes(budgets: Budgets, memory: MemoryReport) -> int:
    """Return the cap of the trials' boxes: as measured, or more where that was nearly full."""
    cap = memory.box.cap_bytes
    is_tight = cap <= budgets.memory.room_bytes and is_nearly_full(memory)
    return cap * ROOM if is_tight else cap


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
    cap_bytes: int

    def boot(self, trial: Trial) -> Report:
        """Boot the stack as a trial changes it, and return what it takes, judged."""
        with self.progress.step(f"read the stack for the trial of {trial.name}"):
            stack = self._read_stack(trial)
        budgets = _with_machine(self.budgets, trial)
        adapt = partial(_adapt, trial=trial, cap_bytes=self.cap_bytes)
        memory = pipeline.measure_stack(self.engine, stack, budgets, self.run, self.progress, adapt)
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
    """Return the budgets with the machine and window of a report.

    Trials are booted once, and their Redis is not audited again: no action changes its data.
    """
    window = memory.window
    measure = replace(
        budgets.measure,
        window_seconds=window.seconds,
        settle_seconds=window.settle_seconds,
        repeats=1,
        throttled=False,
        reboot=False,
    )
    return replace(budgets, machine=memory.machine, engine=memory.engine_kind, measure=measure)


def _describe_load(budgets: Budgets) -> str:
    load = budgets.load
    return f"{load.service}: {' '.join(load.words)}" if load else ""


def _with_machine(budgets: Budgets, trial: Trial) -> Budgets:
    """Return the budgets with the trial's engine and swap."""
    budgets = replace(budgets, engine=trial.engine or budgets.engine)
    if not (trial.swap_bytes or trial.zram_bytes):
        return budgets
    return replace(
        budgets, swap_bytes=trial.swap_bytes or None, zram_bytes=trial.zram_bytes or None
    )


def _adapt(plan: "BootPlan", trial: Trial, cap_bytes: int) -> "BootPlan":
    """Return the boot with the trial's settings of the machine, in a box with so much memory."""
    settings = replace(plan.settings, thp=trial.thp) if trial.thp else plan.settings
    return replace(plan, settings=settings, parallel=trial.parallel, cap_bytes=cap_bytes)
