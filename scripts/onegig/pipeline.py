"""The pipeline: load -> build -> inspect -> boot and measure -> judge -> render.

Each function is one arrow of the design, takes its input as data and can be run alone from files;
`check` runs them all. Effects (engine, progress, run) are passed in.
"""

import shlex
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from docker import DockerClient

from onegig.engine import connect
from onegig.environment import read_environment, without_engine
from onegig.errors import ConfigError, InspectError, MeasureError, OnegigError
from onegig.images.accounts.fix_places import place_fixes
from onegig.images.building.build import build_images, image_ids
from onegig.images.building.pull import absent_images, pull_images
from onegig.images.cache import open_cache
from onegig.images.dockerfiles.policy import check_policies
from onegig.images.inspect import inspect_images
from onegig.images.inspected import inspect_others
from onegig.images.reading.layout import Archive
from onegig.images.reading.source import Engine
from onegig.images.scanning import trivy
from onegig.judge.verdict import judge
from onegig.load.budgets import check_against, load_budgets
from onegig.load.dockerfiles import read_dockerfiles
from onegig.load.stack import load_stack, part_of
from onegig.memory.measure import measure
from onegig.model.baseline import Baseline
from onegig.model.budgets import RATE, Budgets, Load, Measure
from onegig.model.codec import from_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.sizes import plain_number
from onegig.model.stack import Stack
from onegig.model.tiers import find_tier
from onegig.owned import Run, new_run, remove_leftovers, remove_run
from onegig.process import CommandError, run
from onegig.progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line asks for; None leaves the choice to budgets.yml."""

    budgets: Path = Path("budgets.yml")
    compose: tuple[Path, ...] = ()
    tier: str | None = None
    window_seconds: float | None = None
    settle_seconds: float | None = None
    repeats: int | None = None
    rate: float | None = None
    services: tuple[str, ...] = ()  # only these services' images; (): all
    update_database: bool = False  # trivy's, before scanning: vulnerabilities must be looked for
    inspected: tuple[Path, ...] = ()  # images.json of machines that inspected a part of them

    @property
    def reproduce(self) -> str:
        """The command that gives the same result locally."""
        words = ["onegig", "check"]
        if self.budgets != Path("budgets.yml"):
            words += ["--budgets", str(self.budgets)]
        for path in self.compose:
            words += ["--compose", str(path)]
        if self.tier:
            words += ["--tier", self.tier]
        for name, value in (
            ("--window", self.window_seconds),
            ("--settle", self.settle_seconds),
            ("--repeats", self.repeats),
            ("--rate", self.rate),
        ):
            if value is not None:
                words += [name, plain_number(value)]
        if self.update_database:
            words += ["--update-database"]
        return shlex.join(words)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A check as far as it went: what was measured before an error stays in the report."""

    report: Report
    budgets: Budgets
    stack: Stack | None  # None: it could not be read
    error: OnegigError | None


def check(options: Options, progress: Progress) -> Report:
    """The whole question, answered. Raises OnegigError where it cannot even be asked."""
    made = attempt(options, progress)
    if made.error:
        raise made.error
    return made.report


def attempt(options: Options, progress: Progress) -> Attempt:
    """The whole question; an error ends it but takes nothing away from what is known by then."""
    budgets, stack = Budgets(path=str(options.budgets), compose=""), None
    images: ImagesReport | Missing | None = None
    memory: MemoryReport | Missing | None = None
    error: OnegigError | None = None
    try:
        with progress.step("read budgets and stack"):
            budgets, stack = load(options)
            inspected = [from_json(ImagesReport, p.read_bytes(), str(p)) for p in options.inspected]
        with session(progress) as (client, current):
            build(stack, budgets, current, progress)
            users, update = stack.users_by_image, options.update_database
            found = inspect(client, users, stack.name, progress, inspected, update_database=update)
            images = with_places(found, stack)
            memory = measure_stack(client, stack, budgets, current, progress)
    except OnegigError as caught:
        error = caught
    missing = Unknown(reason=error.message if error else "")
    report = judge_reports(options, budgets, images or missing, memory or missing)
    return Attempt(report=report, budgets=budgets, stack=stack, error=error)


def load(options: Options) -> tuple[Budgets, Stack]:
    """The budgets, and the compose project they name."""
    budgets = load_limits(options)
    files = options.compose or (options.budgets.parent / budgets.compose,)
    stack = load_stack(tuple(files), env=load_environment(budgets))
    check_against(budgets, stack)
    return budgets, part_of(stack, options.services) if options.services else stack


def load_limits(options: Options) -> Budgets:
    """budgets.yml with the command line's overrides; ConfigError names every mistake."""
    budgets = load_budgets(options.budgets)
    budgets = replace(
        budgets,
        tier=options.tier or budgets.tier,
        measure=_planned(budgets.measure, options),
        load=_at_rate(budgets.load, options.rate),
    )
    if budgets.tier:
        find_tier(budgets.tier)
    return budgets


def _planned(plan: Measure, options: Options) -> Measure:
    window, settle = options.window_seconds, options.settle_seconds
    return replace(
        plan,
        window_seconds=plan.window_seconds if window is None else window,
        settle_seconds=plan.settle_seconds if settle is None else settle,
        repeats=options.repeats or plan.repeats,
    )


def _at_rate(given: Load | None, rate: float | None) -> Load | None:
    if rate is None:
        return given
    if given is None or not given.takes_rate:
        raise ConfigError(
            "--rate has nothing to set",
            advice=f"put {RATE} into load.command of budgets.yml, where the load takes its rate",
        )
    return replace(given, rate=rate)


def load_environment(budgets: Budgets) -> dict[str, str]:
    """What the load sets while compose reads the stack."""
    return dict(budgets.load.environment) if budgets.load else {}


@contextmanager
def session(progress: Progress) -> Iterator[tuple[DockerClient, Run]]:
    """An engine and a run on it; nothing of the run, nor of dead ones, is left behind."""
    with connect() as client, _terminable(), new_run() as current:
        left = remove_leftovers(client)
        if left:
            with progress.step("remove what an earlier run left behind") as say:
                for thing in left:
                    say(f"removed {thing}")
        try:
            yield client, current
        finally:
            remove_run(client, current)


def build(stack: Stack, budgets: Budgets, current: Run, progress: Progress) -> None:
    """Build every image of the stack that has a build section; pull those that the engine lacks."""
    with progress.step(f"build {sum(s.builds for s in stack.services)} images") as say:
        seconds = build_images(stack, current, say=say, environment=load_environment(budgets))
        cache = open_cache()
        for image, image_id in image_ids(seconds).items():
            cache.keep_build(image_id, seconds[image])
    absent = absent_images(stack)
    if absent:
        with progress.step(f"pull {len(absent)} images") as say:
            pull_images(absent, say)


def inspect(
    client: DockerClient,
    users: Mapping[str, tuple[str, ...]],
    stack: str,
    progress: Progress,
    inspected: Sequence[ImagesReport] = (),
    *,
    update_database: bool = False,
) -> ImagesReport | Missing:
    """What is in the images; Unknown with the reason when some could not be read.

    `users` maps each image to the services that run it. What `inspected` knows of the very same
    images is not found out again.
    """
    environment = read_environment(client, users)
    scanner = find_scanner(progress, update_database=update_database)
    with progress.step(f"inspect {len(users)} images") as say:
        try:
            inspection = inspect_others(
                inspected,
                users,
                engine=Engine(client),
                cache=open_cache(),
                environment=environment,
                progress=say,
                scanner=scanner,
            )
        except InspectError as error:
            return Unknown(reason=error.message)
    if inspection.problems:
        return Unknown(reason="; ".join(inspection.problems))
    return replace(inspection.report, stack=stack)


def find_scanner(progress: Progress, *, update_database: bool) -> trivy.Scanner | Missing:
    """trivy and its database, which is only fetched when asked for."""
    with progress.step("find trivy" + (" and update its database" * update_database)) as say:
        scanner = trivy.find(update=update_database)
        if isinstance(scanner, Missing):
            say(f"no image is scanned: {scanner.reason}")
        elif isinstance(scanner.database, Missing):
            say(f"vulnerabilities are not scanned: {scanner.database.reason}")
        else:
            say(f"trivy {scanner.version}, database of {scanner.database[:10]}")
    return scanner


def with_places(images: ImagesReport | Missing, stack: Stack) -> ImagesReport | Missing:
    """What is in the images, with the lines of Dockerfiles: fixes point to them, remarks are added.

    Whoever inspected the images: the Dockerfiles are here.
    """
    if isinstance(images, Missing):
        return images
    placed = place_fixes(images, read_dockerfiles(stack))
    return replace(placed, dockerfiles=check_policies(stack))


def inspect_archive(
    path: Path, progress: Progress, *, update_database: bool = False
) -> ImagesReport | Missing:
    """What is in the images of an archive or layout; Unknown when one could not be read whole."""
    archive = Archive(path)
    scanner = find_scanner(progress, update_database=update_database)
    with progress.step(f"inspect the {len(archive.references)} images of {path}") as say:
        for sentence in archive.left_out:
            say(f"left out: {sentence}")
        inspection = inspect_images(
            dict.fromkeys(archive.references, ()),
            engine=archive,
            cache=open_cache(),
            environment=without_engine(archive.bases),
            progress=say,
            scanner=scanner,
        )
    if inspection.problems:
        return Unknown(reason="; ".join(inspection.problems))
    return inspection.report


def measure_stack(
    client: DockerClient, stack: Stack, budgets: Budgets, current: Run, progress: Progress
) -> MemoryReport | Missing:
    """Boot the stack in the box and measure it; Unknown with the reason when it did not work."""
    environment = read_environment(client, stack.images)
    with progress.step(f"boot and measure {len(stack.services)} services") as say:
        try:
            return measure(client, stack, budgets, environment, current, say)
        except MeasureError as error:
            detail = f": {error.detail.splitlines()[-1]}" if error.detail else ""
            return Unknown(reason=f"{error.message}{detail}")


def judge_reports(
    options: Options,
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    main: Baseline | None = None,
) -> Report:
    """The verdict over what was measured; `main` is what a pull request goes on top of."""
    tier = find_tier(budgets.tier) if budgets.tier else None
    names = [one.stack for one in (images, memory) if not isinstance(one, Missing) and one.stack]
    now = datetime.now(UTC)
    return Report(
        stack=names[0] if names else options.budgets.resolve().parent.name,
        created=now.isoformat(timespec="seconds"),
        commit=_commit(options.budgets.parent),
        verdict=judge(budgets, images, memory, tier, today=now.date(), main=main),
        images=images,
        memory=memory,
        reproduce=options.reproduce,
    )


def _commit(directory: Path) -> str:
    try:
        return run(["git", "-C", str(directory), "rev-parse", "HEAD"]).stdout.strip()
    except CommandError:
        return ""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does: through every clean-up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kept = {one: signal.signal(one, interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)
