"""The pipeline: load -> build -> inspect -> boot and measure -> judge.

Each function is one step, takes its input as data and can be run alone; `attempt` runs them all.
Steps that need an engine import what speaks to it themselves: where results are only judged
(`onegig comment`, `onegig publish`), that is not installed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from onegig.config.budgets import check_against, default_budgets, load_budgets
from onegig.config.stack import load_stack, part_of
from onegig.errors import ConfigError, EngineError, InspectError, MeasureError, OnegigError
from onegig.judge.build import judge_build
from onegig.judge.fit import doubt
from onegig.judge.limits import describe_host_access
from onegig.judge.throttled import plan_throttle
from onegig.judge.tier import choose_tier, plan_squeeze, tightest_room
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.build import BuildReport
from onegig.model.codec import from_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.model.measuring import RATE
from onegig.model.memory import MemoryReport
from onegig.model.options import Options
from onegig.model.report import Report
from onegig.model.stack import Stack
from onegig.model.tiers import NO_TIER, find_tier, tier_for
from onegig.model.twin import MachineKind
from onegig.model.verdict import Baseline
from onegig.planning import NO_STACK, with_plan
from onegig.process import ask_git, terminable
from onegig.progress import Progress, Quiet

if TYPE_CHECKING:
    from onegig.dockerfiles.stages import BuildFile
    from onegig.engine.engine import Engine
    from onegig.engine.owned import Run
    from onegig.images.trivy import Scanner
    from onegig.memory.measure import Adapt


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A check as far as it went: what was measured before an error stays in the report."""

    report: Report
    budgets: Budgets
    stack: Stack | None  # None: it could not be read
    error: OnegigError | None


def check(options: Options, progress: Progress | None = None) -> Report:
    """Run every step and return the report. Raises OnegigError if a step fails."""
    result = attempt(options, progress or Quiet(color=False))
    if result.error:
        raise result.error
    return result.report


def attempt(options: Options, progress: Progress) -> Attempt:
    """Run every step; an error ends it but keeps what is known by then."""
    budgets, stack = Budgets(path=str(options.budgets), compose=""), None
    images: ImagesReport | Missing | None = None
    memory: MemoryReport | Missing | None = None
    error: OnegigError | None = None
    try:
        with progress.step("read budgets and stack"):
            budgets, stack = load(options)
            inspected = [from_json(ImagesReport, p.read_bytes(), str(p)) for p in options.inspected]
        warn_of_host_access(stack, progress)
        with session(progress) as (engine, run):
            build(stack, budgets, run, progress)
            images = inspect_stack(engine, stack, options, progress, inspected)
            memory = measure_stack(engine, stack, budgets, run, progress)
    except OnegigError as caught:
        error = caught
    missing = Unknown(reason=error.message if error else "")
    measured = images or missing, memory or missing
    report = judge_reports(options, budgets, *measured, stack=stack or NO_STACK)
    return Attempt(report=report, budgets=budgets, stack=stack, error=error)


def load(options: Options) -> tuple[Budgets, Stack]:
    """Return the budgets, and the compose project they name; messages then name its first file."""
    budgets = load_limits(options)
    stack = load_stack(
        options.compose or tuple(map(Path, budgets.compose_files)),
        folder=Path() if options.compose else options.budgets.parent,
        profiles=options.profiles or budgets.profiles,
        env=load_environment(budgets),
    )
    budgets = replace(budgets, compose=stack.files[0])
    check_against(budgets, stack)
    return budgets, part_of(stack, options.services) if options.services else stack


def load_limits(options: Options) -> Budgets:
    """Return the budgets, defaults if the file may be missing, with the options' overrides.

    Raises ConfigError, which names every mistake.
    """
    missing = options.budgets_may_be_missing and not options.budgets.exists()
    budgets = default_budgets(options.budgets) if missing else load_budgets(options.budgets)
    names = ("window_seconds", "settle_seconds", "repeats", "squeeze", "throttled", "reboot")
    plan = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    load, tiers = budgets.load, (options.tier,) if options.tier else budgets.tier_names
    if options.rate is not None:
        if load is None or not load.takes_rate:
            advice = f"put {RATE} into load.command of budgets.yml"
            raise ConfigError("--rate has no effect", advice=advice)
        load = replace(load, rate=options.rate)
    for tier in tiers:
        if tier != NO_TIER:
            find_tier(tier)
    machine = options.machine or budgets.machine
    if options.reboot and machine is not MachineKind.TWIN:
        raise ConfigError("--reboot needs a machine of its own", advice="add --on twin")
    engine = options.engine or budgets.engine
    if engine.is_podman and machine is not MachineKind.TWIN:
        raise ConfigError(f"engine: {engine} only runs on a twin", advice="add --on twin")
    measured = replace(budgets.measure, **plan)
    return replace(
        budgets,
        tier_names=tiers,
        machine=machine,
        engine=engine,
        measure=measured,
        load=load,
    )


def load_environment(budgets: Budgets) -> dict[str, str]:
    """Return what the load sets while compose reads the stack, and for no other program.

    An `--env-file` would protect no better: compose 2.26 hands all it holds to programs that it
    starts, and it would replace `.env`.
    """
    return dict(budgets.load.environment) if budgets.load else {}


def warn_of_host_access(stack: Stack, progress: Progress) -> None:
    """Name the services that can reach this machine, before anything of theirs is built or run."""
    if warning := describe_host_access(stack.host_access):
        progress.note(f"{warning}, as with docker compose up")


@contextmanager
def session(progress: Progress) -> "Iterator[tuple[Engine, Run]]":
    """Yield an engine and a run on it; nothing of the run, nor of dead ones, is left behind."""
    from onegig.engine.engine import connect
    from onegig.engine.owned import new_run, remove_leftovers, remove_run

    with connect() as engine, terminable(), new_run() as run:
        if leftovers := remove_leftovers(engine):
            with progress.step("clean up after an earlier run") as say:
                for name in leftovers:
                    say(f"removed {name}")
        try:
            yield engine, run
        finally:
            try:
                remove_run(engine, run)
            except EngineError as error:  # what was measured is not lost by it
                progress.note(f"{error.message}; the next run removes what this one left there")


def build(stack: Stack, budgets: Budgets, run: "Run", progress: Progress) -> None:
    """Build every image of the stack that has a build section; pull those that the engine lacks."""
    from onegig.config.stack import read_build_inputs
    from onegig.engine.bake import absent_images, build_images, image_ids, platforms_of, pull_images
    from onegig.images.cache import open_cache

    with progress.step(f"build {sum(s.builds for s in stack.services)} images") as say:
        inputs = read_build_inputs(stack, load_environment(budgets))
        seconds = build_images(stack, run, say=say, inputs=inputs)
        cache = open_cache(say)
        for image, image_id in image_ids(seconds).items():
            cache.keep_build(image_id, seconds[image])
    absent = absent_images(stack)
    if absent:
        with progress.step(f"pull {len(absent)} images") as say:
            pull_images(absent, say, platforms_of(stack))


def measure_build(
    engine: "Engine", stack: Stack, budgets: Budgets, run: "Run", progress: Progress, taken: int
) -> BuildReport:
    """Build every image from scratch in the tier's room, without `taken` bytes; judge the build."""
    from onegig.config.stack import read_build_inputs
    from onegig.dockerfiles.builds import read_base_images
    from onegig.memory.build import measure_build
    from onegig.memory.measure import LEAST_CAP_BYTES, plan_boot

    if not any(service.builds for service in stack.services):
        raise ConfigError(f"no service of {stack.name} has a build section")
    inputs = read_build_inputs(stack, load_environment(budgets))
    environment = engine.describe(())
    tier = tier_for(budgets.tier, budgets.memory.limit_bytes, environment.architecture)
    room = replace(tightest_room(budgets, tier), stack_bytes=taken)
    with progress.step(f"build {sum(s.builds for s in stack.services)} images in the box") as say:
        bases = [image for image in read_base_images(stack) if engine.images.diff_ids(image)]
        plan = plan_boot(engine, stack, budgets, run, say, environment.architecture)
        plan = replace(plan, cap_bytes=max(LEAST_CAP_BYTES, room.bytes))
        memory = measure_build(plan, inputs, bases)
    return judge_build(budgets, memory, room, stack=stack.name, environment=environment)


def inspect_stack(
    engine: "Engine",
    stack: Stack,
    options: Options,
    progress: Progress,
    inspected: Sequence[ImagesReport] = (),
) -> ImagesReport | Missing:
    """Return what is in a stack's images, with lines of its Dockerfiles for fixes and remarks."""
    from onegig.dockerfiles.builds import read_build_files, read_dockerfiles
    from onegig.dockerfiles.policy import check_policies
    from onegig.images.fixes import place_fixes

    users, files = stack.users_by_image, read_build_files(stack)
    report = inspect(engine, users, options, progress, inspected, files)
    if isinstance(report, Missing):
        return report
    placed = place_fixes(report, read_dockerfiles(stack))
    remarks = check_policies(stack, settings_commit=options.settings_commit)
    return replace(placed, stack=stack.name, dockerfiles=remarks)


def inspect(
    engine: "Engine",
    users: Mapping[str, tuple[str, ...]],
    options: Options,
    progress: Progress,
    inspected: Sequence[ImagesReport] = (),
    build_files: "Mapping[str, BuildFile] | None" = None,
) -> ImagesReport | Missing:
    """Return what is in the images; Unknown with the reason when some could not be read.

    `users` maps each image to the services that run it. What `inspected` knows of the very same
    images is not found out again. `build_files` are those of images that are built here.
    """
    from onegig.images.bases import base_evidence
    from onegig.images.cache import open_cache
    from onegig.images.inspect import inspect_images

    bases, files = engine.images, build_files or {}
    environment = engine.describe(users)
    scanner = find_scanner(options, progress)
    with progress.step(f"inspect {len(users)} images") as say:
        try:
            inspection = inspect_images(
                users,
                reports=inspected,
                engine=engine.images,
                cache=open_cache(say),
                environment=environment,
                progress=say,
                scanner=scanner,
                is_part=bool(options.services),
                weigh=options.weigh,
                evidence_of=lambda image: base_evidence(image, files.get(image.reference), bases),
            )
        except InspectError as error:
            return Unknown(reason=error.message)
    problems = "; ".join(inspection.problems)
    return Unknown(reason=problems) if problems else inspection.report


def find_scanner(options: Options, progress: Progress) -> "Scanner | Missing":
    """Return trivy and its database, which is only fetched when asked for."""
    from onegig.images import trivy

    title = "find trivy" + " and update its database" * options.update_database
    with progress.step(title) as say:
        scanner = trivy.find(update=options.update_database)
        if isinstance(scanner, Missing):
            say(f"no image is scanned: {scanner.reason}")
        elif isinstance(scanner.database, Missing):
            say(f"vulnerabilities are not scanned: {scanner.database.reason}")
        else:
            say(f"trivy {scanner.version}, database of {scanner.database[:10]}")
    return scanner


def measure_stack(
    engine: "Engine",
    stack: Stack,
    budgets: Budgets,
    run: "Run",
    progress: Progress,
    adapt: "Adapt | None" = None,
) -> MemoryReport | Missing:
    """Boot the stack and measure its memory; Unknown with the reason when it did not work.

    `adapt` changes how it is booted: a trial, which is booted once even near a limit.
    """
    from onegig.memory.measure import as_planned, measure
    from onegig.memory.repeats import no_doubt

    environment = engine.describe(stack.images)
    with progress.step(f"boot and measure {len(stack.services)} services") as say:
        try:
            report = measure(
                engine,
                stack,
                budgets,
                environment,
                run,
                say,
                doubt=no_doubt if adapt else partial(doubt, budgets),
                squeeze=partial(plan_squeeze, budgets),
                throttle=partial(plan_throttle, budgets),
                adapt=adapt or as_planned,
            )
        except MeasureError as error:
            detail = f": {error.detail.splitlines()[-1]}" if error.detail else ""
            return Unknown(reason=f"{error.message}{detail}")
    warning = describe_host_access(stack.host_access)
    return replace(report, notes=(warning, *report.notes)) if warning else report


def judge_reports(
    options: Options,
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    main: Baseline | None = None,
    stack: Stack | Missing = NO_STACK,
) -> Report:
    """Return the verdict over what was measured, and a plan.

    `main` is what a pull request goes on top of; a plan's changes are to the files of `stack`.
    """
    tier = choose_tier(budgets, memory, images)
    measured = [report for report in (images, memory) if not isinstance(report, Missing)]
    names = [report.stack for report in measured if report.stack]
    now = datetime.now(UTC)
    report = Report(
        stack=names[0] if names else options.budgets.resolve().parent.name,
        created=now.isoformat(timespec="seconds"),
        commit=ask_git(options.budgets.parent, "rev-parse", "HEAD").strip(),
        verdict=judge(budgets, images, memory, tier, today=now.date(), main=main),
        images=images,
        memory=memory,
        reproduce=options.reproduce,
    )
    return with_plan(report, budgets, stack, now.date())
